// Which policies judge an object, what exemptions and placeholders pass over, what an UPDATE leaves
// alone, and how the findings of several policies come together.
#include "policy/evaluate.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <new>

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

TEST_CASE("where no policy matches, nothing is judged") {
  Policy policy = named("a");
  restrict_to(policy, {"other"});
  const Verdict verdict = Court(policy).judge(latest());
  CHECK(verdict.decision() == Decision::kAllowed);
  CHECK(verdict.policies.empty());
  CHECK(verdict.findings.empty());
  CHECK(Court(std::initializer_list<Policy>{}).decision(latest()) == Decision::kAllowed);
}

TEST_CASE("a policy matches by globs on the namespace's name") {
  Policy policy = named("a");
  restrict_to(policy, {"*", "!sandbox-*"});
  CHECK(Court(policy).decision(latest()) == Decision::kDenied);
  CHECK(Court(policy).decision(latest().in("sandbox-1")) == Decision::kAllowed);
  restrict_to(policy, {"shop", "cart", "shop", "!cart"});
  CHECK(Court(policy).decision(latest()) == Decision::kDenied);
  CHECK(Court(policy).decision(latest().in("cart")) == Decision::kAllowed);
  CHECK(Court(policy).decision(latest().in("shops")) == Decision::kAllowed);
  restrict_to(policy, {"!shop"});
  CHECK(Court(policy).decision(latest()) == Decision::kAllowed);
  CHECK(Court(policy).decision(latest().in("cart")) == Decision::kDenied);
}

TEST_CASE("a policy matches by a selector on the namespace's labels") {
  Policy policy = named("a");
  policy.match.namespace_selector = selector("environment", "prod");
  CHECK(Court(policy, {{"environment", "prod"}}).decision(latest()) == Decision::kDenied);
  CHECK(Court(policy, {{"environment", "dev"}}).decision(latest()) == Decision::kAllowed);
  CHECK(Court(policy).decision(latest()) == Decision::kAllowed);
}

TEST_CASE("a tenant's policy judges its own namespace only") {
  Policy policy = named("a");
  policy.only_namespace = "shop";
  CHECK(Court(policy).decision(latest()) == Decision::kDenied);
  const Verdict elsewhere = Court(policy).judge(latest().in("cart"));
  CHECK(elsewhere.decision() == Decision::kAllowed);
  CHECK(elsewhere.policies.empty());
}

TEST_CASE("policies are judged by name with an index or without") {
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
  const Court court({last, other, named("d"), glob, literal, tenant});
  CHECK(names(court.judge(latest())) == Texts{"a", "b", "c", "d", "f"});
  CHECK(names(court.judge(latest().in("cart"))) == Texts{"a", "d", "e"});

  PolicySet plain = court.set();
  plain.index = nullptr;
  Verdict verdict;
  evaluate(plain, latest(), {.today = kToday}, verdict);
  CHECK(names(verdict) == Texts{"a", "b", "c", "d", "f"});
}

TEST_CASE("needs() asks for labels only where a policy that may match looks at them") {
  Policy selecting = named("a");
  selecting.match.namespace_selector = selector("environment", "prod");
  CHECK_FALSE(needs(Court(named("a")).set(), latest()).namespace_labels);
  CHECK(needs(Court(selecting).set(), latest()).namespace_labels);
  CHECK(needs(Court(policy_with({kEnvironmentNamespace})).set(), latest()).namespace_labels);
  CHECK(needs(Court(policy_with({kTeamPrefix})).set(), latest()).namespace_labels);
  CHECK_FALSE(needs(Court(selecting).set(), latest().in("")).namespace_labels);
  restrict_to(selecting, {"other"});
  CHECK_FALSE(needs(Court(selecting).set(), latest()).namespace_labels);
}

