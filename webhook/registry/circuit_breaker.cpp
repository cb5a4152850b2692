#include "webhook/registry/circuit_breaker.h"

#include <algorithm>

namespace belay::webhook::registry {

bool CircuitBreaker::may_ask(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (now < open_until_ || now < paused_until_) return false;
  // The first tries alone: for the others the circuit stays open until it has reported.
  if (failures_ >= failures_to_open_) open_until_ = now + open_time_;
  return true;
}

void CircuitBreaker::succeeded() {
  const std::lock_guard lock(mutex_);
  failures_ = 0;
  open_until_ = {};
}

void CircuitBreaker::failed(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (++failures_ >= failures_to_open_) open_until_ = std::max(open_until_, now + open_time_);
}

void CircuitBreaker::pause(Clock::time_point until) {
  const std::lock_guard lock(mutex_);
  paused_until_ = std::max(paused_until_, until);
}

CircuitBreaker::Clock::time_point CircuitBreaker::paused_until() const {
  const std::lock_guard lock(mutex_);
  return paused_until_;
}

}  // namespace belay::webhook::registry
