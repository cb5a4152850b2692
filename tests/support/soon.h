// Waiting for what another thread does.
#pragma once

#include <chrono>
#include <thread>

namespace belay::tests {

/// Whether the condition comes true within a minute, which is no promise of anybody's: it only
/// ends a test that waits in vain. It is asked again and again by the caller's thread.
template <class Condition>
bool soon(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace belay::tests
