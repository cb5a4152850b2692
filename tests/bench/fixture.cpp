// Policies and reviews for the benchmarks; see fixture.h.
#include "tests/bench/fixture.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "policy/policy_reader.h"
#include "policy/policy_set.h"

namespace belay::bench {
namespace {

std::shared_ptr<const policy::Policy> parse(const std::string& text) {
  auto policy = policy::read_policy(text, {policy::PolicySource::Kind::kFile, "policy.yaml"});
  if (policy) return std::make_shared<const policy::Policy>(*std::move(policy));
  for (const auto& error : policy.error()) {
    std::fprintf(stderr, "%s\n", error.format("policy.yaml").c_str());
  }
  std::exit(1);
}

constexpr const char* kRules =
    "tagRequired: {}, mutableTag: {}, environmentLabel: {values: [dev, test, prod]}";

std::string policy_text(const std::string& name, const std::string& match,
                        const std::string& rules = kRules) {
  return "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: " + name +
         "}\nspec:\n  match: {" + match + "}\n  rules: {" + rules + "}\n";
}

std::string match_text(const std::string& team, Narrowed narrowed) {
  return narrowed == Narrowed::kByName
             ? "namespaces: [\"" + (team.empty() ? "*" : team) + "\"]"
             : "namespaceSelector: {matchLabels: {team: " + (team.empty() ? "shop" : team) + "}}";
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(1);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

policy::PolicySet one_policy() {
  return policy::make_policy_set({parse(read_file(BELAY_BENCH_DATA "/policy.yaml"))});
}

policy::PolicySet refusing_policy() {
  return policy::make_policy_set(
      {parse(policy_text("refusing", match_text("", Narrowed::kByName), "digestRequired: {}"))});
}

policy::PolicySet pinning_policy() {
  return policy::make_policy_set(
      {parse(read_file(BELAY_BENCH_DATA "/policy.yaml") + "  pin: {enabled: true}\n")});
}

policy::PolicySet many_policies(std::size_t applying, std::size_t others, Narrowed narrowed) {
  std::vector<std::shared_ptr<const policy::Policy>> policies;
  for (std::size_t i = 0; i < applying; ++i) {
    policies.push_back(
        parse(policy_text("applies-" + std::to_string(i), match_text("", narrowed))));
  }
  for (std::size_t i = 0; i < others; ++i) {
    const std::string number = std::to_string(i);
    policies.push_back(
        parse(policy_text("other-" + number, match_text("team-" + number, narrowed))));
  }
  return policy::make_policy_set(std::move(policies));
}

std::span<const policy::Label> namespace_labels() {
  static constexpr std::array<policy::Label, 4> kLabels = {
      {{"kubernetes.io/metadata.name", "shop"},
       {"environment", "prod"},
       {"team", "shop"},
       {"pod-security.kubernetes.io/enforce", "restricted"}}};
  return kLabels;
}

std::chrono::year_month_day today() {
  return std::chrono::year{2026} / std::chrono::January / std::chrono::day{15};
}

}  // namespace belay::bench
