// What a replica keeps with the Kubernetes API, while no API server is there.
#include "webhook/serve/cluster.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "tests/support/folder.h"
#include "tests/support/soon.h"

namespace belay::webhook::serve {
namespace {

/// Where nobody listens.
constexpr const char* kKubeconfig = R"(current-context: a
contexts: [{name: a, context: {cluster: c, user: u, namespace: belay-system}}]
clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority: ca.crt}}]
users: [{name: u, user: {token: t}}]
)";

TEST_CASE("every watch tells how it fares, that of the certificate's Secret too") {
  const tests::Folder folder;
  folder.write("ca.crt", "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n");
  ClusterOptions options;
  options.kubeconfig = folder.write("config", kKubeconfig);
  options.tls_secret = "belay-tls";
  options.tag_history = true;

  std::mutex mutex;
  std::set<kube::WatchName> told;  // guarded by mutex
  ClusterEvents events;
  events.policies = [](const policies::ReloadReport&) {};
  events.certificate = [](const certificates::CertificateEvent&) {};
  events.leading = [](bool) {};
  events.status_failed = [](const std::string&, const std::string&) {};
  events.watch = [&](const kube::WatchEventReport& report) {
    const std::lock_guard lock(mutex);
    told.insert(report.watch);
  };
  Snapshot<policy::PolicySet> policies;
  const auto cluster = Cluster::make(std::move(options), policies, std::make_shared<certs::Store>(),
                                     std::chrono::system_clock::now, std::move(events));
  REQUIRE(cluster);
  std::set<kube::WatchName> quiet;
  for (const Cluster::Quiet& one : (*cluster)->quiet()) quiet.insert(one.watch);
  CHECK(quiet.size() == kube::kWatchNames);

  (*cluster)->start();
  CHECK(tests::soon([&] {
    const std::lock_guard lock(mutex);
    return told.size() == kube::kWatchNames;
  }));
  (*cluster)->stop();
}

}  // namespace
}  // namespace belay::webhook::serve
