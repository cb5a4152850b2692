// The loop behind lease.h: steps of the election, and who is told of them.
#include "webhook/kube/lease.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <utility>

#include "webhook/kube/lease_election.h"
#include "webhook/system/background_loop.h"

namespace belay::webhook::kube {

class Lease::Impl {
 public:
  Impl(Api& api, LeaseOptions options, std::function<void(bool)> changed, LeaseClocks clocks)
      : retry_(options.retry),
        changed_(std::move(changed)),
        clocks_(clocks),
        election_(api, std::move(options), std::move(clocks)) {}

  void start() { loop_.start(); }
  void stop() { loop_.stop(); }

  bool leading() const { return clocks_.steady() < leading_until_.load(); }

 private:
  BackgroundLoop::Clock::time_point step() {
    election_.step();
    tell(election_.leading());
    return BackgroundLoop::Clock::now() + pause();
  }

  /// First nobody here leads any more, then another may.
  void give_back() {
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
  BackgroundLoop loop_{"lease", [this](const std::stop_token&) { return step(); },
                       [this] { give_back(); }};
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
