// namespace-environment: what it refuses of a namespace's update, who may pass, which namespaces a
// policy takes in, and that it and the rules of workloads leave each other alone.
#include <doctest/doctest.h>

#include "policy/notes.h"
#include "policy/policy_reader.h"
#include "tests/support/policy_builder.h"
#include "tests/support/workload_builder.h"

namespace belay::policy::testing {
namespace {

using enum RuleId;

/// An update of namespace shop, which is prod.
WorkloadBuilder prod_update() {
  return WorkloadBuilder::the_namespace().object_label("environment", "prod").update();
}
WorkloadBuilder prod_to(std::string_view value) {
  return prod_update().object_label("environment", value);
}

Policy locking() { return policy_with({kNamespaceEnvironment}); }

TEST_CASE("B13: a namespace's environment is neither changed nor removed once it is set") {
  Policy policy = locking();
  policy.rules.namespace_environment->break_glass_groups = {"platform-admins", "sre"};
  const Evaluator evaluator(policy);
  CHECK(
      evaluator.lines(prod_to("dev")) ==
      Texts{"namespace-environment  metadata.labels.environment: \"dev\" would replace \"prod\", "
            "and a namespace keeps its environment once it is set. Set environment: prod, or make "
            "a new namespace for dev; members of platform-admins or sre may change it"});
  CHECK(evaluator.lines(prod_update().remove_object_label("environment")) ==
        Texts{"namespace-environment  metadata.labels: the label \"environment\" (\"prod\") would "
              "be removed, and a namespace keeps its environment once it is set. Keep environment: "
              "prod; members of platform-admins or sre may change it"});
  CHECK(
      evaluator.lines(prod_to("")) ==
      Texts{"namespace-environment  metadata.labels.environment: \"\" would replace \"prod\", and "
            "a namespace keeps its environment once it is set. Keep environment: prod; members "
            "of platform-admins or sre may change it"});
  CHECK(evaluator.decision(prod_to("dev")) == Decision::kDenied);
}

TEST_CASE("a namespace that is made, gets its first environment or keeps it is let pass") {
  const Evaluator evaluator(locking());
  CHECK(evaluator.lines(WorkloadBuilder::the_namespace().object_label("environment", "prod"))
            .empty());
  CHECK(
      evaluator.lines(WorkloadBuilder::the_namespace().update().object_label("environment", "prod"))
          .empty());
  CHECK(evaluator
            .lines(WorkloadBuilder::the_namespace()
                       .object_label("environment", "")
                       .update()
                       .object_label("environment", "prod"))
            .empty());
  CHECK(evaluator.lines(prod_update()).empty());
  CHECK(evaluator.lines(prod_update().object_label("team", "b")).empty());
}

TEST_CASE("members of a break-glass group may change a namespace's environment, others not") {
  Policy policy = locking();
  CHECK_FALSE(Evaluator(policy).lines(prod_to("dev").by_member_of("system:masters")).empty());
  policy.rules.namespace_environment->break_glass_groups = {"platform-admins"};
  const Evaluator evaluator(policy);
  CHECK(
      evaluator.lines(prod_to("dev").by_member_of("dev").by_member_of("platform-admins")).empty());
  CHECK_FALSE(evaluator.lines(prod_to("dev").by_member_of("platform-admins2")).empty());
  CHECK_FALSE(evaluator.lines(prod_to("dev").by_member_of("Platform-Admins")).empty());
}

TEST_CASE("the label of namespace-environment is its own setting, or that of its neighbours") {
  const auto label_of = [](const std::string& rules) {
    const auto policy = read_policy(
        "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: p}\nspec:\n  rules: "
        "{" +
            rules + "}\n",
        {});
    REQUIRE(policy.has_value());
    return policy->rules.namespace_environment->namespace_label;
  };
  CHECK(label_of("namespaceEnvironment: {}") == "environment");
  CHECK(label_of("namespaceEnvironment: {}, environmentLabel: {label: stage}") == "stage");
  CHECK(label_of("namespaceEnvironment: {}, environmentLabel: {label: stage}, "
                 "environmentNamespace: {namespaceLabel: zone}") == "zone");
  CHECK(label_of("namespaceEnvironment: {namespaceLabel: corp/env}, "
                 "environmentNamespace: {namespaceLabel: zone}") == "corp/env");

  Policy policy = locking();
  policy.rules.namespace_environment->namespace_label = "corp/env";
  CHECK(Evaluator(policy).brief(WorkloadBuilder::the_namespace()
                                    .object_label("corp/env", "a")
                                    .update()
                                    .object_label("corp/env", "b")) ==
        Texts{"namespace-environment metadata.labels[corp/env]"});
  CHECK(Evaluator(policy).lines(prod_to("dev")).empty());
}

TEST_CASE("match takes a namespace in by its own name, and by its labels before and after") {
  Policy named = locking();
  restrict_to(named, {"shop", "team-*", "!team-x"});
  CHECK_FALSE(Evaluator(named).lines(prod_to("dev")).empty());
  const auto update_of = [](std::string_view name) {
    return WorkloadBuilder::the_namespace(name)
        .object_label("environment", "prod")
        .update()
        .object_label("environment", "dev");
  };
  CHECK_FALSE(Evaluator(named).lines(update_of("team-a")).empty());
  CHECK(Evaluator(named).lines(update_of("team-x")).empty());
  CHECK(Evaluator(named).lines(update_of("other")).empty());

  Policy selecting = locking();
  selecting.match.namespace_selector = selector("environment", "prod");
  // Out of the selection, and into it, in the request that changes the label itself.
  CHECK_FALSE(Evaluator(selecting).lines(prod_to("dev")).empty());
  CHECK_FALSE(Evaluator(selecting).lines(prod_update().remove_object_label("environment")).empty());
  CHECK_FALSE(Evaluator(selecting)
                  .lines(WorkloadBuilder::the_namespace()
                             .object_label("environment", "dev")
                             .update()
                             .object_label("environment", "prod"))
                  .empty());
  CHECK(Evaluator(selecting)
            .lines(WorkloadBuilder::the_namespace()
                       .object_label("environment", "dev")
                       .update()
                       .object_label("environment", "test"))
            .empty());

  Policy other = locking();
  other.match.namespace_selector = selector("locked", "true");
  CHECK_FALSE(Evaluator(other)
                  .lines(WorkloadBuilder::the_namespace()
                             .object_label("environment", "prod")
                             .object_label("locked", "true")
                             .update()
                             .object_label("environment", "dev")
                             .remove_object_label("locked"))
                  .empty());
  // What the cluster's cache says of the namespace plays no part, nor that it says nothing.
  CHECK(Evaluator(other, {{"locked", "true"}}).lines(prod_to("dev")).empty());
  CHECK(Evaluator(selecting).without_namespace_labels().decision(prod_to("dev")) ==
        Decision::kDenied);
}

TEST_CASE("a tenant's policy locks the tenant's own namespace only") {
  Policy policy = locking();
  policy.only_namespace = "shop";
  CHECK_FALSE(Evaluator(policy).lines(prod_to("dev")).empty());
  policy.only_namespace = "other";
  CHECK(Evaluator(policy).lines(prod_to("dev")).empty());
}

TEST_CASE("an exemption that names the rule covers the namespaces it names, until it expires") {
  Policy policy = locking();
  policy.exemptions = {exemption({"*"}, {kNamespaceEnvironment})};
  policy.exemptions[0].namespaces = name_globs({"legacy-*", "shop"});
  CHECK(Evaluator(policy).lines(prod_to("dev")).empty());
  policy.exemptions[0].expires = kToday;
  const Evaluator expired(policy);
  const Verdict verdict = expired.evaluate(prod_to("dev"));
  CHECK(verdict.findings.size() == 1);
  CHECK(verdict.expired.size() == 1);
  policy.exemptions[0].expires.reset();
  policy.exemptions[0].namespaces = name_globs({"legacy-*"});
  CHECK_FALSE(Evaluator(policy).lines(prod_to("dev")).empty());
  // Passing images over says nothing about namespaces.
  policy.exemptions = {exemption({"*"})};
  CHECK_FALSE(Evaluator(policy).lines(prod_to("dev")).empty());
}

TEST_CASE("rules of workloads never evaluate a namespace, nor namespace-environment a workload") {
  Policy all;
  all.name = "all";
  for (const RuleType& type : rule_types()) {
    if (!type.key.empty()) turn_on(all, type.id);
  }
  const Evaluator evaluator(all, {{"environment", "test"}});
  CHECK(evaluator.brief(prod_to("dev")) ==
        Texts{"namespace-environment metadata.labels.environment"});
  CHECK(evaluator.lines(prod_update()).empty());
  const auto deployment = WorkloadBuilder::deployment()
                              .container("nginx:latest")
                              .object_label("environment", "prod")
                              .update()
                              .object_label("environment", "dev")
                              .image("web", "nginx:edge");
  const Texts found = evaluator.brief(deployment);
  CHECK_FALSE(found.empty());
  for (const std::string& finding : found) {
    CHECK_FALSE(finding.starts_with("namespace-environment"));
  }
  // A policy without a rule for namespaces has no part in the verdict.
  CHECK(Evaluator(policy_with({kTagRequired})).evaluate(prod_to("dev")).policies.empty());
}

TEST_CASE(
    "a refused change of a namespace is reported with the namespace's name and the policy's") {
  Policy policy = locking();
  policy.source = {PolicySource::Kind::kConfigMap, "belay-system/production"};
  policy.help_url = "https://platform.example/images";
  const auto update = prod_to("dev");
  const Evaluator evaluator(policy);
  CHECK(denial_message(update, evaluator.evaluate(update)) ==
        "Namespace shop: 1 problem, policy \"production\"\n"
        "  namespace-environment  metadata.labels.environment: \"dev\" would replace \"prod\", and "
        "a namespace keeps its environment once it is set. Set environment: prod, or make a new "
        "namespace for dev\n"
        "Policy: ConfigMap belay-system/production   Help: https://platform.example/images");
}

TEST_CASE("modes of namespace-environment warn and count as those of other rules") {
  Policy policy = locking();
  policy.rules.namespace_environment->mode = Mode::kWarn;
  const Evaluator evaluator(policy);
  const Verdict verdict = evaluator.evaluate(prod_to("dev"));
  CHECK(verdict.decision() == Decision::kAllowed);
  CHECK(warnings(prod_to("dev"), verdict).size() == 1);
}

TEST_CASE("a break-glass group that everyone is in is reported") {
  Policy policy = locking();
  CHECK(policy_notes(policy, kToday).empty());
  policy.rules.namespace_environment->break_glass_groups = {"system:authenticated"};
  CHECK(policy_notes(policy, kToday) ==
        Texts{"namespaceEnvironment has no effect: everyone is in group system:authenticated"});
}

}  // namespace
}  // namespace belay::policy::testing
