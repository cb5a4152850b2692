// Everything that a replica keeps with the Kubernetes API, as one thing that starts and stops: the
// connection, the watches of namespaces and policies, the lease, the certificate's Secret, the
// tag history.
//
// Starting waits for nobody: an API server that is away makes a replica that is not ready, not one
// that ends. Not thread-safe but for synced() and what is said below; the events come on threads of
// its own.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "certs/store.h"
#include "policy/policy.h"
#include "webhook/certificates/serving_certificate.h"
#include "webhook/kube/api.h"
#include "webhook/kube/watch.h"
#include "webhook/namespaces/namespaces.h"
#include "webhook/policies/reload_report.h"
#include "webhook/registry/tag_records.h"
#include "webhook/system/snapshot.h"
#include "webhook/tag_history/tag_history.h"

namespace belay::webhook::serve {

/// What `belay serve --cluster` may be told. Every field states its default.
struct ClusterOptions {
  std::string kubeconfig;      ///< "": from the pod's own ServiceAccount
  std::string namespace_name;  ///< belay's own; "": the connection's
  std::string pod_name;        ///< holder of the lease, author of Events; "": the host's name
  bool tenant_policies = false;
  std::string tls_secret;                       ///< "": the certificate comes from elsewhere
  std::vector<std::string> tls_names;           ///< of the certificate in it
  std::string webhook_configuration = "belay";  ///< whose caBundle is ours, with tls_secret
  std::string lease = "belay";
  std::chrono::seconds ca_duration = certs::kDefaultCaDuration;
  std::chrono::seconds cert_duration = certs::kDefaultCertDuration;
  std::chrono::seconds ca_overlap{60};  ///< from a new CA to the first leaf of it
  /// Remember tags in ConfigMaps of belay's own namespace (config_map_store.h names the rights that
  /// this takes). Off, nothing of it is watched.
  bool tag_history = false;
};

/// What happened, for log and metrics. Must be thread-safe.
struct ClusterEvents {
  std::function<void(const policies::ReloadReport&)> policies;
  std::function<void(const certificates::CertificateEvent&)> certificate;
  std::function<void(const kube::WatchEventReport&)> watch;
  std::function<void(bool leading)> leading;
  /// A ConfigMap ("namespace/name") can't be told how its policies stand; it is tried again.
  std::function<void(const std::string& config_map, const std::string& problem)> status_failed;
  tag_history::TagHistoryReport tag_history = {};  ///< may be empty
};

class Cluster {
 public:
  /// Reads where the API server is. Connects to nothing yet.
  /// \param policies  where the ConfigMaps' policies are published
  /// \param store     where the Secret's certificate is published
  static std::expected<std::unique_ptr<Cluster>, std::string> make(
      ClusterOptions options, Snapshot<policy::PolicySet>& policies,
      std::shared_ptr<certs::Store> store, certificates::SystemClock clock, ClusterEvents events);
  ~Cluster();  ///< stops
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  void start();
  void stop();

  /// Whether the namespaces, and whether the policies, were ever read whole. Thread-safe.
  bool namespaces_synced() const;
  bool policies_synced() const;

  /// The time since the API server last said anything on a watch.
  struct Quiet {
    kube::WatchName watch;
    std::chrono::milliseconds since;
  };
  std::vector<Quiet> quiet() const;

  const namespaces::Namespaces& namespaces() const;  ///< thread-safe where its header says so
  admission::NamespaceFetcher&
  namespace_fetcher();  ///< for a namespace that it does not know; thread-safe
  /// The API server itself, for who reads with rights of its own; thread-safe.
  kube::Api& api();
  /// The tag history; nullptr without ClusterOptions::tag_history. Lives as long as this.
  registry::TagRecords* tag_history();

 private:
  class Impl;
  explicit Cluster(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::serve
