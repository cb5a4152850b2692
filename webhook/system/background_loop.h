// One thread that does a step, waits until the next is due, and does it again: every follower,
// renewer and writer that belay runs behind its requests. It waits, wakes and stops here, so that
// its owners are left with what a step does.
//
//   BackgroundLoop loop_{"certificates", [this](const std::stop_token&) {
//     look();
//     return BackgroundLoop::Clock::now() + poll_;
//   }};
//
// A step may come before it is due (somebody called wake(), or start() was just called): it looks
// at its own state for what there is to do, and returns anew when it is due.
//
// The functions are thread-safe, but stop() and the destructor must not be called by a step.
// Declare a loop as the last member: it ends before what its steps use.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

namespace belay::webhook {

class BackgroundLoop {
 public:
  using Clock = std::chrono::steady_clock;

  /// Due at no time: the next step comes with wake().
  static constexpr Clock::time_point kNever = Clock::time_point::max();
  /// Due at once; the loop still ends in between where it is stopped.
  static constexpr Clock::time_point kAtOnce = Clock::time_point::min();

  /// Does what is to be done now, on the loop's thread. One that blocks for long ends early where
  /// the token says so; others need not look at it. It lets no exception out: one ends the process,
  /// because a server that silently renews or writes nothing any more is worse than a restart.
  /// \return when it is due again
  using Step = std::function<Clock::time_point(const std::stop_token&)>;

  /// \param name    of the thread, as start_thread() takes it
  /// \param at_end  called once on the thread after the last step; may be empty
  BackgroundLoop(std::string name, Step step, std::function<void()> at_end = {});
  ~BackgroundLoop();  ///< stops
  BackgroundLoop(const BackgroundLoop&) = delete;
  BackgroundLoop& operator=(const BackgroundLoop&) = delete;

  /// Starts the thread, where none runs. \param first  when the first step is due
  void start(Clock::time_point first = kAtOnce);
  /// Has the next step come at once; where one runs, another one follows it. What the caller
  /// changed before is seen by that step.
  void wake();
  /// Returns when the thread has ended: the step that runs is finished, and no other begins. The
  /// loop may be started again.
  void stop();

 private:
  void run(const std::stop_token& stop, Clock::time_point next);

  const std::string name_;
  const Step step_;
  const std::function<void()> at_end_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool woken_ = false;         ///< guarded by mutex_
  std::mutex starting_mutex_;  ///< held while a thread is started or ended
  std::jthread thread_;        ///< guarded by starting_mutex_
};

}  // namespace belay::webhook
