#include "webhook/serve/cluster.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "build_info.h"
#include "webhook/certificates/certificate.h"
#include "webhook/kube/api_client.h"
#include "webhook/kube/connection.h"
#include "webhook/kube/lease.h"
#include "webhook/policies/cluster_policies.h"
#include "webhook/policies/policy_config_map.h"
#include "webhook/tag_history/config_map_store.h"
#include "webhook/tag_history/tag_history.h"

namespace belay::webhook::serve {
namespace {

/// ConfigMaps of a list's page: they may be a mebibyte each, and JSON may make six of one.
constexpr std::size_t kPolicyPage = 8;

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "belay";
}

kube::WatchOptions watch_of_namespaces() {
  kube::WatchOptions options;
  options.name = kube::WatchName::kNamespaces;
  options.path = "/api/v1/namespaces";
  options.labels_only = true;
  return options;
}

/// Without tenants, ConfigMaps of belay's own namespace alone: that is all its role can see.
kube::WatchOptions watch_of_policies(const ClusterOptions& cluster) {
  kube::WatchOptions options;
  options.name = kube::WatchName::kPolicies;
  options.path = cluster.tenant_policies
                     ? "/api/v1/configmaps"
                     : fmt::format("/api/v1/namespaces/{}/configmaps", cluster.namespace_name);
  options.label_selector = fmt::format("{}=true", policies::kPolicyLabel);
  options.page = kPolicyPage;
  return options;
}

/// Without names of its own the certificate is for the chart's Service.
certificates::CertificateOptions certificate_of(const ClusterOptions& cluster) {
  certificates::CertificateOptions options;
  options.namespace_name = cluster.namespace_name;
  options.secret = cluster.tls_secret;
  options.names = cluster.tls_names;
  if (options.names.empty()) {
    const std::string service = fmt::format("belay.{}.svc", cluster.namespace_name);
    options.names = {service, service + ".cluster.local"};
  }
  options.webhook_configuration = cluster.webhook_configuration;
  options.ca_duration = cluster.ca_duration;
  options.cert_duration = cluster.cert_duration;
  options.ca_overlap = cluster.ca_overlap;
  return options;
}

}  // namespace

class Cluster::Impl {
 public:
  Impl(kube::Connection connection, const ClusterOptions& options,
       Snapshot<policy::PolicySet>& policies, std::shared_ptr<certs::Store> store,
       certificates::SystemClock clock, ClusterEvents events)
      : events_(std::move(events)),
        api_(std::move(connection), "belay/" BELAY_VERSION),
        policies_(api_,
                  {.own_namespace = options.namespace_name,
                   .tenants = options.tenant_policies,
                   .pod_name = options.pod_name,
                   .status_failed = events_.status_failed},
                  policies, events_.policies),
        namespace_watch_(api_, watch_of_namespaces(), namespaces_, events_.watch),
        policy_watch_(api_, watch_of_policies(options), policies_, events_.watch) {
    if (!options.tls_secret.empty()) {
      certificate_ = std::make_unique<certificates::Certificate>(
          api_, certificate_of(options), std::move(store), std::move(clock), events_.certificate,
          events_.watch);
    }
    if (options.tag_history) {
      tag_history::ConfigMapStoreOptions maps;
      maps.own_namespace = options.namespace_name;
      const auto history = std::make_shared<tag_history::ConfigMapStore>(api_, std::move(maps));
      // Opening ConfigMaps asks nobody, so it does not fail.
      tag_history_ = *tag_history::TagHistory::open(history, {}, events_.tag_history);
      tag_history_watch_ = std::make_unique<kube::Watch>(
          api_, tag_history::tag_history_watch(options.namespace_name), *history, events_.watch);
    }
    kube::LeaseOptions lease;
    lease.namespace_name = options.namespace_name;
    lease.name = options.lease;
    lease.identity = options.pod_name;
    lease_ = std::make_unique<kube::Lease>(api_, std::move(lease), [this](bool leading) {
      policies_.set_leading(leading);
      if (certificate_) certificate_->set_leading(leading);
      events_.leading(leading);
    });
  }

