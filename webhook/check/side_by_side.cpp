// Threads take the next number until none is left.
#include "webhook/check/side_by_side.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "webhook/system/worker_pool.h"

namespace belay::webhook::check {

void side_by_side(std::size_t count, std::size_t at_once,
                  const std::function<bool(std::size_t)>& work, const Progress& progress) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t done = 0;  // guarded by mutex, as `failed`
  std::size_t failed = 0;
  const auto take = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      const bool good = work(i);
      const std::scoped_lock lock(mutex);
      ++done;
      if (!good) ++failed;
      if (done == count) changed.notify_one();
    }
  };
  const std::size_t threads = std::min(at_once, count);
  WorkerPool pool("side by side", threads, threads);
  for (std::size_t i = 0; i < threads; ++i) pool.submit(take);
  std::unique_lock lock(mutex);
  while (!changed.wait_for(lock, std::chrono::milliseconds(100), [&] { return done == count; })) {
    if (progress) progress(done, failed);
  }
}

}  // namespace belay::webhook::check
