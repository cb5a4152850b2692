// Waiting for what another thread does.
#pragma once

#include <chrono>
#include <thread>

namespace belay::tests {

/// Whether the condition comes true within ten seconds. It is asked again and again by the caller's
/// thread.
template <class Condition>
bool soon(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace belay::tests
