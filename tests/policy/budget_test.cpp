// An evaluation that runs out of its budget: wherever it ends, it admits nothing.
#include "policy/budget.h"

#include <doctest/doctest.h>

#include <string>

#include "policy/fix_text.h"
#include "policy/policy_reader.h"
#include "tests/support/policy_builder.h"
#include "tests/support/workload_builder.h"

namespace belay::policy {
namespace {

using testing::WorkloadBuilder;

/// Runs out after so many questions.
class Counting final : public Budget {
 public:
  explicit Counting(int left) : left_(left) {}
  bool exhausted() override {
    ran_out_ = left_ == 0;
    if (!ran_out_) --left_;
    return ran_out_;
  }
  bool ran_out() const { return ran_out_; }

 private:
  int left_;
  bool ran_out_ = false;
};

/// Every rule that loops over patterns or images, with little that fits.
constexpr std::string_view kPolicy = R"(
apiVersion: belay.dev/v1alpha1
kind: ImagePolicy
metadata: {name: NAME}
spec:
  rules:
    tagRequired: {}
    mutableTag: {}
    digestRequired: {}
    registryAllowed: {allow: [registry.corp]}
    teamPrefix: {teamLabel: team}
    environmentTag: {suffixes: {prod: [-prod, -live], test: [-test]}}
    versionLabel: {}
    requiredLabels: {labels: {owner: {}, cost: {}}}
    tagMoved: {}
    imageLabels: {labels: {vendor: {}}}
    tagFormat:
      anyOf:
        - 'NAME-v{version}-{environment}'
        - 'x{version}-{any}'
        - '{environment}-{commit}'
TEMPLATES  exemptions:
    - {images: [docker.io/other/**], reason: old}
  pin: {enabled: true}
)";

std::shared_ptr<const Policy> policy_named(const std::string& name) {
  std::string text(kPolicy);
  std::string templates;
  for (int i = 0; i < 30; ++i) templates += "        - '" + name + std::to_string(i) + "-{any}'\n";
  text.replace(text.find("TEMPLATES"), 9, templates);
  while (text.contains("NAME")) text.replace(text.find("NAME"), 4, name);
  auto policy = read_policy(text, {});
  REQUIRE_MESSAGE(policy.has_value(), policy.error().front().format("policy"));
  policy->size = 100'000;  // so that evaluating is watched, however few images there are
  return std::make_shared<const Policy>(std::move(*policy));
}

TEST_CASE("wherever the budget runs out the verdict is undecided or whole") {
  const PolicySet set = make_policy_set({policy_named("a"), policy_named("b")});
  const Workload workload = WorkloadBuilder::pod()
                                .container("shop/web:prod-1234567", "web")
                                .container("shop/app:x1.2.3-prod", "app")
                                .container("other/db", "db")
                                .label("environment", "prod")
                                .label("app.kubernetes.io/version", "9.9.9");
  const std::vector<Label> labels{{"team", "shop"}, {"environment", "prod"}};
  const NamespaceFacts ns{.labels = labels};
  Facts facts{.ns = &ns, .offline = true};
  Verdict whole;
  evaluate(set, workload, facts, whole);
  REQUIRE(whole.findings.size() > 10);

  int questions = 0;
  for (bool decided = false; !decided; ++questions) {
    Counting budget(questions);
    facts.budget = &budget;
    Verdict verdict;
    evaluate(set, workload, facts, verdict);
    decided = verdict.decision() != Decision::kUndecided;
    CAPTURE(questions);
    CHECK((decided || budget.ran_out()));
    CHECK(verdict.findings.size() == (decided ? whole.findings.size() : 0));
    if (!decided) {
      CHECK(verdict.undecided.starts_with("it would take too long, mostly because of policy \""));
    }
  }
  CHECK(questions > 100);

  // Once it is decided, what runs out is the search for fixes: they are whole or left out.
  bool ran_out = true;
  for (int more = questions; ran_out; more += more / 2) {
    Counting budget(more);
    facts.budget = &budget;
    Verdict verdict;
    evaluate(set, workload, facts, verdict);
    ran_out = budget.ran_out();
    CAPTURE(more);
    CHECK(verdict.decision() == whole.decision());
    REQUIRE(verdict.findings.size() == whole.findings.size());
    for (std::size_t i = 0; i < whole.findings.size(); ++i) {
      const Fix& fix = verdict.findings[i].fix;
      const bool left_out = fix.changes.empty() && fix.obstacle.empty();
      CHECK((left_out || fix_text(verdict.findings[i]) == fix_text(whole.findings[i])));
    }
  }
}

TEST_CASE("an UPDATE that leaves images and labels alone passes where the budget runs out") {
  const PolicySet set = make_policy_set({policy_named("a")});
  const Workload workload = WorkloadBuilder::pod().container("shop/web:v1").update();
  Counting none(0);
  Facts facts{.offline = true, .budget = &none};
  const NamespaceFacts ns;
  facts.ns = &ns;
  Verdict verdict;
  evaluate(set, workload, facts, verdict);
  CHECK(verdict.decision() == Decision::kAllowed);
  std::vector<Pin> pins;
  CHECK(plan_pins(set, workload, facts, pins));
  CHECK(pins.empty());
}

TEST_CASE("what registries are asked and what is pinned end with the budget, too") {
  const PolicySet set = make_policy_set({policy_named("a")});
  const Workload workload =
      WorkloadBuilder::pod().container("shop/web:v1", "web").container("shop/app:v1", "app");
  const NamespaceFacts ns;
  for (const int left : {0, 1, 2}) {
    Counting asking(left);
    Facts facts{.ns = &ns, .budget = &asking};
    std::vector<ImageNeed> needs;
    registry_needs(set, workload, facts, needs);
    CHECK(needs.size() == (left == 2 ? 2 : 0));
    Counting pinning(left);
    facts.budget = &pinning;
    std::vector<Pin> pins;
    CHECK(plan_pins(set, workload, facts, pins) == (left == 2));
    Counting possibly(left);
    facts.budget = &possibly;
    CHECK(plan_possible_pins(set, workload, facts, pins) == (left == 2));
  }
}

TEST_CASE("little work of few templates is not watched") {
  auto policy = *policy_named("a");
  policy.size = 100;
  policy.rules.tag_format.reset();
  const PolicySet set = make_policy_set({std::make_shared<const Policy>(std::move(policy))});
  Counting none(0);
  const NamespaceFacts ns;
  const Facts facts{.ns = &ns, .offline = true, .budget = &none};
  Verdict verdict;
  evaluate(set, WorkloadBuilder::pod().container("shop/web:v1"), facts, verdict);
  CHECK(verdict.decision() == Decision::kDenied);
}

}  // namespace
}  // namespace belay::policy
