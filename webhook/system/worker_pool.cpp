// Threads that take work from a queue.
#include "webhook/system/worker_pool.h"

#include <utility>

#include "webhook/system/thread.h"

namespace belay::webhook {

WorkerPool::WorkerPool(const std::string& name, std::size_t threads, std::size_t queue)
    : limit_(queue) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.push_back(start_thread(name, [this](const std::stop_token&) { run(); }));
  }
}

WorkerPool::~WorkerPool() {
  std::deque<Work> dropped;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    dropped.swap(queue_);
  }
  dropped.clear();  // outside the lock, and before waiting for what may wait for it
  changed_.notify_all();
  for (std::jthread& thread : threads_) thread.join();
}

bool WorkerPool::submit(Work work) {
  {
    const std::lock_guard lock(mutex_);
    if (ending_ || queue_.size() >= limit_) return false;
    queue_.push_back(std::move(work));
  }
  changed_.notify_one();
  return true;
}

void WorkerPool::run() {
  for (;;) {
    Work work;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
      if (ending_) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

}  // namespace belay::webhook
