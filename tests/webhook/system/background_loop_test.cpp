// The loop behind followers and writers: when its steps come, and that it ends.
#include "webhook/system/background_loop.h"

#include <doctest/doctest.h>
#include <pthread.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <latch>
#include <semaphore>
#include <string>
#include <thread>

using belay::webhook::BackgroundLoop;
using namespace std::chrono_literals;

namespace {

using Clock = BackgroundLoop::Clock;

/// A loop whose steps the test counts off; between them it waits for wake().
struct Counted {
  std::counting_semaphore<> done{0};
  std::atomic<int> steps = 0;
  BackgroundLoop loop{"counted", [this](const std::stop_token&) {
                        ++steps;
                        done.release();
                        return BackgroundLoop::kNever;
                      }};
};

}  // namespace

TEST_CASE("the first step comes at once, and others as they are woken") {
  Counted counted;
  counted.loop.start();
  counted.done.acquire();
  for (int i = 0; i < 100; ++i) {
    counted.loop.wake();
    counted.done.acquire();
  }
  counted.loop.stop();
  CHECK(counted.steps == 101);
}

TEST_CASE("a step comes when the one before said, not earlier") {
  std::counting_semaphore<> done{0};
  std::atomic<bool> early = false;
  Clock::time_point due = Clock::now() + 2ms;
  BackgroundLoop loop("timed", [&](const std::stop_token&) {
    if (Clock::now() < due) early = true;
    done.release();
    return due = Clock::now() + 2ms;
  });
  loop.start(due);
  for (int i = 0; i < 5; ++i) done.acquire();
  loop.stop();
  CHECK_FALSE(early);
}

TEST_CASE("a wake while a step runs brings another step, which sees what was changed before") {
  std::binary_semaphore begun{0};
  std::binary_semaphore go_on{0};
  std::binary_semaphore seen{0};
  std::atomic<int> value = 0;
  BackgroundLoop loop("woken", [&](const std::stop_token&) {
    if (value == 0) {
      begun.release();
      go_on.acquire();
    } else {
      seen.release();
    }
    return BackgroundLoop::kNever;
  });
  loop.start();
  begun.acquire();
  value = 1;
  loop.wake();
  go_on.release();
  seen.acquire();
}

TEST_CASE("stop ends a wait for ever, a wait for hours and a row of steps that are due at once") {
  for (const auto next : {BackgroundLoop::kNever, Clock::now() + 24h, BackgroundLoop::kAtOnce}) {
    std::atomic<bool> stopped = false;
    std::atomic<int> late = 0;
    std::latch begun(1);
    BackgroundLoop loop("stopped", [&](const std::stop_token&) {
      if (stopped) ++late;
      if (!begun.try_wait()) begun.count_down();
      return next;
    });
    loop.start();
    begun.wait();
    loop.stop();
    stopped = true;
    loop.wake();
    CHECK(late == 0);
  }
}

TEST_CASE("a loop that is stopped before its first step is due does no step") {
  std::atomic<int> steps = 0;
  std::atomic<int> ends = 0;
  {
    BackgroundLoop loop(
        "later",
        [&](const std::stop_token&) {
          ++steps;
          return BackgroundLoop::kNever;
        },
        [&] { ++ends; });
    loop.start(Clock::now() + 24h);
  }
  CHECK(steps == 0);
  CHECK(ends == 1);
}

TEST_CASE("a step that blocks is told by its token") {
  std::latch begun(1);
  BackgroundLoop loop("blocked", [&](const std::stop_token& stop) {
    std::binary_semaphore told{0};
    const std::stop_callback tell(stop, [&told] { told.release(); });
    begun.count_down();
    told.acquire();
    return BackgroundLoop::kAtOnce;
  });
  loop.start();
  begun.wait();
  loop.stop();
}

TEST_CASE("the end is called once, after the last step and on the same thread") {
  std::thread::id step_by;
  std::thread::id end_by;
  int ends = 0;
  std::latch begun(1);
  BackgroundLoop loop(
      "ending",
      [&](const std::stop_token&) {
        step_by = std::this_thread::get_id();
        begun.count_down();
        return BackgroundLoop::kNever;
      },
      [&] {
        end_by = std::this_thread::get_id();
        ++ends;
      });
  loop.start();
  begun.wait();
  loop.stop();
  loop.stop();
  CHECK(ends == 1);
  CHECK(step_by == end_by);
  CHECK(step_by != std::this_thread::get_id());
}

TEST_CASE("it starts once until it is stopped, and then again; one that never ran stops too") {
  Counted counted;
  counted.loop.stop();
  counted.loop.start();
  counted.done.acquire();
  counted.loop.start();
  counted.loop.stop();
  CHECK(counted.steps == 1);
  counted.loop.start();
  counted.done.acquire();
  counted.loop.stop();
  CHECK(counted.steps == 2);
}

TEST_CASE("several threads may stop it at once") {
  Counted counted;
  counted.loop.start();
  std::jthread one([&] { counted.loop.stop(); });
  std::jthread two([&] { counted.loop.stop(); });
}

TEST_CASE("its thread has its name, and takes no signals but faults") {
  // The thread may see its name a moment after its start: it is woken for that.
  std::array<char, 16> name{};
  sigset_t blocked;
  std::counting_semaphore<> done{0};
  BackgroundLoop loop("a-name-that-is-too-long", [&](const std::stop_token&) {
    pthread_getname_np(pthread_self(), name.data(), name.size());
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    done.release();
    return BackgroundLoop::kNever;
  });
  loop.start();
  done.acquire();
  loop.wake();
  done.acquire();
  loop.stop();
  CHECK(std::string(name.data()) == "a-name-that-is-");
  CHECK(sigismember(&blocked, SIGTERM) == 1);
  CHECK(sigismember(&blocked, SIGSEGV) == 0);
  sigset_t own;
  pthread_sigmask(SIG_SETMASK, nullptr, &own);
  CHECK(sigismember(&own, SIGTERM) == 0);
}
