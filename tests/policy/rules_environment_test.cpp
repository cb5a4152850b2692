// environment-label, environment-namespace, environment-tag, version-label and required-labels:
// what each refuses, what it says, what its settings change.
#include <doctest/doctest.h>
#include <re2/re2.h>

#include "tests/support/policy_builder.h"
#include "tests/support/workload_builder.h"

namespace belay::policy::testing {
namespace {

using enum RuleId;

WorkloadBuilder deployment() { return WorkloadBuilder::deployment().container("shop/web:v1.4.2"); }
WorkloadBuilder in_environment(std::string_view value) {
  return deployment().label("environment", value);
}
WorkloadBuilder tagged(std::string_view image, std::string_view environment) {
  return WorkloadBuilder::deployment().container(image).label("environment", environment);
}

TEST_CASE("environment-label refuses a missing label and a value outside the list") {
  Policy policy = policy_with({kEnvironmentLabel});
  const Evaluator evaluator(policy);
  for (const char* value : {"dev", "test", "prod"}) {
    CHECK(evaluator.lines(in_environment(value)).empty());
  }
  CHECK(evaluator.lines(deployment()) ==
        Texts{"environment-label  spec.template.metadata.labels: the label \"environment\" is "
              "missing. Add environment: dev, test or prod"});
  CHECK(evaluator.lines(in_environment("Production")) ==
        Texts{"environment-label  spec.template.metadata.labels.environment: \"Production\" is not "
              "a known environment. Set environment: prod"});
  CHECK(evaluator.lines(in_environment("")) ==
        Texts{"environment-label  spec.template.metadata.labels.environment: \"\" is not a known "
              "environment. Set environment: dev, test or prod"});
  // A label of the object itself is not the pod's.
  CHECK_FALSE(evaluator.lines(deployment().object_label("environment", "dev")).empty());
}

TEST_CASE("environment-label: label and values are settings") {
  Policy policy = policy_with({kEnvironmentLabel});
  policy.rules.environment_label->label = "example.com/stage";
  policy.rules.environment_label->values = {"qa"};
  const Evaluator evaluator(policy);
  CHECK(evaluator.lines(deployment().label("example.com/stage", "qa")).empty());
  CHECK(evaluator.lines(deployment().label("example.com/stage", "prod")) ==
        Texts{"environment-label  spec.template.metadata.labels[example.com/stage]: \"prod\" is "
              "not a known environment. Set example.com/stage: qa"});
  CHECK_FALSE(evaluator.lines(in_environment("qa")).empty());
}

TEST_CASE("environment-namespace requires pod and namespace label to match") {
  const Policy policy = policy_with({kEnvironmentNamespace});
  const Evaluator prod(policy, {{"environment", "prod"}});
  CHECK(prod.lines(in_environment("prod")).empty());
  CHECK(
      prod.lines(in_environment("dev")) ==
      Texts{"environment-namespace  spec.template.metadata.labels.environment: \"dev\" does not "
            "match namespace \"shop\" (environment \"prod\"). Set environment: prod, or deploy to "
            "a namespace for dev"});
  CHECK(
      prod.lines(in_environment("")) ==
      Texts{"environment-namespace  spec.template.metadata.labels.environment: \"\" does not "
            "match namespace \"shop\" (environment \"prod\"). Set environment: prod, or deploy to "
            "a namespace for another environment"});
}

TEST_CASE("environment-namespace advises no namespace for an environment that there is not") {
  const Policy policy = policy_with({kEnvironmentLabel, kEnvironmentNamespace});
  const Evaluator prod(policy, {{"environment", "prod"}});
  const Texts unknown = prod.lines(in_environment("Production"));
  REQUIRE(unknown.size() == 2);
  CHECK(unknown[1].ends_with(". Set environment: prod"));
  CHECK(prod.lines(in_environment("dev"))[0].ends_with(", or deploy to a namespace for dev"));
}

TEST_CASE("environment-namespace refuses a pod without label where the namespace has one") {
  Policy policy = policy_with({kEnvironmentNamespace});
  CHECK(Evaluator(policy, {{"environment", "prod"}}).lines(deployment()) ==
        Texts{"environment-namespace  spec.template.metadata.labels: the label \"environment\" is "
              "missing in namespace \"shop\" (environment \"prod\"). Add environment: prod"});
  CHECK(Evaluator(policy).lines(deployment()).empty());
  CHECK(Evaluator(policy, {{"environment", ""}}).lines(deployment()).empty());
}

TEST_CASE("environment-namespace is silent on a missing label that environment-label reports") {
  Policy policy = policy_with({kEnvironmentLabel, kEnvironmentNamespace});
  const std::vector<Label> prod = {{"environment", "prod"}, {"stage", "prod"}};
  CHECK(Evaluator(policy, prod).brief(deployment()) ==
        Texts{"environment-label spec.template.metadata.labels"});
  policy.rules.environment_namespace->label = "stage";  // another label: both speak
  CHECK(Evaluator(policy, prod).brief(deployment()) ==
        Texts{"environment-label spec.template.metadata.labels",
              "environment-namespace spec.template.metadata.labels"});
}

TEST_CASE("environment-namespace keeps protected environments out of namespaces without one") {
  Policy policy = policy_with({kEnvironmentNamespace});
  CHECK(Evaluator(policy).lines(in_environment("prod")) ==
        Texts{"environment-namespace  spec.template.metadata.labels.environment: \"prod\" needs a "
              "namespace with the same environment, but namespace \"shop\" has none. Set "
              "environment: dev or test, or deploy to a namespace for prod"});
  CHECK(Evaluator(policy).lines(in_environment("dev")).empty());
  policy.rules.environment_namespace->protected_environments = {"dev"};
  CHECK(Evaluator(policy).lines(in_environment("prod")).empty());
  CHECK_FALSE(Evaluator(policy).lines(in_environment("dev")).empty());
}

TEST_CASE("environment-namespace: a name says the environment where the label is silent") {
  Policy policy = policy_with({kEnvironmentNamespace});
  policy.rules.environment_namespace->namespaces = {{"prod", name_globs({"prod-*", "shop"})},
                                                    {"dev", name_globs({"dev-*", "d*"})}};
  CHECK(Evaluator(policy).lines(in_environment("prod")).empty());
  CHECK_FALSE(Evaluator(policy).lines(in_environment("dev")).empty());
  CHECK(Evaluator(policy).lines(in_environment("dev").in("dev-1")).empty());
  CHECK(Evaluator(policy).lines(in_environment("test").in("other")).empty());
}

TEST_CASE("environment-namespace: a namespace whose label and name differ is a finding") {
  Policy policy = policy_with({kEnvironmentNamespace});
  policy.rules.environment_namespace->namespaces = {{"prod", name_globs({"shop*"})},
                                                    {"test", name_globs({"*op"})}};
  const Evaluator dev(policy, {{"environment", "dev"}});
  CHECK(dev.lines(in_environment("dev")) ==
        Texts{"environment-namespace  metadata.namespace: namespace \"shop\" has environment "
              "\"dev\" by its label and \"prod\" by its name. Set the namespace's label to match "
              "its name"});
  // A name that fits several environments contradicts none of them.
  CHECK(Evaluator(policy, {{"environment", "test"}}).lines(in_environment("test")).empty());
  CHECK(dev.decision(in_environment("dev").update()) == Decision::kAllowed);
  CHECK(dev.decision(in_environment("test").update().label("environment", "dev")) ==
        Decision::kDenied);
}

TEST_CASE("environment-namespace: labels of pod and namespace are settings with their defaults") {
  Policy policy = policy_with({kEnvironmentLabel, kEnvironmentNamespace});
  policy.rules.environment_label->label = "env";  // the default of both
  const auto evaluated = [&](std::vector<Label> ns) {
    return Evaluator(policy, std::move(ns))
        .lines(deployment().label("env", "dev").label("e", "test"));
  };
  CHECK(evaluated({{"env", "dev"}}).empty());
  CHECK_FALSE(evaluated({{"env", "prod"}}).empty());
  policy.rules.environment_namespace->namespace_label = "stage";
  CHECK(evaluated({{"env", "prod"}, {"stage", "dev"}}).empty());
  policy.rules.environment_namespace->label = "e";
  CHECK_FALSE(evaluated({{"stage", "dev"}}).empty());
  CHECK(evaluated({{"stage", "test"}}).empty());
}

Policy with_suffixes() {
  Policy policy = policy_with({kEnvironmentTag});
  policy.rules.environment_tag->suffixes = {
      {"prod", {"-prod"}}, {"test", {"-staging", "-test"}}, {"dev", {"-dev"}}};
  return policy;
}

TEST_CASE("environment-tag refuses a tag whose suffix is another environment's") {
  const Policy policy = with_suffixes();
  const Evaluator evaluator(policy);
  CHECK(evaluator.lines(tagged("shop/web:v1-prod", "prod")).empty());
  CHECK(evaluator.lines(tagged("shop/web:v1-staging", "test")).empty());
  CHECK(evaluator.lines(tagged("shop/web:v1-test", "test")).empty());
  CHECK(evaluator.lines(tagged("shop/web:v1", "prod")).empty());  // names none
  CHECK(evaluator.lines(tagged("shop/web", "prod")).empty());     // no tag
  CHECK(evaluator.lines(deployment()).empty());                   // no environment
  CHECK(
      evaluator.lines(tagged("shop/web:v1-staging", "prod")) ==
      Texts{
          "environment-tag  spec.template.spec.containers[0].image (web): "
          "\"shop/web:v1-staging\" has a tag for environment \"test\" (\"-staging\"), but the "
          "pod has environment \"prod\". Use an image for prod, such as shop/web:<version>-prod"});
  CHECK_FALSE(evaluator.lines(tagged("shop/web:v1-prod", "qa")).empty());
}

TEST_CASE("environment-tag: the longest suffix decides, and environments may share one") {
  Policy policy = policy_with({kEnvironmentTag});
  policy.rules.environment_tag->suffixes = {
      {"prod", {"-prod"}}, {"test", {"-non-prod", "-rc"}}, {"dev", {"-rc"}}};
  const Evaluator evaluator(policy);
  CHECK(evaluator.lines(tagged("shop/web:v1-non-prod", "test")).empty());
  CHECK_FALSE(evaluator.lines(tagged("shop/web:v1-non-prod", "prod")).empty());
  CHECK(evaluator.lines(tagged("shop/web:v1-rc", "test")).empty());
  CHECK(evaluator.lines(tagged("shop/web:v1-rc", "dev")).empty());
  CHECK_FALSE(evaluator.lines(tagged("shop/web:v1-rc", "prod")).empty());
}

TEST_CASE("environment-tag reads {environment} of the templates, words of suffixes included") {
  Policy policy = policy_with({kEnvironmentTag});
  policy.rules.environment_tag->suffixes = {{"test", {"_staging"}}};
  set_tag_format(policy, {"{environment}-v{version}", "v{version}"});
  const Evaluator evaluator(policy);
  CHECK(evaluator.lines(tagged("shop/web:prod-v1.4.2", "prod")).empty());
  CHECK(evaluator.lines(tagged("shop/web:staging-v1.4.2", "test")).empty());
  CHECK(evaluator.lines(tagged("shop/web:v1.4.2", "prod")).empty());
  CHECK(evaluator.lines(tagged("shop/web:staging-v1.4.2", "prod")) ==
        Texts{"environment-tag  spec.template.spec.containers[0].image (web): "
              "\"shop/web:staging-v1.4.2\" has a tag for environment \"test\" (\"staging\"), but "
              "the pod has environment \"prod\". Use an image for prod, such as "
              "shop/web:prod-v<version>"});
  CHECK_FALSE(evaluator.lines(tagged("shop/web:dev-v1.4.2", "prod")).empty());
  // Templates that don't evaluate an image say nothing about it.
  policy.rules.tag_format->images = repositories({"quay.io"});
  CHECK(Evaluator(policy).lines(tagged("shop/web:dev-v1.4.2", "prod")).empty());
}

TEST_CASE("environment-tag: a template that fits in several ways is accepted") {
  Policy policy = policy_with({kEnvironmentTag});
  set_tag_format(policy, {"{name}-{environment}-{any}"});
  const Evaluator evaluator(policy);
  CHECK(evaluator.lines(tagged("shop/web:a-dev-prod-1", "dev")).empty());
  CHECK(evaluator.lines(tagged("shop/web:a-dev-prod-1", "prod")).empty());
  CHECK_FALSE(evaluator.lines(tagged("shop/web:a-dev-prod-1", "test")).empty());
}

TEST_CASE("environment-tag: suffix and template must both suit where both speak") {
  Policy policy = with_suffixes();
  set_tag_format(policy, {"{environment}-{any}"});
  const Evaluator evaluator(policy);
  CHECK(evaluator.lines(tagged("shop/web:prod-1-prod", "prod")).empty());
  CHECK_FALSE(evaluator.lines(tagged("shop/web:prod-1-dev", "prod")).empty());
  CHECK_FALSE(evaluator.lines(tagged("shop/web:prod-1-dev", "dev")).empty());
}

TEST_CASE("environment-tag: required refuses tags that name no environment") {
  Policy policy = with_suffixes();
  policy.rules.environment_tag->required = true;
  CHECK(Evaluator(policy).lines(tagged("shop/web:v1", "prod")) ==
        Texts{"environment-tag  spec.template.spec.containers[0].image (web): \"shop/web:v1\" has "
              "a tag that names no environment. Use a tag that names one, such as "
              "shop/web:<version>-prod"});
  CHECK(Evaluator(policy).lines(tagged("shop/web:v1-prod", "prod")).empty());
  CHECK(Evaluator(policy).lines(deployment().image("web", "shop/web:v1-prod")).empty());
}

TEST_CASE("environment-tag: label names the pod's label") {
  Policy policy = with_suffixes();
  policy.rules.environment_tag->label = "stage";
  CHECK(Evaluator(policy).lines(tagged("shop/web:v1-dev", "prod")).empty());
  CHECK_FALSE(
      Evaluator(policy).lines(tagged("shop/web:v1-dev", "dev").label("stage", "prod")).empty());
}

TEST_CASE("environment-tag evaluates an UPDATE when the image or the label changed") {
  const Policy policy = with_suffixes();
  const Evaluator evaluator(policy);
  WorkloadBuilder old = tagged("shop/web:v1-dev", "prod");
  CHECK(evaluator.decision(old) == Decision::kDenied);
  CHECK(evaluator.decision(old.update()) == Decision::kAllowed);
  CHECK(evaluator.decision(old.image("web", "shop/web:v2-dev")) == Decision::kDenied);
  CHECK(
      evaluator.decision(tagged("shop/web:v1-dev", "dev").update().label("environment", "prod")) ==
      Decision::kDenied);
}

constexpr const char* kVersionLabelKey = "app.kubernetes.io/version";
WorkloadBuilder versioned(std::string_view image, std::string_view version) {
  return WorkloadBuilder::deployment().container(image).label(kVersionLabelKey, version);
}

TEST_CASE("version-label refuses a label that contradicts the tag") {
  const Policy policy = policy_with({kVersionLabel});
  const Evaluator evaluator(policy);
  CHECK(evaluator.lines(versioned("shop/web:v1.4.2", "1.4.2")).empty());
  CHECK(evaluator.lines(versioned("shop/web:1.4.2", "v1.4.2")).empty());
  CHECK(
      evaluator.lines(versioned("shop/web:banana", "1.4.2")).empty());  // no version to contradict
  CHECK(evaluator.lines(versioned("shop/web", "1.4.2")).empty());
  CHECK(evaluator.lines(deployment()).empty());  // no label, and none is required
  CHECK(evaluator.lines(versioned("shop/web:v1.4.2", "1.4.1")) ==
        Texts{"version-label  spec.template.metadata.labels[app.kubernetes.io/version]: \"1.4.1\" "
              "does not match tag \"v1.4.2\" of container \"web\". Set app.kubernetes.io/version: "
              "1.4.2, or use the image of version 1.4.1"});
  CHECK_FALSE(evaluator.lines(versioned("shop/web:v1.4.2-rc.1", "1.4.2")).empty());
  CHECK_FALSE(evaluator.lines(versioned("shop/web:v1.4.2", "vanilla")).empty());
  CHECK_FALSE(evaluator.lines(versioned("shop/web:v1.4.2", "")).empty());
}

TEST_CASE("version-label reads {version} of the templates that evaluate the image") {
  Policy policy = policy_with({kVersionLabel});
  set_tag_format(policy, {"{date}", "{name}-v{version}-{environment}", "v{version}-{any}"});
  const Evaluator evaluator(policy);
  CHECK(evaluator.lines(versioned("shop/web:web-v1.4.2-prod", "1.4.2")).empty());
  CHECK_FALSE(evaluator.lines(versioned("shop/web:web-v1.4.2-prod", "1.4.3")).empty());
  CHECK(evaluator.lines(versioned("shop/web:20250405", "1.4.2")).empty());
  CHECK(evaluator.brief(versioned("shop/web:1.4.3", "1.4.2")) ==
        Texts{"tag-format spec.template.spec.containers[0].image"});
  // Several ways to fit: any of them may be the label's.
  CHECK(evaluator.lines(versioned("shop/web:v1.4.2-rc1-x", "1.4.2")).empty());
  CHECK(evaluator.lines(versioned("shop/web:v1.4.2-rc1-x", "1.4.2-rc1")).empty());
  policy.rules.tag_format->images = repositories({"quay.io"});
  CHECK_FALSE(Evaluator(policy).lines(versioned("shop/web:1.4.3", "1.4.2")).empty());
}

TEST_CASE("version-label leaves the suffix of an environment out of the version") {
  Policy policy = with_suffixes();
  turn_on(policy, kVersionLabel);
  const Evaluator evaluator(policy);
  CHECK(evaluator.lines(versioned("shop/web:v1.4.2-prod", "1.4.2")).empty());
  CHECK(evaluator.lines(versioned("shop/web:v1.4.2-prod", "1.4.2-prod")).empty());
  CHECK(evaluator.brief(versioned("shop/web:v1.4.2-prod", "1.4.1")).size() == 1);
  CHECK(evaluator.lines(versioned("shop/web:latest-prod", "1.4.1")).empty());
}

TEST_CASE("version-label: one of several containers must agree; the others have no say") {
  const Evaluator evaluator(policy_with({kVersionLabel}));
  WorkloadBuilder workload = versioned("mesh/proxy:1.20.1", "1.4.2").container("web:v1.4.2", "b");
  CHECK(evaluator.lines(workload).empty());
  CHECK(evaluator.evaluate(workload.image("b", "web:v1.4.3")).findings.at(0).problem ==
        "does not match tag \"1.20.1\" of container \"web\"");
  CHECK(evaluator
            .lines(WorkloadBuilder::deployment()
                       .label(kVersionLabelKey, "1.4.2")
                       .init_container("setup:3.0.0")
                       .volume("model:4.0.0"))
            .empty());
}

TEST_CASE("version-label: label and required are settings") {
  Policy policy = policy_with({kVersionLabel});
  policy.rules.version_label->required = true;
  CHECK(Evaluator(policy).lines(deployment()) ==
        Texts{"version-label  spec.template.metadata.labels: the label "
              "\"app.kubernetes.io/version\" is missing. Add app.kubernetes.io/version: 1.4.2"});
  CHECK(Evaluator(policy)
            .evaluate(WorkloadBuilder::deployment().container("web"))
            .findings.at(0)
            .fix.changes.at(0)
            .value == "<version>");
  policy.rules.version_label->label = "version";
  CHECK(Evaluator(policy).lines(deployment().label("version", "1.4.2")).empty());
}

TEST_CASE("version-label evaluates an UPDATE when the image or the label changed") {
  const Evaluator evaluator(policy_with({kVersionLabel}));
  WorkloadBuilder workload = versioned("web:v1.4.2", "1.4.1");
  CHECK(evaluator.decision(workload.update()) == Decision::kAllowed);
  CHECK(evaluator.decision(workload.image("web", "web:v1.4.3")) == Decision::kDenied);
  CHECK(
      evaluator.decision(versioned("web:v1.4.2", "1.4.2").update().label(kVersionLabelKey, "1")) ==
      Decision::kDenied);
}

TEST_CASE("version-label: an UPDATE that takes the agreeing image away is evaluated") {
  const Evaluator evaluator(policy_with({kVersionLabel}));
  const auto agreed = [] {
    return versioned("web:v1.4.2", "1.4.2").container("mesh/proxy:v1.20.1", "proxy").update();
  };
  CHECK(evaluator.decision(agreed()) == Decision::kAllowed);
  CHECK(evaluator.decision(agreed().image("web", "web:v1.4.3")) == Decision::kDenied);
  CHECK(evaluator.decision(agreed().image("web", "web:banana")) == Decision::kDenied);
  CHECK(evaluator.decision(agreed().no_images().container("mesh/proxy:v1.20.1", "proxy")) ==
        Decision::kDenied);
}

ValueConstraint values(Texts list) { return {.values = std::move(list)}; }
ValueConstraint pattern(const std::string& text) {
  return {.pattern = text, .compiled = std::make_shared<const re2::RE2>(text)};
}

TEST_CASE("required-labels asks for keys, values of a list, or a pattern over the whole value") {
  Policy policy = policy_with({kRequiredLabels});
  policy.rules.required_labels->labels = {
      {"owner", {}}, {"domain", values({"shop", "search"})}, {"cost", pattern("[0-9]{4}")}};
  const Evaluator evaluator(policy);
  CHECK(
      evaluator.lines(deployment().label("owner", "").label("domain", "shop").label("cost", "0042"))
          .empty());
  CHECK(evaluator.lines(deployment()) ==
        Texts{"required-labels  spec.template.metadata.labels: the label \"owner\" is missing. Add "
              "owner: <value>",
              "required-labels  spec.template.metadata.labels: the label \"domain\" is missing. "
              "Add domain: shop or search",
              "required-labels  spec.template.metadata.labels: the label \"cost\" is missing. Add "
              "cost: <a value that matches [0-9]{4}>"});
  CHECK(evaluator.lines(
            deployment().label("owner", "x").label("domain", "hr").label("cost", "x0042")) ==
        Texts{"required-labels  spec.template.metadata.labels.domain: \"hr\" is not an allowed "
              "value of the label. Set domain: shop or search",
              "required-labels  spec.template.metadata.labels.cost: \"x0042\" does not match the "
              "pattern [0-9]{4}. Set cost: <a value that matches [0-9]{4}>"});
}

TEST_CASE("required-labels: on chooses the pod's labels, the object's, or both") {
  Policy policy = policy_with({kRequiredLabels});
  policy.rules.required_labels->labels = {{"owner", values({"a"})}};
  const auto brief = [&](LabelsOn on, const Workload& workload) {
    policy.rules.required_labels->on = on;
    return Evaluator(policy).brief(workload);
  };
  const WorkloadBuilder workload = deployment().object_label("owner", "b");
  const std::string of_pod = "required-labels spec.template.metadata.labels";
  const std::string of_object = "required-labels metadata.labels.owner";
  CHECK(brief(LabelsOn::kPod, workload) == Texts{of_pod});
  CHECK(brief(LabelsOn::kObject, workload) == Texts{of_object});
  CHECK(brief(LabelsOn::kBoth, workload) == Texts{of_pod, of_object});
  CHECK(brief(LabelsOn::kObject, deployment()) == Texts{"required-labels metadata.labels"});
  // A Pod's labels are both.
  const WorkloadBuilder pod = WorkloadBuilder::pod().container("a:1").label("owner", "b");
  CHECK(brief(LabelsOn::kObject, pod) == Texts{of_object});
  CHECK(brief(LabelsOn::kBoth, pod) == Texts{of_object});
}

TEST_CASE("required-labels evaluates an UPDATE label by label") {
  Policy policy = policy_with({kRequiredLabels});
  policy.rules.required_labels->labels = {{"owner", {}}, {"domain", values({"a"})}};
  policy.rules.required_labels->on = LabelsOn::kBoth;
  const Evaluator evaluator(policy);
  WorkloadBuilder workload = deployment().object_label("owner", "x").object_label("domain", "b");
  CHECK(evaluator.evaluate(workload.update()).count(Mode::kEnforce) == 0);
  CHECK(evaluator.evaluate(workload.object_label("domain", "c")).count(Mode::kEnforce) == 1);
  CHECK(evaluator.evaluate(workload.label("domain", "c")).count(Mode::kEnforce) == 2);
}

}  // namespace
}  // namespace belay::policy::testing
