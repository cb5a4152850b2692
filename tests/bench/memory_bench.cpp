// What a cluster costs in memory: 10,000 namespaces and 200 policies, in a process that is empty
// before. Prints the figures and fails above the bar of the issue that set it.
//
// usage: memory_bench
//
// Namespaces come page by page as a watch would have read them; then each is changed once, as over
// a day, while two readers look on.
#include <malloc.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "policy/policy_reader.h"
#include "policy/policy_set.h"
#include "webhook/namespaces/namespaces.h"
#include "webhook/system/snapshot.h"

namespace {

using belay::webhook::kube::Object;
using belay::webhook::namespaces::Namespaces;

constexpr std::size_t kNamespaces = 10'000;
constexpr double kBar = 12.0;  // MB

/// Labels as namespaces of a large cluster carry them.
Object namespace_of(std::size_t number, const std::string& release) {
  const std::string name =
      "team-" + std::to_string(number % 400) + "-service-" + std::to_string(number);
  Object made;
  made.name = name;
  made.uid = "705ab4f5-6393-11e8-b7cc-42010a800002";
  made.resource_version = std::to_string(1'000'000 + number);
  made.labels = {{"kubernetes.io/metadata.name", name},
                 {"environment", number % 3 == 0 ? "prod" : "dev"},
                 {"team", "team-" + std::to_string(number % 400)},
                 {"app.kubernetes.io/managed-by", "Helm"},
                 {"pod-security.kubernetes.io/enforce", "restricted"},
                 {"example.com/release", release}};
  return made;
}

std::vector<Object> all(const std::string& release) {
  std::vector<Object> made;
  made.reserve(kNamespaces);
  for (std::size_t i = 0; i < kNamespaces; ++i) made.push_back(namespace_of(i, release));
  return made;
}

/// A policy that uses most of what there is.
std::string policy_text(std::size_t number) {
  return "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: policy-" +
         std::to_string(number) + R"(}
spec:
  description: What may run in production
  mode: enforce
  helpUrl: https://platform.example/images
  match:
    namespaces: [")" +
         (number % 40 == 0 ? std::string("*") : "team-" + std::to_string(number) + "-*") +
         R"(", "!sandbox-*"]
    namespaceSelector: {matchLabels: {environment: prod}}
  rules:
    tagRequired: {}
    mutableTag: {tags: [latest, stable, "production-*"], allowWithDigest: true}
    tagFormat: {anyOf: ["v{version}", "{name}-v{version}-{environment}", "{date}-build"]}
    registryAllowed: {allow: ["registry.corp:5000/**", "docker.io/library/*"]}
    environmentLabel: {label: environment, values: [dev, test, prod]}
    environmentNamespace: {}
    environmentTag: {suffixes: {prod: ["-prod"], test: ["-staging", "-test"], dev: ["-dev"]}}
    requiredLabels: {labels: {owner: {}, domain: {values: [shop, payment]}, cost: {pattern: "c-[0-9]{4}"}}}
  exemptions:
    - images: ["docker.io/istio/proxyv2"]
      namespaces: ["legacy-*"]
      rules: [mutable-tag]
      reason: vendor image, no version tags
      ticket: OPS-1234
)";
}

/// Read as they are from ConfigMaps; ends the program where one does not.
belay::policy::PolicySet policies_of(std::size_t count) {
  std::vector<std::shared_ptr<const belay::policy::Policy>> policies;
  for (std::size_t i = 0; i < count; ++i) {
    auto read = belay::policy::read_policy(
        policy_text(i), {belay::policy::PolicySource::Kind::kFile, "policy.yaml"});
    if (!read) {
      std::fprintf(stderr, "%s\n", read.error().front().format("policy.yaml").c_str());
      std::exit(1);
    }
    policies.push_back(std::make_shared<const belay::policy::Policy>(*std::move(read)));
  }
  return belay::policy::make_policy_set(std::move(policies));
}

double megabytes(std::size_t bytes) { return static_cast<double>(bytes) / 1e6; }

std::size_t resident() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0;
  std::size_t pages = 0;
  statm >> size >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::size_t allocated() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

struct Memory {
  std::size_t allocated, resident;
};
Memory now() { return {allocated(), resident()}; }

double print(const char* what, const Memory& before) {
  const Memory after = now();
  std::printf("%-62s %6.2f MB allocated, %6.2f MB resident\n", what,
              megabytes(after.allocated) - megabytes(before.allocated),
              megabytes(after.resident) - megabytes(before.resident));
  return megabytes(after.resident) - megabytes(before.resident);
}

}  // namespace

int main() {
  // What any replica has: one policy that was read, so that libraries have settled.
  const auto settled = policies_of(1);
  Namespaces namespaces;
  const auto one = namespaces.reader();
  const auto two = namespaces.reader();
  namespaces.replaced({namespace_of(0, "v1")});
  const auto look = [&] {
    std::vector<belay::policy::Label> labels;
    for (std::size_t i = 0; i < kNamespaces; i += 7) {
      labels.clear();
      one->find(namespace_of(i, "").name, labels);
      labels.clear();
      two->find(namespace_of(i, "").name, labels);
    }
  };
  const Memory before = now();
  namespaces.replaced(all("v1"));
  look();
  print("10,000 namespaces", before);
  for (std::size_t i = 0; i < kNamespaces; ++i) namespaces.changed(namespace_of(i, "v2"));
  look();
  print("  each changed once", before);
  namespaces.replaced(all("v2"));
  look();
  print("  listed again", before);
  belay::webhook::Snapshot<belay::policy::PolicySet> policies;
  policies.publish(std::make_shared<const belay::policy::PolicySet>(policies_of(200)));
  const double sum = print("10,000 namespaces and 200 policies", before);
  if (namespaces.size() != kNamespaces) return 1;
  std::printf("bar: %.0f MB resident\n", kBar);
  return sum <= kBar ? 0 : 1;
}
