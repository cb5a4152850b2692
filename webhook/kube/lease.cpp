// The thread behind lease.h: steps of the election, and who is told of them.
#include "webhook/kube/lease.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "webhook/kube/lease_election.h"

namespace belay::webhook::kube {

class Lease::Impl {
 public:
  Impl(Api& api, LeaseOptions options, std::function<void(bool)> changed, LeaseClocks clocks)
      : retry_(options.retry),
        changed_(std::move(changed)),
        clocks_(clocks),
        election_(api, std::move(options), std::move(clocks)) {}
  ~Impl() { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void start() {
    if (thread_.joinable()) return;
    stopping_ = false;
    thread_ = std::thread([this] { run(); });
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  bool leading() const { return clocks_.steady() < leading_until_.load(); }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      lock.unlock();
      election_.step();
      tell(election_.leading());
      lock.lock();
      wake_.wait_for(lock, pause(), [this] { return stopping_; });
    }
    lock.unlock();
    // First nobody here leads any more, then another may.
    leading_until_ = LeaseElection::TimePoint::min();
    if (std::exchange(told_, false)) changed_(false);
    election_.release();
  }

  void tell(bool leading) {
    leading_until_ = election_.leading_until();
    if (leading != std::exchange(told_, leading)) changed_(leading);
  }

  /// Who leads is back on time, and not later than its lead ends; who waits comes a little later
  /// each time, so that replicas that began together don't ask together.
  std::chrono::nanoseconds pause() {
    if (told_) {
      const std::chrono::nanoseconds left = election_.leading_until() - clocks_.steady();
      return std::clamp<std::chrono::nanoseconds>(left, std::chrono::milliseconds(1), retry_);
    }
    return std::chrono::nanoseconds(retry_) +
           std::chrono::nanoseconds(retry_) * jitter_(random_) / 100;
  }

  const std::chrono::milliseconds retry_;
  const std::function<void(bool)> changed_;
  const LeaseClocks clocks_;
  LeaseElection election_;  ///< the thread's
  bool told_ = false;       ///< the thread's
  std::minstd_rand random_{std::random_device{}()};
  std::uniform_int_distribution<int> jitter_{0, 20};  ///< percent
  std::atomic<LeaseElection::TimePoint> leading_until_{LeaseElection::TimePoint::min()};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

Lease::Lease(Api& api, LeaseOptions options, std::function<void(bool leading)> changed,
             LeaseClocks clocks)
    : impl_(
          std::make_unique<Impl>(api, std::move(options), std::move(changed), std::move(clocks))) {}
Lease::~Lease() = default;
void Lease::start() { impl_->start(); }
void Lease::stop() { impl_->stop(); }
bool Lease::leading() const { return impl_->leading(); }

}  // namespace belay::webhook::kube
