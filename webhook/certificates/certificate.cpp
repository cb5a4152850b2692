// The follower's watch and the leader's thread, tied together.
#include "webhook/certificates/certificate.h"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "webhook/certificates/certificate_follower.h"
#include "webhook/certificates/certificate_leader.h"

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
      : follower_(options.secret, std::move(store), clock, report, [this] { wake(); }),
        watch_(api, watch_options(options), follower_, std::move(report_watch)),
        leader_(api, std::move(options), std::move(clock), std::chrono::steady_clock::now,
                std::move(report)) {}

  void start() {
    watch_.start();
    thread_ = std::thread([this] { run(); });
  }

  void stop() {
    watch_.stop();
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  void set_leading(bool leading) {
    {
      const std::lock_guard lock(mutex_);
      leading_ = leading;
    }
    wake_.notify_all();
  }

  std::chrono::milliseconds quiet_for() const { return watch_.quiet_for(); }

 private:
  void wake() {
    {
      const std::lock_guard lock(mutex_);
      look_now_ = true;
    }
    wake_.notify_all();
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      wake_.wait(lock, [this] { return stopping_ || leading_; });
      if (stopping_) return;
      leader_.begin();
      while (leading_ && !stopping_) {
        look_now_ = false;
        lock.unlock();
        const auto next = leader_.look();
        lock.lock();
        wake_.wait_for(lock, next, [this] { return stopping_ || !leading_ || look_now_; });
      }
    }
  }

  CertificateFollower follower_;
  kube::Watch watch_;
  CertificateLeader leader_;

  std::mutex mutex_;  // of the three below
  std::condition_variable wake_;
  bool stopping_ = false;
  bool leading_ = false;
  bool look_now_ = false;
  std::thread thread_;
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
