// Threads of belay's own, all started in one way: named, so that `top -H` and a core dump say what
// they do, and deaf to signals, which are for the thread that waits for them (the owner's).
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <thread>

namespace belay::webhook {

/// \param name  what Linux shows; of more than 15 bytes the first 15
/// \param body  lets no exception out: one ends the process
std::jthread start_thread(const std::string& name,
                          std::function<void(const std::stop_token&)> body);

}  // namespace belay::webhook