TEST_CASE("labels that are needed and not known leave the verdict undecided") {
  Policy policy = named("a");
  policy.match.namespace_selector = selector("environment", "prod");
  const Verdict verdict = Court({policy, named("b")}).without_namespace_labels().judge(latest());
  CHECK(verdict.decision() == Decision::kUndecided);
  CHECK(verdict.undecided == "the labels of namespace \"shop\" are not known yet");
  CHECK(verdict.findings.empty());
  CHECK(verdict.policies.empty());

  CHECK(Court(policy_with({kEnvironmentNamespace})).without_namespace_labels().decision(latest()) ==
        Decision::kUndecided);
  CHECK(Court(named("b")).without_namespace_labels().decision(latest()) == Decision::kDenied);
  // Outside every namespace there are no labels to wait for.
  CHECK(Court(policy).without_namespace_labels().decision(latest().in("")) == Decision::kAllowed);
}

TEST_CASE("an UPDATE that touches nothing judged never waits for labels") {
  Policy policy = named("a");
  policy.match.namespace_selector = selector("environment", "prod");
  Court court({policy, named("b")});
  court.without_namespace_labels();
  const auto start = [] {
    return latest().label("a", "1").object_label("b", "1").container("x:1", "x").update();
  };
  const Verdict verdict = court.judge(start());
  CHECK(verdict.decision() == Decision::kAllowed);
  CHECK(names(verdict) == Texts{"b"});
  CHECK(verdict.count(Mode::kWarn) == 1);
  CHECK(court.decision(start().label("a", "2")) == Decision::kUndecided);
  CHECK(court.decision(start().object_label("b", "2")) == Decision::kUndecided);
  CHECK(court.decision(start().object_label("c", "2")) == Decision::kUndecided);
  CHECK(court.decision(start().image("x", "x:2")) == Decision::kUndecided);
  CHECK(court.decision(start().container("x:1", "y")) == Decision::kUndecided);
}

TEST_CASE("modes: enforce denies, warn and audit admit, a rule's own mode wins") {
  CHECK(Court(named("a")).decision(latest()) == Decision::kDenied);
  const Verdict warned = Court(named("a", Mode::kWarn)).judge(latest());
  CHECK(warned.decision() == Decision::kAllowed);
  CHECK(warned.count(Mode::kWarn) == 1);
  const Verdict audited = Court(named("a", Mode::kAudit)).judge(latest());
  CHECK(audited.decision() == Decision::kAllowed);
  CHECK(audited.count(Mode::kAudit) == 1);
  Policy mixed = policy_with({kMutableTag, kDigestRequired});
  mixed.mode = Mode::kWarn;
  mixed.rules.mutable_tag->mode = Mode::kEnforce;
  const Verdict verdict = Court(mixed).judge(latest());
  CHECK(verdict.decision() == Decision::kDenied);
  CHECK(verdict.count(Mode::kWarn) == 1);
}

TEST_CASE("an exemption passes over its images, rules and namespaces") {
  Policy policy = policy_with({kMutableTag, kDigestRequired});
  policy.exemptions = {exemption({"docker.io/library/nginx"}, {kMutableTag})};
  CHECK(Court(policy).brief(latest()) ==
        Texts{"digest-required spec.template.spec.containers[0].image"});
  CHECK(Court(policy).brief(latest().image("web", "quay.io/library/nginx:latest")).size() == 2);
  policy.exemptions[0].rules.clear();
  CHECK(Court(policy).brief(latest()).empty());
  policy.exemptions[0].namespaces = name_globs({"legacy-*"});
  CHECK(Court(policy).brief(latest()).size() == 2);
  CHECK(Court(policy).brief(latest().in("legacy-1")).empty());
}

TEST_CASE("an exemption covers a finding about labels where it covers every image") {
  Policy policy = policy_with({kEnvironmentLabel});
  policy.exemptions = {exemption({"docker.io/library/nginx"}), exemption({"quay.io"})};
  const Court court(policy);
  CHECK(court.brief(latest()).empty());
  CHECK(court.brief(latest().container("quay.io/a/b:1", "b")).empty());
  CHECK(court.brief(latest().container("other/app:1", "b")).size() == 1);
  CHECK(court.brief(latest().container("a b", "b")).size() == 2);
  CHECK(court.brief(WorkloadBuilder::deployment()).size() == 1);
}

