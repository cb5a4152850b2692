// What the server's parts tell while they run, as log lines and metrics: certificates, policies,
// watches, the lease, registries, the tag history. Their own threads call it; all of it is
// thread-safe.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>

#include "certs/store.h"
#include "webhook/certificates/serving_certificate.h"
#include "webhook/kube/watch.h"
#include "webhook/policies/reload_report.h"
#include "webhook/registry/registry_service.h"
#include "webhook/serve/log.h"
#include "webhook/serve/merged_policies.h"
#include "webhook/serve/metrics.h"
#include "webhook/tag_history/tag_history.h"

namespace belay::webhook::serve {

class Reports {
 public:
  /// \param policies      merged before what became of them is told
  /// \param certificates  where pairs are published: without one, a failure is only a late start
  /// All outlive the reports.
  Reports(Log& log, Metrics& metrics, MergedPolicies& policies, const certs::Store& certificates,
          certificates::SystemClock clock);
  ~Reports() = default;
  Reports(const Reports&) = delete;
  Reports& operator=(const Reports&) = delete;

  void certificate(const certificates::CertificateEvent& event);
  void policies(PolicyOrigin origin, const policies::ReloadReport& report);
  /// A ConfigMap ("namespace/name") can't be told how its policies stand.
  void status_failed(const std::string& config_map, const std::string& problem);
  void watch(const kube::WatchEventReport& report);
  void leading(bool leading);
  void registries(const registry::RegistryReload& reload);
  void tag_history(const tag_history::TagHistoryNews& news);

 private:
  Log& log_;
  Metrics& metrics_;
  MergedPolicies& policies_;
  const certs::Store& certificates_;
  const certificates::SystemClock clock_;
  std::mutex mutex_;  ///< guards last_ and merging
  std::array<policies::ReloadReport, kPolicyOrigins> last_;
};

}  // namespace belay::webhook::serve
