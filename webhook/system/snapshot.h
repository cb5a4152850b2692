// An immutable value that is swapped whole: many readers, a rare writer.
//
// The writer publishes a new shared_ptr; each reading thread keeps its own copy and looks at one
// atomic counter to learn that it is stale. So the request path takes no lock that a writer holds,
// except for the one read that follows a change.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace belay::webhook {

/// The published value. All functions are thread-safe.
template <class T>
class Snapshot {
 public:
  /// Makes `value` the current one. Readers see it at their next look.
  void publish(std::shared_ptr<const T> value) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
    version_.fetch_add(1, std::memory_order_release);
  }

  /// The current value; nullptr before the first publish().
  std::shared_ptr<const T> load() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }

  /// Changes with every publish(); 0 before the first.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
  std::atomic<std::uint64_t> version_{0};
};

/// One thread's view of a snapshot. Not thread-safe; make one a thread.
template <class T>
class SnapshotReader {
 public:
  explicit SnapshotReader(const Snapshot<T>& source) : source_(source) {}

  /// The current value, or nullptr before the first publish(). Valid until the next call.
  const T* get() {
    if (const auto version = source_.version(); version != version_) {
      value_ = source_.load();
      version_ = version;
    }
    return value_.get();
  }

 private:
  const Snapshot<T>& source_;
  std::uint64_t version_ = 0;
  std::shared_ptr<const T> value_;
};

}  // namespace belay::webhook
