// How many requests may be out at once. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace belay::webhook::registry {

class Slots {
 public:
  explicit Slots(std::size_t count) : free_(count) {}

  /// Waits for a slot. \return false where none was free in time
  bool take(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    if (!freed_.wait_until(lock, deadline, [this] { return free_ > 0; })) return false;
    --free_;
    return true;
  }
  void give_back() {
    {
      const std::lock_guard lock(mutex_);
      ++free_;
    }
    freed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable freed_;
  std::size_t free_;  ///< guarded by mutex_
};

/// A slot that was taken, given back at the end of a scope.
class TakenSlot {
 public:
  explicit TakenSlot(Slots& slots) : slots_(slots) {}
  ~TakenSlot() { slots_.give_back(); }
  TakenSlot(const TakenSlot&) = delete;
  TakenSlot& operator=(const TakenSlot&) = delete;

 private:
  Slots& slots_;
};

}  // namespace belay::webhook::registry
