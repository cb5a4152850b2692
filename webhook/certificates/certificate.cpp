// The follower's watch and the leader's loop, tied together.
#include "webhook/certificates/certificate.h"

#include <fmt/format.h>

#include <atomic>
#include <utility>

#include "webhook/certificates/certificate_follower.h"
#include "webhook/certificates/certificate_leader.h"
#include "webhook/system/background_loop.h"

namespace belay::webhook::certificates {
namespace {

kube::WatchOptions watch_options(const CertificateOptions& options) {
  kube::WatchOptions result;
  result.name = kube::WatchName::kCertificate;
  result.path = fmt::format("/api/v1/namespaces/{}/secrets", options.namespace_name);
  result.field_selector = fmt::format("metadata.name={}", options.secret);
  return result;
}

}  // namespace

class Certificate::Impl {
 public:
  Impl(kube::Api& api, CertificateOptions options, std::shared_ptr<certs::Store> store,
       SystemClock clock, std::function<void(const CertificateEvent&)> report,
       std::function<void(const kube::WatchEventReport&)> report_watch)
      : follower_(options.secret, std::move(store), clock, report, [this] { loop_.wake(); }),
        watch_(api, watch_options(options), follower_, std::move(report_watch)),
        leader_(api, std::move(options), std::move(clock), std::chrono::steady_clock::now,
                std::move(report)) {}

  void start() {
    watch_.start();
    loop_.start();
  }

  void stop() {
    watch_.stop();
    loop_.stop();
  }

  void set_leading(bool leading) {
    if (leading_.exchange(leading) != leading) loop_.wake();
  }

  std::chrono::milliseconds quiet_for() const { return watch_.quiet_for(); }

 private:
  /// Looks at once where leading begins or the Secret has changed, and then when the leader says.
  BackgroundLoop::Clock::time_point step() {
    if (!leading_) {
      begun_ = false;
      return BackgroundLoop::kNever;
    }
    if (!std::exchange(begun_, true)) leader_.begin();
    const auto next = leader_.look();
    return BackgroundLoop::Clock::now() + next;
  }

  CertificateFollower follower_;
  kube::Watch watch_;
  CertificateLeader leader_;
  std::atomic<bool> leading_ = false;
  bool begun_ = false;  ///< the loop's
  BackgroundLoop loop_{"certificate", [this](const std::stop_token&) { return step(); }};
};

Certificate::Certificate(kube::Api& api, CertificateOptions options,
                         std::shared_ptr<certs::Store> store, SystemClock clock,
                         std::function<void(const CertificateEvent&)> report,
                         std::function<void(const kube::WatchEventReport&)> report_watch)
    : impl_(std::make_unique<Impl>(api, std::move(options), std::move(store), std::move(clock),
                                   std::move(report), std::move(report_watch))) {}

Certificate::~Certificate() { impl_->stop(); }
void Certificate::start() { impl_->start(); }
void Certificate::stop() { impl_->stop(); }
void Certificate::set_leading(bool leading) { impl_->set_leading(leading); }
std::chrono::milliseconds Certificate::quiet_for() const { return impl_->quiet_for(); }

}  // namespace belay::webhook::certificates
