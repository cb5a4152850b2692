// Fixes work: an object that is changed as its denial says is admitted by all policies in force, or
// the denial says that no single change is enough.
#include "policy/remedy.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "policy/fix_text.h"
#include "policy/gaps.h"
#include "tests/support/any_policy.h"
#include "tests/support/policy_builder.h"
#include "tests/support/workload_builder.h"

namespace belay::policy::testing {
namespace {

using enum RuleId;

/// What a person writes into gaps: not what belay tried.
std::string filled(std::string_view form) {
  return fill_gaps(form, [](std::string_view gap) -> std::string_view {
    static const std::map<std::string_view, std::string_view> kValues = {
        {"version", "2.0.17"},
        {"date", "20260102"},
        {"commit", "abcdef0"},
        {"name", "vision"},
        {"number", "7"},
        {"text", "z9"},
        {"registry", "mirror.example:5000"},
        {"repository", "shopfront"},
        {"64 hex digits", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
        {"value", "team-x"},
        {"a value that matches [0-9]{4}", "1234"}};
    const auto found = kValues.find(gap);
    return found == kValues.end() ? std::string_view() : found->second;
  });
}

void set_label(std::vector<Label>& labels, std::string_view key, std::string_view value) {
  for (Label& label : labels) {
    if (label.key != key) continue;
    label.value = value;
    return;
  }
  labels.push_back({key, value});
}

void apply(const Target& target, std::string_view form, Workload& workload) {
  const std::string_view value = kept(filled(form));
  if (target.kind == Target::Kind::kImage) {
    workload.pod.images.at(target.image).image = value;
    return;
  }
  const std::string_view key = kept(target.key);
  if (target.kind == Target::Kind::kPodLabel || workload.is_pod) {
    set_label(workload.pod.labels, key, value);
  }
  if (target.kind == Target::Kind::kObjectLabel || workload.is_pod) {
    set_label(workload.labels, key, value);
  }
}

/// The findings that deny.
std::vector<Finding> denying(const Verdict& verdict) {
  std::vector<Finding> found;
  for (const Finding& finding : verdict.findings) {
    if (finding.effective_mode() == Mode::kEnforce) found.push_back(finding);
  }
  return found;
}

/// The object after every fix of a denial, one of them perhaps replaced by an alternative of its.
Workload fixed(Workload workload, const std::vector<Finding>& denial,
               const Finding* with_alternative = nullptr, std::string_view alternative = {}) {
  for (const Finding& finding : denial) {
    for (const Change& change : finding.fix.changes) apply(change.target, change.value, workload);
  }
  if (with_alternative != nullptr) {
    apply(with_alternative->fix.changes.at(0).target, alternative, workload);
  }
  return workload;
}

std::string shown(const Workload& workload, const Verdict& verdict) {
  std::ostringstream out;
  for (const Label& label : workload.pod.labels) out << label.key << "=" << label.value << " ";
  for (const ImageField& field : workload.pod.images) out << "[" << field.image << "] ";
  for (const Finding& finding : verdict.findings) {
    out << "\n  " << name_of(finding.effective_mode()) << " " << finding_line(finding, true);
  }
  return out.str();
}

/// Whether the fixes of a denial are as they should be, or what is wrong with them.
std::string problem_with_fixes(const Evaluator& evaluator, const Workload& workload) {
  const Verdict verdict = evaluator.evaluate(workload);
  const std::vector<Finding> denial = denying(verdict);
  bool elsewhere = false;
  for (const Finding& finding : denial) {
    const std::string text = fix_text(finding);
    if (!finding.fix.obstacle.empty()) {
      return text.find("no single change") == std::string::npos ? "hides the obstacle" : "";
    }
    elsewhere = elsewhere || finding.fix.elsewhere;
    if (finding.fix.elsewhere != finding.fix.changes.empty()) return "no change: " + text;
    for (const Change& change : finding.fix.changes) {
      if (text.find(change.value) == std::string::npos) return "change not shown: " + text;
    }
  }
  const auto refused = [&](const Workload& changed) -> std::string {
    const Verdict after = evaluator.evaluate(changed);
    for (const Finding& finding : denying(after)) {
      if (elsewhere && finding.fix.elsewhere) continue;
      return "refused: " + shown(changed, after);
    }
    return {};
  };
  if (std::string wrong = refused(fixed(workload, denial)); !wrong.empty()) return wrong;
  for (const Finding& finding : denial) {
    for (const std::string& alternative : finding.fix.alternatives) {
      std::string wrong = refused(fixed(workload, denial, &finding, alternative));
      if (!wrong.empty()) return "alternative " + alternative + " " + wrong;
    }
  }
  return {};
}

TEST_CASE("an object with every fix of its denial is admitted by all policies in force") {
  CHECK(rc::check([] {
    std::vector<Policy> policies;
    const int count = *rc::gen::inRange(1, 4);
    for (int i = 0; i < count; ++i) policies.push_back(any_policy(std::string(1, char('a' + i))));
    const Evaluator evaluator(policies, any_namespace_labels());
    for (int object = 0; object < 5; ++object) {
      const Workload workload = any_workload();
      const std::string wrong = problem_with_fixes(evaluator, workload);
      if (!wrong.empty()) RC_FAIL(shown(workload, evaluator.evaluate(workload)) + "\n" + wrong);
    }
  }));
}

TEST_CASE("no fix offers a tag that nobody wrote") {
  CHECK(rc::check([] {
    const Evaluator evaluator({any_policy("a"), any_policy("b")}, any_namespace_labels());
    const Workload workload = any_workload();
    for (const Finding& finding : evaluator.evaluate(workload).findings) {
      for (const Change& change : finding.fix.changes) {
        if (change.target.kind != Target::Kind::kImage) continue;
        if (change.value.find('<') != std::string::npos) continue;
        const auto reference = parse_image_reference(change.value);
        RC_ASSERT(reference.has_value());
        const std::string_view before = workload.pod.images.at(change.target.image).image;
        RC_ASSERT(before.find(reference->tag) != std::string_view::npos);
        RC_ASSERT(before.find(reference->digest) != std::string_view::npos);
      }
    }
  }));
}

/// Lines of the findings that deny.
Texts lines(const Evaluator& evaluator, const Workload& workload) {
  Texts lines;
  for (const Finding& finding : denying(evaluator.evaluate(workload))) {
    lines.push_back(finding_line(finding, false));
  }
  return lines;
}

Policy with_suffixes() {
  Policy policy = policy_with({kEnvironmentNamespace, kEnvironmentTag});
  policy.rules.environment_tag->suffixes = {{"prod", {"-prod"}}, {"dev", {"-dev"}}};
  return policy;
}

TEST_CASE(
    "a label that has to change takes the images with it, and they are left alone if it does") {
  const Evaluator evaluator(with_suffixes(), {{"environment", "prod"}});
  const auto labelled = [](std::string_view image) {
    return WorkloadBuilder::deployment().container(image).label("environment", "dev");
  };
  const std::string label =
      "environment-namespace  spec.template.metadata.labels.environment: \"dev\" does not match "
      "namespace \"shop\" (environment \"prod\"). Set environment: prod";
  CHECK(lines(evaluator, labelled("web:v1.4.2-dev")) ==
        Texts{label +
              ", and use web:<version>-prod in spec.template.spec.containers[0].image, or deploy "
              "to a namespace for dev"});
  CHECK(lines(evaluator, labelled("web:v1.4.2-prod")) ==
        Texts{label + ", or deploy to a namespace for dev",
              "environment-tag  spec.template.spec.containers[0].image (web): \"web:v1.4.2-prod\" "
              "has a tag for environment \"prod\" (\"-prod\"), but the pod has environment "
              "\"dev\". Set environment: prod"});
}

TEST_CASE("a value that two policies have in common is offered, and no other") {
  Policy a = policy_with({kEnvironmentLabel}, "a");
  Policy b = policy_with({kEnvironmentLabel}, "b");
  b.rules.environment_label->values = {"qa", "prod", "test"};
  const Evaluator both({a, b});
  const WorkloadBuilder pod = WorkloadBuilder::pod().container("web:v1");
  CHECK(both.lines(pod) == Texts{"environment-label  metadata.labels: the label \"environment\" is "
                                 "missing. Add environment: test or prod"});
  b.rules.environment_label->values = {"qa"};
  CHECK(Evaluator({a, b}).lines(pod) ==
        Texts{"environment-label  metadata.labels: the label \"environment\" is missing. Add "
              "environment: dev, test or prod; no single change satisfies every rule: "
              "environment-label of policy \"b\" refuses dev"});
}

TEST_CASE("a version label follows the tag that a fix asks for") {
  Policy policy = policy_with({kMutableTag, kVersionLabel});
  policy.rules.version_label->required = true;
  set_tag_format(policy, {"v{version}"});
  const WorkloadBuilder pod = WorkloadBuilder::pod().container("web:latest");
  CHECK(Evaluator(policy).lines(pod) ==
        Texts{"mutable-tag  spec.containers[0].image (web): \"web:latest\" has tag \"latest\", "
              "which can move. Use a version tag or a digest, such as web:v<version>",
              "version-label  metadata.labels: the label \"app.kubernetes.io/version\" is missing. "
              "Add app.kubernetes.io/version: <version>"});
}

TEST_CASE("an image of another registry is offered as a form of the policy's patterns") {
  Policy policy = policy_with({kRegistryAllowed, kTeamPrefix});
  const auto fix = [&](const Texts& allow) {
    policy.rules.registry_allowed->allow = repositories(allow);
    const Evaluator evaluator(policy, {{"team", "fe"}});
    return evaluator.evaluate(WorkloadBuilder::pod().container("nginx:1.27")).findings.at(0).fix;
  };
  CHECK(fix({"registry.corp:5000"}).changes.at(0).value ==
        "registry.corp:5000/fe-<repository>:<version>");
  CHECK(fix({"quay.io/team/**"}).changes.at(0).value == "quay.io/team/fe-<repository>:<version>");
  CHECK(fix({"quay.io/*/fe-*"}).changes.at(0).value == "quay.io/<name>/fe-<name>:<version>");
  CHECK(fix({"*.corp"}).changes.at(0).value == "<registry>.corp/fe-<repository>:<version>");
  CHECK(fix({"quay.io/team/app"}).changes.empty());
}

TEST_CASE("a form is not offered where every tag is refused, but a digest is") {
  Policy policy = policy_with({});
  set_tag_format(policy, {"regex:only-[x]+"});
  const WorkloadBuilder pod = WorkloadBuilder::pod().container("web:v1");
  CHECK(fix_text(Evaluator(policy).evaluate(pod).findings.at(0)) ==
        "Use a digest, such as web@sha256:<64 hex digits>");
  turn_on(policy, kTeamPrefix);
  policy.rules.team_prefix->on = PrefixOn::kTag;
  const Texts found = Evaluator(policy, {{"team", "fe"}}).lines(pod);
  REQUIRE(found.size() == 2);
  CHECK(
      found[0].ends_with("Use a tag of that form; no single change satisfies every rule: "
                         "tag-format of policy \"production\" refuses web:fe-<version>"));
}

TEST_CASE("what cures a finding elsewhere changes no field") {
  Policy policy = policy_with({kTeamPrefix, kMutableTag});
  policy.rules.team_prefix->require_team = true;
  const Evaluator evaluator(policy);
  const WorkloadBuilder pod = WorkloadBuilder::pod().container("web:latest");
  const Verdict verdict = evaluator.evaluate(pod);
  REQUIRE(verdict.findings.size() == 2);
  CHECK(verdict.findings[0].fix.changes.at(0).value == "web:<version>");
  CHECK(verdict.findings[1].fix.elsewhere);
  CHECK(verdict.findings[1].fix.changes.empty());
}

TEST_CASE("a thousand refused images cost a bounded number of tries") {
  Policy policy = policy_with({kMutableTag});
  WorkloadBuilder pod = WorkloadBuilder::pod();
  for (int i = 0; i < 5000; ++i) pod.container(kept("web" + std::to_string(i) + ":latest"));
  const Evaluator evaluator(policy);
  const Verdict verdict = evaluator.evaluate(pod);
  CHECK(verdict.count(Mode::kEnforce) == 5000);
  CHECK(verdict.findings[0].fix.changes.empty());
  CHECK(fix_text(verdict.findings[0]) == "Use a version tag");
}

}  // namespace
}  // namespace belay::policy::testing