  void start() {
    policy_watch_.start();
    namespace_watch_.start();
    if (tag_history_watch_) tag_history_watch_->start();
    if (certificate_) certificate_->start();
    lease_->start();
  }

  /// The lease first: another replica may lead while the watches still end.
  void stop() {
    lease_->stop();
    if (certificate_) certificate_->stop();
    if (tag_history_) tag_history_->stop();
    if (tag_history_watch_) tag_history_watch_->stop();
    namespace_watch_.stop();
    policy_watch_.stop();
  }

  const kube::Watch& namespace_watch() const { return namespace_watch_; }
  const kube::Watch& policy_watch() const { return policy_watch_; }
  const kube::Watch* tag_history_watch() const { return tag_history_watch_.get(); }
  const certificates::Certificate* certificate() const { return certificate_.get(); }
  registry::TagRecords* tag_history() { return tag_history_.get(); }
  const namespaces::Namespaces& namespaces() const { return namespaces_; }
  admission::NamespaceFetcher& namespace_fetcher() { return namespace_lookup_; }
  kube::Api& api() { return api_; }

 private:
  const ClusterEvents events_;
  kube::ApiClient api_;
  namespaces::Namespaces namespaces_;
  namespaces::NamespaceLookup namespace_lookup_{namespaces_, api_};
  policies::Policies policies_;
  std::unique_ptr<certificates::Certificate>
      certificate_;                                       ///< nullptr where it comes from elsewhere
  std::unique_ptr<tag_history::TagHistory> tag_history_;  ///< nullptr where there is none
  std::unique_ptr<kube::Lease> lease_;
  kube::Watch namespace_watch_;
  kube::Watch policy_watch_;
  std::unique_ptr<kube::Watch> tag_history_watch_;  ///< nullptr without tag_history_
};

std::expected<std::unique_ptr<Cluster>, std::string> Cluster::make(
    ClusterOptions options, Snapshot<policy::PolicySet>& policies,
    std::shared_ptr<certs::Store> store, certificates::SystemClock clock, ClusterEvents events) {
  auto connection = options.kubeconfig.empty() ? kube::in_cluster_connection()
                                               : kube::kubeconfig_connection(options.kubeconfig);
  if (!connection) return std::unexpected(std::move(connection.error()));
  if (options.namespace_name.empty()) options.namespace_name = connection->namespace_name;
  if (options.namespace_name.empty()) {
    return std::unexpected("belay's own namespace is not known; give --namespace");
  }
  if (options.pod_name.empty()) options.pod_name = host_name();
  return std::unique_ptr<Cluster>(
      new Cluster(std::make_unique<Impl>(std::move(*connection), options, policies,
                                         std::move(store), std::move(clock), std::move(events))));
}

Cluster::Cluster(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Cluster::~Cluster() { stop(); }

void Cluster::start() { impl_->start(); }
void Cluster::stop() { impl_->stop(); }

bool Cluster::namespaces_synced() const { return impl_->namespace_watch().synced(); }
bool Cluster::policies_synced() const { return impl_->policy_watch().synced(); }

std::vector<Cluster::Quiet> Cluster::quiet() const {
  std::vector<Quiet> quiet{{kube::WatchName::kNamespaces, impl_->namespace_watch().quiet_for()},
                           {kube::WatchName::kPolicies, impl_->policy_watch().quiet_for()}};
  if (const kube::Watch* const watch = impl_->tag_history_watch()) {
    quiet.push_back({kube::WatchName::kTagHistory, watch->quiet_for()});
  }
  if (const certificates::Certificate* const certificate = impl_->certificate()) {
    quiet.push_back({kube::WatchName::kCertificate, certificate->quiet_for()});
  }
  return quiet;
}

const namespaces::Namespaces& Cluster::namespaces() const { return impl_->namespaces(); }
admission::NamespaceFetcher& Cluster::namespace_fetcher() { return impl_->namespace_fetcher(); }
kube::Api& Cluster::api() { return impl_->api(); }
registry::TagRecords* Cluster::tag_history() { return impl_->tag_history(); }

}  // namespace belay::webhook::serve
