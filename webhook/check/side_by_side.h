// Many pieces of work that wait for something, a few at a time.
#pragma once

#include <cstddef>
#include <functional>

namespace belay::webhook::check {

/// Told as pieces are done, ten times a second at most, in the thread that waits for them.
using Progress = std::function<void(std::size_t done, std::size_t failed)>;

/// Does `work(0)` … `work(count - 1)` on `at_once` threads, and returns when all is done.
/// \param work  returns whether it went well; called by several threads, must not throw
/// \param progress  may be empty
void side_by_side(std::size_t count, std::size_t at_once,
                  const std::function<bool(std::size_t)>& work, const Progress& progress);

}  // namespace belay::webhook::check
