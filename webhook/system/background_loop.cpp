// The waiting between two steps, with all that may end it.
#include "webhook/system/background_loop.h"

#include <utility>

#include "webhook/system/thread.h"

namespace belay::webhook {

BackgroundLoop::BackgroundLoop(std::string name, Step step, std::function<void()> at_end)
    : name_(std::move(name)), step_(std::move(step)), at_end_(std::move(at_end)) {}

BackgroundLoop::~BackgroundLoop() { stop(); }

void BackgroundLoop::start(Clock::time_point first) {
  const std::lock_guard lock(starting_mutex_);
  if (thread_.joinable()) return;
  thread_ = start_thread(name_, [this, first](const std::stop_token& stop) { run(stop, first); });
}

void BackgroundLoop::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void BackgroundLoop::stop() {
  const std::lock_guard lock(starting_mutex_);
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void BackgroundLoop::run(const std::stop_token& stop, Clock::time_point next) {
  const auto woken = [this] { return woken_; };
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (next == kNever) {
        wake_.wait(lock, stop, woken);
      } else if (next > Clock::now()) {
        wake_.wait_until(lock, stop, next, woken);
      }
      woken_ = false;
    }
    if (stop.stop_requested()) break;
    next = step_(stop);
  }
  if (at_end_) at_end_();
}

}  // namespace belay::webhook
