// The index of a set finds what looking at every policy would find.
#include "policy/policy_set.h"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "policy/evaluate.h"
#include "policy/policy_reader.h"

namespace belay::policy {
namespace {

/// What `match` of a policy says; each in its own way narrows, or doesn't.
constexpr std::array<std::string_view, 12> kMatches = {
    "{}",
    "{namespaces: [shop]}",
    "{namespaces: ['sh*', '!shop-2']}",
    "{namespaces: ['*']}",
    "{namespaceSelector: {matchLabels: {environment: prod}}}",
    "{namespaceSelector: {matchLabels: {environment: dev, team: a}}}",
    "{namespaceSelector: {matchExpressions: [{key: team, operator: In, values: [a, b, a]}]}}",
    "{namespaceSelector: {matchExpressions: [{key: team, operator: NotIn, values: [a]}]}}",
    "{namespaceSelector: {matchExpressions: [{key: team, operator: Exists}]}}",
    "{namespaces: [shop], namespaceSelector: {matchLabels: {team: b}}}",
    "{namespaces: ['shop*'], namespaceSelector: {matchLabels: {team: b}}}",
    "{namespaceSelector: {matchExpressions: [{key: team, operator: In, values: [c]},"
    " {key: environment, operator: In, values: [prod, dev]}]}}",
};

std::shared_ptr<const Policy> policy(std::size_t number, std::string_view match) {
  const std::string text = "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: p" +
                           std::to_string(number) + "}\nspec:\n  match: " + std::string(match) +
                           "\n  rules: {mutableTag: {}}\n";
  auto read = read_policy(text, {});
  REQUIRE(read.has_value());
  return std::make_shared<const Policy>(std::move(*read));
}

std::vector<std::string> names_of(const Verdict& verdict) {
  std::vector<std::string> names;
  for (const Policy* one : verdict.policies) names.push_back(one->name);
  return names;
}

}  // namespace

TEST_CASE("an indexed set evaluates as one without index, whatever selects its policies") {
  std::vector<std::shared_ptr<const Policy>> all;
  for (std::size_t i = 0; i < 3 * kMatches.size(); ++i) {
    all.push_back(policy(i, kMatches.at(i % kMatches.size())));
  }
  const std::array<std::vector<Label>, 6> labels = {{{},
                                                     {{"environment", "prod"}},
                                                     {{"environment", "dev"}, {"team", "a"}},
                                                     {{"team", "b"}, {"other", "x"}},
                                                     {{"team", "c"}, {"environment", "prod"}},
                                                     {{"team", "z"}}}};
  // Sets of one kind of policy, of two, and of all: each builds the index in another way.
  for (std::size_t first = 0; first < kMatches.size(); ++first) {
    for (std::size_t second = first; second <= kMatches.size(); ++second) {
      std::vector<std::shared_ptr<const Policy>> some =
          second == kMatches.size() ? all : std::vector{all[first], all[second]};
      const PolicySet indexed = make_policy_set(some);
      PolicySet plain = indexed;
      plain.index = nullptr;
      for (const std::string_view ns : {"shop", "shop-2", "bank"}) {
        for (const auto& of_namespace : labels) {
          Workload workload;
          workload.kind = "Pod";
          workload.is_pod = true;
          workload.namespace_name = ns;
          workload.name = "web";
          workload.pod.images.push_back({.name = "web", .image = "a.example/web:latest"});
          NamespaceFacts known;
          known.labels = of_namespace;
          Facts facts;
          facts.ns = &known;
          Verdict with;
          Verdict without;
          evaluate(indexed, workload, facts, with);
          evaluate(plain, workload, facts, without);
          CAPTURE(first);
          CAPTURE(second);
          CAPTURE(ns);
          CHECK(names_of(with) == names_of(without));
          CHECK(with.findings.size() == without.findings.size());
          CHECK(needs(indexed, workload).namespace_labels ==
                needs(plain, workload).namespace_labels);
          Facts unknown;
          evaluate(indexed, workload, unknown, with);
          evaluate(plain, workload, unknown, without);
          CHECK(with.decision() == without.decision());
        }
      }
    }
  }
}

}  // namespace belay::policy
