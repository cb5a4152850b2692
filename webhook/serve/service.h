// The webhook as a running whole: what `belay serve` starts, in an ordered list of steps, and tears
// down in reverse. Not thread-safe: one thread starts, drains and stops; the servers' threads are
// its own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "certs/store.h"
#include "webhook/admission/namespace_lookups.h"
#include "webhook/certificates/serving_certificate.h"
#include "webhook/http/admin_server.h"
#include "webhook/http/server.h"
#include "webhook/policies/policy_watch.h"
#include "webhook/serve/cluster.h"
#include "webhook/serve/config.h"
#include "webhook/serve/image_registries.h"
#include "webhook/serve/log.h"
#include "webhook/serve/merged_policies.h"
#include "webhook/serve/metrics.h"
#include "webhook/serve/reports.h"

namespace belay::webhook::serve {

class Service {
 public:
  /// \param clock  for certificates' lives and exemptions' ends
  Service(ServerConfig config, certificates::SystemClock clock);
  ~Service();  ///< stops at once if still running
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// Runs the steps and says `listening` in the log, with the ports that are bound. A step that
  /// fails ends it: what was started is stopped again.
  /// Invalid policies are no failure: the service runs, is not ready and says why.
  std::expected<void, std::string> start();
  /// Looks at certificate and policy files now.
  void reload();
  /// From now on readiness fails and every answer carries `Connection: close`.
  void begin_drain();
  /// Lets requests that have begun finish, then stops the steps in reverse.
  void stop(std::chrono::milliseconds grace);

  std::uint16_t port() const;
  std::uint16_t admin_port() const;
  /// The body of /readyz, a line for each condition, and whether all of them hold.
  struct Readiness {
    bool ready = false;
    std::string text;
  };
  Readiness readiness() const;
  Log& log() { return *log_; }

 private:
  struct Step;
  static const Step kSteps[];

  std::expected<void, std::string> start_log();
  std::expected<void, std::string> start_certificate();
  std::expected<void, std::string> start_policies();
  std::expected<void, std::string> start_cluster();
  std::expected<void, std::string> start_registries();
  std::expected<void, std::string> start_server();
  std::expected<void, std::string> start_admin();
  void stop_log();
  void stop_certificate();
  void stop_policies();
  void stop_cluster();
  void stop_registries();
  void stop_server();
  void stop_admin();

  std::string metrics_text();
  std::chrono::year_month_day today() const;

  const ServerConfig config_;
  const certificates::SystemClock clock_;
  std::size_t started_ = 0;  ///< steps
  std::chrono::milliseconds grace_{0};
  std::atomic<bool> draining_{false};

  Metrics metrics_;
  std::unique_ptr<Log> log_;
  const std::shared_ptr<certs::Store> certificates_ = std::make_shared<certs::Store>();
  MergedPolicies policies_;
  std::unique_ptr<Reports> reports_;  ///< with log_
  std::unique_ptr<certificates::ServingCertificate> certificate_;
  std::unique_ptr<policies::PolicyWatch> watch_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<admission::NamespaceLookups> namespace_lookups_;  ///< with cluster_
  std::unique_ptr<ImageRegistries> registries_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::AdminServer> admin_;
};

}  // namespace belay::webhook::serve
