// The serving certificate of all replicas in one Secret: made and renewed by the leader, followed
// by everyone, and its CAs published into the webhook configurations' caBundle. What to do
// when is certs/rotation.h's business; this carries it out.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "certs/store.h"
#include "webhook/certificates/serving_certificate.h"
#include "webhook/kube/api.h"
#include "webhook/kube/watch.h"

namespace belay::webhook::certificates {

struct CertificateOptions {
  std::string namespace_name;
  std::string secret = "belay-tls";
  std::vector<std::string> names;  ///< DNS names and addresses of the leaf
  /// metadata.name of the ValidatingWebhookConfiguration and the MutatingWebhookConfiguration
  /// whose caBundle is ours.
  std::string webhook_configuration = "belay";
  std::chrono::seconds ca_duration = certs::kDefaultCaDuration;
  std::chrono::seconds cert_duration = certs::kDefaultCertDuration;
  /// From publishing a new CA to the first leaf of it: every API server has seen it by then.
  std::chrono::seconds ca_overlap{60};
};

class Certificate {
 public:
  /// Follows the Secret on a thread (a watch) and publishes each good pair into `store`; a Secret
  /// that is gone, half or broken leaves the last good pair in force and is told by `report`.
  /// \param report_watch  told how the watch fares, on its thread
  Certificate(kube::Api& api, CertificateOptions options, std::shared_ptr<certs::Store> store,
              SystemClock clock, std::function<void(const CertificateEvent&)> report,
              std::function<void(const kube::WatchEventReport&)> report_watch);
  ~Certificate();  ///< stops
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  void start();
  void stop();
  /// Whether this replica creates, renews and publishes. Thread-safe.
  void set_leading(bool leading);
  /// Since the API server last said anything about the Secret. Thread-safe.
  std::chrono::milliseconds quiet_for() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::certificates
