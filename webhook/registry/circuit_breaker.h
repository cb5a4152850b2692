// Stops asking a registry that has failed too often in a row (the circuit is open), so that
// requests fail at once instead of waiting for it each. After a while one request tries; its
// success closes the circuit. Thread-safe.
#pragma once

#include <chrono>
#include <mutex>

namespace belay::webhook::registry {

class CircuitBreaker {
 public:
  using Clock = std::chrono::steady_clock;
  CircuitBreaker(int failures_to_open, std::chrono::milliseconds open_time)
      : failures_to_open_(failures_to_open), open_time_(open_time) {}

  /// Whether the registry may be asked now. After `open_time` only one caller is told so until it
  /// reports, or until that time has gone by once more.
  bool may_ask(Clock::time_point now);
  void succeeded();
  void failed(Clock::time_point now);
  /// The registry asked for a pause itself (429). No success ends it: that of a request which was
  /// under way already says nothing about the next.
  void pause(Clock::time_point until);
  /// When the last pause ends, or ended.
  Clock::time_point paused_until() const;

 private:
  const int failures_to_open_;
  const std::chrono::milliseconds open_time_;
  mutable std::mutex mutex_;
  int failures_ = 0;                  ///< in a row; guarded by mutex_, as all below
  Clock::time_point open_until_{};    ///< after failures
  Clock::time_point paused_until_{};  ///< as the registry asked for
};

}  // namespace belay::webhook::registry