TEST_CASE("from its day on an exemption is ignored and told") {
  Policy policy = policy_with({kMutableTag});
  policy.exemptions = {exemption({"docker.io/library/nginx"})};
  policy.exemptions[0].expires = year{2026} / December / day{31};
  Court court(policy);
  CHECK(court.on(year{2026} / December / day{30}).decision(latest()) == Decision::kAllowed);
  const Verdict expired =
      court.on(year{2026} / December / day{31}).judge(latest().container("nginx:latest", "second"));
  CHECK(expired.decision() == Decision::kDenied);
  REQUIRE(expired.expired.size() == 1);
  CHECK(expired.expired[0].policy == expired.policies[0]);
  CHECK(expired.expired[0].index == 0);
  // What it would not have covered has nothing to tell.
  CHECK(court.judge(latest().image("web", "quay.io/nginx:latest")).expired.empty());
  CHECK(court.judge(latest().image("web", "nginx:1.27")).expired.empty());

  // Another one that still runs keeps it quiet.
  policy.exemptions.push_back(exemption({"docker.io/library/nginx"}));
  const Verdict covered = Court(policy).on(year{2027} / December / day{31}).judge(latest());
  CHECK(covered.decision() == Decision::kAllowed);
  CHECK(covered.expired.empty());
}

TEST_CASE("an expired exemption is told of a finding about labels only where all were covered") {
  Policy policy = policy_with({kEnvironmentLabel});
  policy.exemptions = {exemption({"docker.io/library/nginx"}), exemption({"quay.io"})};
  policy.exemptions[0].expires = year{2020} / December / day{31};
  const Court court(policy);
  CHECK(court.judge(latest()).expired.size() == 1);
  CHECK(court.judge(latest().container("quay.io/a:1", "b")).expired.size() == 1);
  CHECK(court.judge(latest().container("other/app:1", "b")).expired.empty());
  CHECK(court.decision(latest().container("quay.io/a:1", "b")) == Decision::kDenied);
}

TEST_CASE("placeholders are passed over in templates and judged in Pods") {
  Policy policy = policy_with({kTagRequired, kMutableTag, kDigestRequired, kTagFormat});
  policy.placeholders = {"auto"};
  Policy without = policy_with({kTagRequired}, "without");
  CHECK(Court(policy).lines(WorkloadBuilder::deployment().container("auto")).empty());
  CHECK_FALSE(Court(policy).lines(WorkloadBuilder::pod().container("auto")).empty());
  // Of one policy only, whichever comes first.
  CHECK(Court({policy, without}).brief(WorkloadBuilder::deployment().container("auto")).size() ==
        1);
  without.name = "a";
  CHECK(Court({policy, without}).brief(WorkloadBuilder::deployment().container("auto")).size() ==
        1);
  // A text that is no reference may be a placeholder too.
  policy.placeholders = {"{{ image }}"};
  CHECK(Court(policy).lines(WorkloadBuilder::deployment().container("{{ image }}")).empty());
}

TEST_CASE("placeholders have no part in what an exemption covers") {
  Policy policy = policy_with({kEnvironmentLabel});
  policy.placeholders = {"auto"};
  policy.exemptions = {exemption({"docker.io/library/nginx"})};
  CHECK(Court(policy).brief(latest().container("auto", "proxy")).empty());
  CHECK(Court(policy).brief(WorkloadBuilder::deployment().container("auto")).size() == 1);
}

TEST_CASE("an UPDATE judges what changed and warns of the rest") {
  const Court court(policy_with({kMutableTag}));
  const auto start = [] { return latest().container("redis:7.2", "cache").update(); };
  const Verdict same = court.judge(start());
  CHECK(same.decision() == Decision::kAllowed);
  CHECK(same.count(Mode::kWarn) == 1);
  CHECK(same.findings[0].unchanged);
  CHECK(court.decision(start().image("cache", "redis:latest")) == Decision::kDenied);
  CHECK(court.decision(start().image("web", "nginx:stable")) == Decision::kDenied);
  CHECK(court.decision(start().image("web", "nginx:1.27")) == Decision::kAllowed);
  // The same text under another container's name, or in another list, is a change.
  CHECK(court.decision(start().container("nginx:latest", "more")) == Decision::kDenied);
  CHECK(court.decision(start().init_container("nginx:latest", "web")) == Decision::kDenied);
  // The order of containers is none.
  WorkloadBuilder swapped = WorkloadBuilder::deployment().container("redis:7.2", "cache");
  swapped.container("nginx:latest").update();
  CHECK(court.decision(
            swapped.no_images().container("nginx:latest").container("redis:7.2", "cache")) ==
        Decision::kAllowed);
}

