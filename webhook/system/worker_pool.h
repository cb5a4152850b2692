// A few threads for work that blocks, behind a queue that does not grow: what reactors must not do
// themselves. When the queue is full, work is rejected at once instead of waiting past its use.
//
// Thread-safe, but for construction and destruction.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace belay::webhook {

class WorkerPool {
 public:
  using Work = std::function<void()>;

  /// \param name  of the threads, at most 15 bytes
  /// \param queue  how much work may wait
  WorkerPool(const std::string& name, std::size_t threads, std::size_t queue);
  /// Drops what waits; waits for what runs.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Has a thread do it. `work` must let no exception out.
  /// \return false, with nothing done, where the queue is full
  bool submit(Work work);

 private:
  void run();

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;  ///< guarded by mutex_
  bool ending_ = false;     ///< guarded by mutex_
  std::vector<std::jthread> threads_;
};

}  // namespace belay::webhook
