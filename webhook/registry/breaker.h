// Lets a registry rest that has failed too often in a row, so that requests get their answer at
// once instead of waiting for it each. After the rest one question tries; its success ends the
// rest. Thread-safe.
#pragma once

#include <chrono>
#include <mutex>

namespace belay::webhook::registry {

class Breaker {
 public:
  using Clock = std::chrono::steady_clock;
  Breaker(int failures_to_rest, std::chrono::milliseconds rest)
      : failures_to_rest_(failures_to_rest), rest_(rest) {}

  /// Whether the registry may be asked now. After the rest only one caller is told so until it
  /// reports, or until another rest has gone by.
  bool may_ask(Clock::time_point now);
  void succeeded();
  void failed(Clock::time_point now);
  /// The registry asked for a pause itself (429). No success ends it: that of a question which was
  /// under way already says nothing about the next.
  void pause(Clock::time_point until);
  /// When the last pause ends, or ended.
  Clock::time_point paused_until() const;

 private:
  const int failures_to_rest_;
  const std::chrono::milliseconds rest_;
  mutable std::mutex mutex_;
  int failures_ = 0;                   ///< in a row; guarded by mutex_, as all below
  Clock::time_point resting_until_{};  ///< after failures
  Clock::time_point paused_until_{};   ///< as the registry asked for
};

}  // namespace belay::webhook::registry