TEST_CASE("the same finding of several policies is one, the strictest mode wins") {
  const Court court({named("b", Mode::kWarn), named("a", Mode::kAudit), named("c")});
  const Verdict verdict = court.judge(latest());
  REQUIRE(verdict.findings.size() == 1);
  CHECK(verdict.findings[0].mode == Mode::kEnforce);
  CHECK(verdict.findings[0].policies == verdict.policies);
  const Verdict unchanged = court.judge(latest().update());
  REQUIRE(unchanged.findings.size() == 1);
  CHECK(unchanged.findings[0].unchanged);
  CHECK(unchanged.decision() == Decision::kAllowed);
}

TEST_CASE("merging keeps what is admitted admitted") {
  // Under "a" the tag is judged with a label that did not change, under "b" with one that did.
  Policy a = policy_with({kEnvironmentTag}, "a");
  a.rules.environment_tag->required = true;
  a.rules.environment_tag->label = "a";
  Policy b = a;
  b.name = "b";
  b.mode = Mode::kAudit;
  b.rules.environment_tag->label = "b";
  WorkloadBuilder workload = WorkloadBuilder::deployment().container("shop/web:v1");
  workload.label("a", "prod").label("b", "prod").update().label("b", "test");
  const Verdict verdict = Court({a, b}).judge(workload);
  REQUIRE(verdict.findings.size() == 1);
  CHECK(verdict.findings[0].policies.size() == 2);
  CHECK(verdict.decision() == Decision::kAllowed);
  CHECK(verdict.count(Mode::kWarn) == 1);
}

TEST_CASE("a fix suits every policy in force") {
  Policy plain = policy_with({kMutableTag}, "a");
  Policy strict = policy_with({}, "b");
  set_tag_format(strict, {"{name}-v{version}"});
  const Verdict verdict = Court({plain, strict}).judge(latest());
  REQUIRE(verdict.findings.size() == 2);
  CHECK(verdict.findings[0].fix == "Use a version tag or a digest, such as nginx:model-v1.4.2");
  // Where nothing suits both, it suits the policy that speaks.
  set_tag_format(plain, {"v{version}"});
  CHECK(Court({plain, strict}).judge(latest()).findings[0].fix ==
        "Use a version tag or a digest, such as nginx:v1.4.2");
}

TEST_CASE("a fix is offered even where no known tag suits") {
  Policy policy = policy_with({kMutableTag});
  set_tag_format(policy, {"regex:only-[x]+"});
  CHECK(Court(policy).judge(latest()).findings[0].fix ==
        "Use a version tag or a digest, such as nginx:v1.4.2");
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
  CHECK(Court(policy).brief(workload) == expected);
  Policy second = policy;
  second.name = "another";
  const Court both({policy, second});
  CHECK(both.brief(workload) == expected);
  const Verdict verdict = both.judge(workload);
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

TEST_CASE("the table holds every rule once, in the order of ids, with keys in camelCase") {
  const auto types = rule_types();
  REQUIRE(types.size() == kRuleCount);
  for (std::size_t i = 0; i < types.size(); ++i) {
    CHECK(types[i].id == static_cast<RuleId>(i));
    CHECK_FALSE(types[i].summary.empty());
    CHECK((types[i].visit == nullptr) == types[i].key.empty());
    if (types[i].key.empty()) continue;
    std::string id;
    for (const char c : types[i].key) {
      if (c >= 'A' && c <= 'Z') id += '-';
      id += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    CHECK(id == name_of(types[i].id));
  }
  CHECK(name_of(Mode::kAudit) == "audit");
  CHECK(name_of(Mode::kWarn) == "warn");
  CHECK(name_of(Mode::kEnforce) == "enforce");
}

}  // namespace
}  // namespace belay::policy::testing
