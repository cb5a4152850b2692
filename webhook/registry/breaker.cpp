#include "webhook/registry/breaker.h"

#include <algorithm>

namespace belay::webhook::registry {

bool Breaker::may_ask(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (now < resting_until_ || now < paused_until_) return false;
  // The first after a rest tries alone: the others go on resting until it has reported.
  if (failures_ >= failures_to_rest_) resting_until_ = now + rest_;
  return true;
}

void Breaker::succeeded() {
  const std::lock_guard lock(mutex_);
  failures_ = 0;
  resting_until_ = {};
}

void Breaker::failed(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (++failures_ >= failures_to_rest_) resting_until_ = std::max(resting_until_, now + rest_);
}

void Breaker::pause(Clock::time_point until) {
  const std::lock_guard lock(mutex_);
  paused_until_ = std::max(paused_until_, until);
}

Breaker::Clock::time_point Breaker::paused_until() const {
  const std::lock_guard lock(mutex_);
  return paused_until_;
}

}  // namespace belay::webhook::registry
