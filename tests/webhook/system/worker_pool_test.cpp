// Work that blocks: done beside, rejected when too much waits, dropped at the end.
#include "webhook/system/worker_pool.h"

#include <doctest/doctest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <thread>

using belay::webhook::WorkerPool;

TEST_CASE("work is done by as many threads as there are") {
  WorkerPool pool("workers", 3, 8);
  std::latch together(3);  // passes only where three threads are at it at once
  std::latch done(3);
  for (int i = 0; i < 3; ++i) {
    CHECK(pool.submit([&] {
      together.arrive_and_wait();
      done.count_down();
    }));
  }
  done.wait();
}

TEST_CASE("more work than may wait is rejected at once, and taken again later") {
  WorkerPool pool("workers", 1, 2);
  std::latch begun(1);
  std::latch go_on(1);
  std::latch done(3);
  CHECK(pool.submit([&] {
    begun.count_down();
    go_on.wait();
    done.count_down();
  }));
  begun.wait();
  CHECK(pool.submit([&] { done.count_down(); }));
  CHECK(pool.submit([&] { done.count_down(); }));
  CHECK_FALSE(pool.submit([&] { FAIL_CHECK("rejected"); }));
  go_on.count_down();
  done.wait();
  std::latch last(1);
  CHECK(pool.submit([&] { last.count_down(); }));
  last.wait();
}

TEST_CASE("at the end what runs is finished and what waits is dropped") {
  const auto waiting = std::make_shared<int>(0);
  std::atomic<bool> finished{false};
  std::latch begun(1);
  std::latch submitted(1);
  {
    WorkerPool pool("workers", 1, 2);
    CHECK(pool.submit([&] {
      begun.count_down();
      submitted.wait();
      while (waiting.use_count() > 1) std::this_thread::yield();  // until the other was dropped
      finished = true;
    }));
    CHECK(pool.submit([waiting] { ++*waiting; }));
    begun.wait();  // or it would be dropped, too
    submitted.count_down();
  }
  CHECK(finished);
  CHECK(*waiting == 0);
  CHECK(waiting.use_count() == 1);
}
