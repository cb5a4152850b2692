// Which policies evaluate an object, what exemptions and placeholders pass over, what an UPDATE
// leaves alone, and how the findings of several policies come together.
#include "policy/evaluate.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <new>

#include "policy/fix_text.h"
#include "tests/support/policy_builder.h"
#include "tests/support/workload_builder.h"

// Sanitizers bring operators of their own, which see more than a count.
#ifdef BELAY_SANITIZED
#define COUNTS_ALLOCATIONS 0
#else
#define COUNTS_ALLOCATIONS 1
#endif

#if COUNTS_ALLOCATIONS
namespace {

std::size_t allocations = 0;

}  // namespace

// Counts what the whole test program allocates, to prove that the hot path allocates nothing.
// NOLINTBEGIN: replacing the global operators is how the standard lets one count
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
// NOLINTEND
#endif

namespace belay::policy::testing {
namespace {

using enum RuleId;
using std::chrono::day;
using std::chrono::December;
using std::chrono::year;

WorkloadBuilder latest() { return WorkloadBuilder::deployment().container("nginx:latest"); }

Policy named(std::string name, Mode mode = Mode::kEnforce) {
  Policy policy = policy_with({kMutableTag}, std::move(name));
  policy.mode = mode;
  return policy;
}

Texts names(const Verdict& verdict) {
  Texts names;
  for (const Policy* policy : verdict.policies) names.push_back(policy->name);
  return names;
}

TEST_CASE("where no policy matches, nothing is evaluated") {
  Policy policy = named("a");
  restrict_to(policy, {"other"});
  const Verdict verdict = Evaluator(policy).evaluate(latest());
  CHECK(verdict.decision() == Decision::kAllowed);
  CHECK(verdict.policies.empty());
  CHECK(verdict.findings.empty());
  CHECK(Evaluator(std::initializer_list<Policy>{}).decision(latest()) == Decision::kAllowed);
}

TEST_CASE("a policy matches by globs on the namespace's name") {
  Policy policy = named("a");
  restrict_to(policy, {"*", "!sandbox-*"});
  CHECK(Evaluator(policy).decision(latest()) == Decision::kDenied);
  CHECK(Evaluator(policy).decision(latest().in("sandbox-1")) == Decision::kAllowed);
  restrict_to(policy, {"shop", "cart", "shop", "!cart"});
  CHECK(Evaluator(policy).decision(latest()) == Decision::kDenied);
  CHECK(Evaluator(policy).decision(latest().in("cart")) == Decision::kAllowed);
  CHECK(Evaluator(policy).decision(latest().in("shops")) == Decision::kAllowed);
  restrict_to(policy, {"!shop"});
  CHECK(Evaluator(policy).decision(latest()) == Decision::kAllowed);
  CHECK(Evaluator(policy).decision(latest().in("cart")) == Decision::kDenied);
}

TEST_CASE("a policy matches by a selector on the namespace's labels") {
  Policy policy = named("a");
  policy.match.namespace_selector = selector("environment", "prod");
  CHECK(Evaluator(policy, {{"environment", "prod"}}).decision(latest()) == Decision::kDenied);
  CHECK(Evaluator(policy, {{"environment", "dev"}}).decision(latest()) == Decision::kAllowed);
  CHECK(Evaluator(policy).decision(latest()) == Decision::kAllowed);
}

TEST_CASE("a tenant's policy evaluates its own namespace only") {
  Policy policy = named("a");
  policy.only_namespace = "shop";
  CHECK(Evaluator(policy).decision(latest()) == Decision::kDenied);
  const Verdict elsewhere = Evaluator(policy).evaluate(latest().in("cart"));
  CHECK(elsewhere.decision() == Decision::kAllowed);
  CHECK(elsewhere.policies.empty());
}

TEST_CASE("policies are evaluated by name with an index or without") {
  Policy tenant = named("b");
  tenant.only_namespace = "shop";
  Policy literal = named("a");
  restrict_to(literal, {"shop", "cart"});
  Policy other = named("e");
  restrict_to(other, {"cart"});
  Policy glob = named("c");
  restrict_to(glob, {"s*"});
  Policy last = named("f");
  restrict_to(last, {"shop"});
  const Evaluator evaluator({last, other, named("d"), glob, literal, tenant});
  CHECK(names(evaluator.evaluate(latest())) == Texts{"a", "b", "c", "d", "f"});
  CHECK(names(evaluator.evaluate(latest().in("cart"))) == Texts{"a", "d", "e"});

  PolicySet plain = evaluator.set();
  plain.index = nullptr;
  Verdict verdict;
  evaluate(plain, latest(), {.today = kToday}, verdict);
  CHECK(names(verdict) == Texts{"a", "b", "c", "d", "f"});
}

TEST_CASE("needs() asks for labels only where a policy that may match looks at them") {
  Policy selecting = named("a");
  selecting.match.namespace_selector = selector("environment", "prod");
  CHECK_FALSE(needs(Evaluator(named("a")).set(), latest()).namespace_labels);
  CHECK(needs(Evaluator(selecting).set(), latest()).namespace_labels);
  CHECK(needs(Evaluator(policy_with({kEnvironmentNamespace})).set(), latest()).namespace_labels);
  CHECK(needs(Evaluator(policy_with({kTeamPrefix})).set(), latest()).namespace_labels);
  CHECK_FALSE(needs(Evaluator(selecting).set(), latest().in("")).namespace_labels);
  restrict_to(selecting, {"other"});
  CHECK_FALSE(needs(Evaluator(selecting).set(), latest()).namespace_labels);
}

TEST_CASE("labels that are needed and not known leave the verdict undecided") {
  Policy policy = named("a");
  policy.match.namespace_selector = selector("environment", "prod");
  const Verdict verdict =
      Evaluator({policy, named("b")}).without_namespace_labels().evaluate(latest());
  CHECK(verdict.decision() == Decision::kUndecided);
  CHECK(verdict.undecided == "the labels of namespace \"shop\" are not known yet");
  CHECK(verdict.findings.empty());
  CHECK(verdict.policies.empty());

  CHECK(Evaluator(policy_with({kEnvironmentNamespace}))
            .without_namespace_labels()
            .decision(latest()) == Decision::kUndecided);
  CHECK(Evaluator(named("b")).without_namespace_labels().decision(latest()) == Decision::kDenied);
  // Outside every namespace there are no labels to wait for.
  CHECK(Evaluator(policy).without_namespace_labels().decision(latest().in("")) ==
        Decision::kAllowed);
}

TEST_CASE("an UPDATE that touches nothing evaluated never waits for labels") {
  Policy policy = named("a");
  policy.match.namespace_selector = selector("environment", "prod");
  Evaluator evaluator({policy, named("b")});
  evaluator.without_namespace_labels();
  const auto start = [] {
    return latest().label("a", "1").object_label("b", "1").container("x:1", "x").update();
  };
  const Verdict verdict = evaluator.evaluate(start());
  CHECK(verdict.decision() == Decision::kAllowed);
  CHECK(names(verdict) == Texts{"b"});
  CHECK(verdict.count(Mode::kWarn) == 1);
  CHECK(evaluator.decision(start().label("a", "2")) == Decision::kUndecided);
  CHECK(evaluator.decision(start().object_label("b", "2")) == Decision::kUndecided);
  CHECK(evaluator.decision(start().object_label("c", "2")) == Decision::kUndecided);
  CHECK(evaluator.decision(start().image("x", "x:2")) == Decision::kUndecided);
  CHECK(evaluator.decision(start().container("x:1", "y")) == Decision::kUndecided);
}

TEST_CASE("modes: enforce denies, warn and audit admit, a rule's own mode wins") {
  CHECK(Evaluator(named("a")).decision(latest()) == Decision::kDenied);
  const Verdict warned = Evaluator(named("a", Mode::kWarn)).evaluate(latest());
  CHECK(warned.decision() == Decision::kAllowed);
  CHECK(warned.count(Mode::kWarn) == 1);
  const Verdict audited = Evaluator(named("a", Mode::kAudit)).evaluate(latest());
  CHECK(audited.decision() == Decision::kAllowed);
  CHECK(audited.count(Mode::kAudit) == 1);
  Policy mixed = policy_with({kMutableTag, kDigestRequired});
  mixed.mode = Mode::kWarn;
  mixed.rules.mutable_tag->mode = Mode::kEnforce;
  const Verdict verdict = Evaluator(mixed).evaluate(latest());
  CHECK(verdict.decision() == Decision::kDenied);
  CHECK(verdict.count(Mode::kWarn) == 1);
}

TEST_CASE("an exemption passes over its images, rules and namespaces") {
  Policy policy = policy_with({kMutableTag, kDigestRequired});
  policy.exemptions = {exemption({"docker.io/library/nginx"}, {kMutableTag})};
  CHECK(Evaluator(policy).brief(latest()) ==
        Texts{"digest-required spec.template.spec.containers[0].image"});
  CHECK(Evaluator(policy).brief(latest().image("web", "quay.io/library/nginx:latest")).size() == 2);
  policy.exemptions[0].rules.clear();
  CHECK(Evaluator(policy).brief(latest()).empty());
  policy.exemptions[0].namespaces = name_globs({"legacy-*"});
  CHECK(Evaluator(policy).brief(latest()).size() == 2);
  CHECK(Evaluator(policy).brief(latest().in("legacy-1")).empty());
}

TEST_CASE("an exemption covers a finding about labels where it covers every image") {
  Policy policy = policy_with({kEnvironmentLabel});
  policy.exemptions = {exemption({"docker.io/library/nginx"}), exemption({"quay.io"})};
  const Evaluator evaluator(policy);
  CHECK(evaluator.brief(latest()).empty());
  CHECK(evaluator.brief(latest().container("quay.io/a/b:1", "b")).empty());
  CHECK(evaluator.brief(latest().container("other/app:1", "b")).size() == 1);
  CHECK(evaluator.brief(latest().container("a b", "b")).size() == 2);
  CHECK(evaluator.brief(WorkloadBuilder::deployment()).size() == 1);
}

TEST_CASE("from its day on an exemption is ignored and reported") {
  Policy policy = policy_with({kMutableTag});
  policy.exemptions = {exemption({"docker.io/library/nginx"})};
  policy.exemptions[0].expires = year{2026} / December / day{31};
  Evaluator evaluator(policy);
  CHECK(evaluator.on(year{2026} / December / day{30}).decision(latest()) == Decision::kAllowed);
  const Verdict expired = evaluator.on(year{2026} / December / day{31})
                              .evaluate(latest().container("nginx:latest", "second"));
  CHECK(expired.decision() == Decision::kDenied);
  REQUIRE(expired.expired.size() == 1);
  CHECK(expired.expired[0].policy == expired.policies[0]);
  CHECK(expired.expired[0].index == 0);
  // What it would not have covered has nothing to tell.
  CHECK(evaluator.evaluate(latest().image("web", "quay.io/nginx:latest")).expired.empty());
  CHECK(evaluator.evaluate(latest().image("web", "nginx:1.27")).expired.empty());

  // Another one that still runs keeps it quiet.
  policy.exemptions.push_back(exemption({"docker.io/library/nginx"}));
  const Verdict covered = Evaluator(policy).on(year{2027} / December / day{31}).evaluate(latest());
  CHECK(covered.decision() == Decision::kAllowed);
  CHECK(covered.expired.empty());
}

TEST_CASE(
    "an expired exemption is reported with a finding about labels only where all were covered") {
  Policy policy = policy_with({kEnvironmentLabel});
  policy.exemptions = {exemption({"docker.io/library/nginx"}), exemption({"quay.io"})};
  policy.exemptions[0].expires = year{2020} / December / day{31};
  const Evaluator evaluator(policy);
  CHECK(evaluator.evaluate(latest()).expired.size() == 1);
  CHECK(evaluator.evaluate(latest().container("quay.io/a:1", "b")).expired.size() == 1);
  CHECK(evaluator.evaluate(latest().container("other/app:1", "b")).expired.empty());
  CHECK(evaluator.decision(latest().container("quay.io/a:1", "b")) == Decision::kDenied);
}

TEST_CASE("placeholders are skipped in templates and evaluated in Pods") {
  Policy policy = policy_with({kTagRequired, kMutableTag, kDigestRequired, kTagFormat});
  policy.placeholders = {"auto"};
  Policy without = policy_with({kTagRequired}, "without");
  CHECK(Evaluator(policy).lines(WorkloadBuilder::deployment().container("auto")).empty());
  CHECK_FALSE(Evaluator(policy).lines(WorkloadBuilder::pod().container("auto")).empty());
  // Of one policy only, whichever comes first.
  CHECK(
      Evaluator({policy, without}).brief(WorkloadBuilder::deployment().container("auto")).size() ==
      1);
  without.name = "a";
  CHECK(
      Evaluator({policy, without}).brief(WorkloadBuilder::deployment().container("auto")).size() ==
      1);
  // A text that is no reference may be a placeholder too.
  policy.placeholders = {"{{ image }}"};
  CHECK(Evaluator(policy).lines(WorkloadBuilder::deployment().container("{{ image }}")).empty());
}

TEST_CASE("placeholders have no part in what an exemption covers") {
  Policy policy = policy_with({kEnvironmentLabel});
  policy.placeholders = {"auto"};
  policy.exemptions = {exemption({"docker.io/library/nginx"})};
  CHECK(Evaluator(policy).brief(latest().container("auto", "proxy")).empty());
  CHECK(Evaluator(policy).brief(WorkloadBuilder::deployment().container("auto")).size() == 1);
}

TEST_CASE("an UPDATE evaluates what changed and warns of the rest") {
  const Evaluator evaluator(policy_with({kMutableTag}));
  const auto start = [] { return latest().container("redis:7.2", "cache").update(); };
  const Verdict same = evaluator.evaluate(start());
  CHECK(same.decision() == Decision::kAllowed);
  CHECK(same.count(Mode::kWarn) == 1);
  CHECK(same.findings[0].unchanged);
  CHECK(evaluator.decision(start().image("cache", "redis:latest")) == Decision::kDenied);
  CHECK(evaluator.decision(start().image("web", "nginx:stable")) == Decision::kDenied);
  CHECK(evaluator.decision(start().image("web", "nginx:1.27")) == Decision::kAllowed);
  // The same text under another container's name, or in another list, is a change.
  CHECK(evaluator.decision(start().container("nginx:latest", "more")) == Decision::kDenied);
  CHECK(evaluator.decision(start().init_container("nginx:latest", "web")) == Decision::kDenied);
  // The order of containers is none.
  WorkloadBuilder swapped = WorkloadBuilder::deployment().container("redis:7.2", "cache");
  swapped.container("nginx:latest").update();
  CHECK(evaluator.decision(
            swapped.no_images().container("nginx:latest").container("redis:7.2", "cache")) ==
        Decision::kAllowed);
}

TEST_CASE("the same finding of several policies is one, the strictest mode wins") {
  const Evaluator evaluator({named("b", Mode::kWarn), named("a", Mode::kAudit), named("c")});
  const Verdict verdict = evaluator.evaluate(latest());
  REQUIRE(verdict.findings.size() == 1);
  CHECK(verdict.findings[0].mode == Mode::kEnforce);
  CHECK(verdict.findings[0].policies == verdict.policies);
  const Verdict unchanged = evaluator.evaluate(latest().update());
  REQUIRE(unchanged.findings.size() == 1);
  CHECK(unchanged.findings[0].unchanged);
  CHECK(unchanged.decision() == Decision::kAllowed);
}

TEST_CASE("merging keeps what is admitted admitted") {
  // Under "a" the tag is evaluated with a label that did not change, under "b" with one that did.
  Policy a = policy_with({kEnvironmentTag}, "a");
  a.rules.environment_tag->required = true;
  a.rules.environment_tag->label = "a";
  Policy b = a;
  b.name = "b";
  b.mode = Mode::kAudit;
  b.rules.environment_tag->label = "b";
  WorkloadBuilder workload = WorkloadBuilder::deployment().container("shop/web:v1");
  workload.label("a", "prod").label("b", "prod").update().label("b", "test");
  const Verdict verdict = Evaluator({a, b}).evaluate(workload);
  REQUIRE(verdict.findings.size() == 1);
  CHECK(verdict.findings[0].policies.size() == 2);
  CHECK(verdict.decision() == Decision::kAllowed);
  CHECK(verdict.count(Mode::kWarn) == 1);
}

TEST_CASE("a fix suits every policy in force") {
  Policy plain = policy_with({kMutableTag}, "a");
  Policy strict = policy_with({}, "b");
  set_tag_format(strict, {"{name}-v{version}"});
  const auto fix = [&] {
    const Evaluator evaluator({plain, strict});
    const Verdict verdict = evaluator.evaluate(latest());
    REQUIRE(verdict.findings.size() == 1);  // tag-format is folded
    return fix_text(verdict.findings[0]);
  };
  CHECK(fix() == "Use a version tag or a digest, such as nginx:<name>-v<version>");
  // No tag suits both, but a digest does.
  set_tag_format(plain, {"v{version}"});
  CHECK(fix() == "Use a digest, such as nginx@sha256:<64 hex digits>");
}

TEST_CASE("findings come by rule, then by place in the object") {
  Policy policy = policy_with({kTagRequired, kMutableTag, kRequiredLabels, kEnvironmentLabel});
  policy.rules.required_labels->labels = {{"z", {}}, {"a", {}}};
  const WorkloadBuilder workload = WorkloadBuilder::deployment()
                                       .volume("m:latest")
                                       .ephemeral_container("e:latest")
                                       .container("nginx")
                                       .container("c:latest", "c")
                                       .init_container("i:latest");
  const std::string spec = " spec.template.spec.";
  const Texts expected = {
      "tag-required" + spec + "containers[0].image",
      "mutable-tag" + spec + "initContainers[0].image",
      "mutable-tag" + spec + "containers[1].image",
      "mutable-tag" + spec + "ephemeralContainers[0].image",
      "mutable-tag" + spec + "volumes[0].image.reference",
      "environment-label spec.template.metadata.labels",
      "required-labels spec.template.metadata.labels",
      "required-labels spec.template.metadata.labels",
  };
  CHECK(Evaluator(policy).brief(workload) == expected);
  Policy second = policy;
  second.name = "another";
  const Evaluator both({policy, second});
  CHECK(both.brief(workload) == expected);
  const Verdict verdict = both.evaluate(workload);
  CHECK(verdict.findings.back().problem == "the label \"a\" is missing");
  for (const Finding& finding : verdict.findings) CHECK(finding.policies.size() == 2);
}

#if COUNTS_ALLOCATIONS
TEST_CASE("an allowed pod costs no heap allocation once the verdict has its capacity") {
  Policy policy = policy_with({kTagRequired, kMutableTag, kEnvironmentLabel, kEnvironmentNamespace,
                               kEnvironmentTag, kDigestRequired, kRegistryAllowed});
  policy.rules.digest_required->images = repositories({"quay.io"});
  policy.rules.registry_allowed->allow = repositories({"registry.corp:5000"});
  policy.rules.environment_tag->suffixes = {{"prod", {"-prod"}}, {"test", {"-staging"}}};
  set_tag_format(policy, {"v{version}-{environment}", "v{version}"});
  Policy second = policy;
  second.name = "second";
  const PolicySet set = make_policy_set(
      {std::make_shared<const Policy>(policy), std::make_shared<const Policy>(second)});
  const WorkloadBuilder pod = WorkloadBuilder::pod()
                                  .container("registry.corp:5000/shop/web:v1.4.2-prod", "a")
                                  .container("registry.corp:5000/shop/api:v1.4.2-prod", "b")
                                  .container("registry.corp:5000/shop/cart:v1.4.2-prod", "c")
                                  .label("environment", "prod");
  const std::vector<Label> labels = {{"environment", "prod"}};
  const NamespaceFacts ns{.labels = labels};
  Verdict verdict;
  evaluate(set, pod, {.today = kToday, .ns = &ns}, verdict);
  REQUIRE(verdict.findings.empty());
  const std::size_t before = allocations;
  for (int i = 0; i < 10; ++i) evaluate(set, pod, {.today = kToday, .ns = &ns}, verdict);
  CHECK(allocations == before);
  CHECK(verdict.decision() == Decision::kAllowed);
}
#endif

TEST_CASE("ids, keys and numbers of rules follow from their rows") {
  const auto types = rule_types();
  REQUIRE(types.size() == kRuleCount);
  for (std::size_t i = 0; i < types.size(); ++i) {
    CHECK(types[i].id == static_cast<RuleId>(i));
    CHECK_FALSE(types[i].summary.empty());
    CHECK((types[i].visit == nullptr) == types[i].key.empty());
  }
  CHECK(name_of(kEnvironmentNamespace) == "environment-namespace");
  CHECK(key_of(kEnvironmentNamespace) == "environmentNamespace");
  CHECK(name_of(kTagMoved) == "tag-moved");
  CHECK(bit_of(kImageReference) == 1);
  CHECK(name_of(Mode::kAudit) == "audit");
  CHECK(name_of(Mode::kWarn) == "warn");
  CHECK(name_of(Mode::kEnforce) == "enforce");
}

}  // namespace
}  // namespace belay::policy::testing
