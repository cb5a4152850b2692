// One cause, one line: what is folded into what, and that folding changes no decision.
#include "policy/finding_order.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "tests/support/any_policy.h"
#include "tests/support/policy_builder.h"
#include "tests/support/workload_builder.h"

namespace belay::policy::testing {
namespace {

using enum RuleId;

Policy latest_and_format() {
  Policy policy = policy_with({kMutableTag, kEnvironmentTag});
  policy.rules.environment_tag->required = true;
  set_tag_format(policy, {"v{version}"});
  return policy;
}

const std::string kField = " spec.containers[0].image";

TEST_CASE("tag-format and environment-tag are folded into the line about a mutable tag") {
  const Policy policy = latest_and_format();
  CHECK(Evaluator(policy).brief(WorkloadBuilder::pod().container("web:latest")) ==
        Texts{"mutable-tag" + kField});
  // Another image, or a tag that does not move, has a line of its own.
  CHECK(Evaluator(policy).brief(
            WorkloadBuilder::pod().container("web:latest").container("web:x", "b")) ==
        Texts{"mutable-tag" + kField, "tag-format spec.containers[1].image",
              "environment-tag spec.containers[1].image"});
}

TEST_CASE("a finding is not folded into a laxer one, nor into one that is exempt") {
  Policy policy = latest_and_format();
  policy.rules.mutable_tag->mode = Mode::kWarn;
  const WorkloadBuilder pod = WorkloadBuilder::pod().container("web:latest");
  CHECK(Evaluator(policy).brief(pod) ==
        Texts{"mutable-tag" + kField, "tag-format" + kField, "environment-tag" + kField});
  policy.mode = Mode::kWarn;
  CHECK(Evaluator(policy).brief(pod) == Texts{"mutable-tag" + kField});
  policy.exemptions = {exemption({"docker.io"}, {kMutableTag})};
  CHECK(Evaluator(policy).brief(pod) == Texts{"tag-format" + kField, "environment-tag" + kField});
}

TEST_CASE("a finding that a changed label makes strict is not folded into an unchanged one") {
  Policy policy = latest_and_format();
  policy.rules.tag_format.reset();
  WorkloadBuilder pod = WorkloadBuilder::pod().container("web:latest").label("environment", "dev");
  pod.update().label("environment", "prod");
  const Evaluator evaluator(policy);
  CHECK(evaluator.brief(pod) == Texts{"mutable-tag" + kField, "environment-tag" + kField});
  CHECK(evaluator.decision(pod) == Decision::kDenied);
}

TEST_CASE("the line names the policies of what is folded into it") {
  Policy b = policy_with({kMutableTag}, "b");
  Policy a = policy_with({}, "a");
  set_tag_format(a, {"v{version}"});
  const Evaluator evaluator({a, b});
  const Verdict verdict = evaluator.evaluate(WorkloadBuilder::pod().container("web:latest"));
  REQUIRE(verdict.findings.size() == 1);
  CHECK(verdict.findings[0].policies == verdict.policies);
}

TEST_CASE("folding changes no decision") {
  // Findings are folded across rules of one set only, so two sets that share its rules decide
  // alike.
  CHECK(rc::check([] {
    std::vector<Policy> policies = {any_policy("a"), any_policy("b")};
    // It looks at the settings of those that are taken out.
    for (Policy& policy : policies) policy.rules.version_label.reset();
    std::vector<Policy> causes = policies;
    std::vector<Policy> effects = policies;
    for (Policy& policy : causes) {
      policy.rules.environment_tag.reset();
      policy.rules.tag_format.reset();
    }
    for (Policy& policy : effects) {
      policy.rules.mutable_tag.reset();
      policy.rules.tag_required.reset();
    }
    const std::vector<Label> labels = any_namespace_labels();
    const Workload workload = any_workload();
    const auto decision = [&](const std::vector<Policy>& set) {
      return Evaluator(set, labels).decision(workload);
    };
    const bool denied =
        decision(causes) == Decision::kDenied || decision(effects) == Decision::kDenied;
    RC_ASSERT((decision(policies) == Decision::kDenied) == denied);
  }));
}

}  // namespace
}  // namespace belay::policy::testing
