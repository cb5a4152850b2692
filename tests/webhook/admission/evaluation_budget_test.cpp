// Objects that make much work: their namespace waits, the others don't.
#include "webhook/admission/evaluation_budget.h"

#include <doctest/doctest.h>

#include <string>

#include "policy/policy_reader.h"
#include "tests/webhook/admission/policies.h"
#include "tests/webhook/admission/review_text.h"
#include "webhook/admission/admission.h"
#include "webhook/namespaces/fixed_namespaces.h"
#include "webhook/policies/config_map_review.h"

namespace belay::webhook::admission {
namespace {

using namespace std::chrono_literals;
using test::Json;

TEST_CASE("CPU time that is used up ends the work, and has the namespace rest") {
  EvaluationBudget time({.most = 0ms, .pause = 3600s});
  time.start("shop");
  CHECK_FALSE(time.exhausted());  // the first question begins
  CHECK(time.exhausted());
  time.start("farm");  // another namespace has its own time
  CHECK_FALSE(time.exhausted());
  time.start("shop");
  CHECK(time.exhausted());
}

TEST_CASE("a namespace that has rested begins again, and time that is left goes on") {
  EvaluationBudget none({.most = 0ms, .pause = 0s});
  for (int i = 0; i < 2; ++i) {
    none.start("shop");
    CHECK_FALSE(none.exhausted());
    CHECK(none.exhausted());
  }
  EvaluationBudget plenty({.most = 3600s, .pause = 3600s});
  plenty.start("shop");
  CHECK_FALSE(plenty.exhausted());
  CHECK_FALSE(plenty.exhausted());
}

/// A policy of many patterns that no tag fits, for this namespace.
policy::Policy many_patterns(const std::string& list) {
  std::string text =
      "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: many}\n"
      "spec:\n  match: {namespaces: [shop]}\n" +
      list;
  auto policy = policy::read_policy(text, {});
  REQUIRE_MESSAGE(policy.has_value(), policy.error().front().format("policy"));
  return std::move(*policy);
}

std::string many(int count, const std::string& before, const std::string& after) {
  std::string list = "[";
  for (int i = 0; i < count; ++i) list += "'" + before + std::to_string(i) + after + "', ";
  return list + "]";
}

Json pod_of(int images, const std::string& ns) {
  std::string tag;
  while (tag.size() < 110) tag += "a-";
  Json containers = Json::array();
  for (int i = 0; i < images; ++i) {
    containers.push_back(
        test::container("c" + std::to_string(i), "shop/w" + std::to_string(i) + ":" + tag + "b"));
  }
  Json review = test::pod_review(std::move(containers));
  review["request"]["namespace"] = ns;
  return review;
}

TEST_CASE("many patterns for many images are given up, whichever list they stand in") {
  for (const std::string& rules : {
           "  rules: {tagFormat: {anyOf: " + many(1000, "{any}-{any}-{name}-", "x") + "}}\n",
           "  rules: {tagFormat: {anyOf: " + many(250, "regex:(a|b|-)*", "x") + "}}\n",
           "  rules: {mutableTag: {tags: " + many(15'000, "*a*a*a*", "x") + "}}\n",
           "  rules: {registryAllowed: {allow: " + many(15'000, "docker.io/*s*p/", "*x") + "}}\n",
           "  rules:\n    tagFormat: {anyOf: ['{name}-{environment}']}\n    environmentTag: "
           "{suffixes: "
           "{prod: " +
               many(15'000, "-", "p") + "}}\n",
       }) {
    CAPTURE(rules.substr(0, 60));
    const policy::PolicySet policies =
        test::set_of(many_patterns(rules), test::tag_policy("everywhere"));
    const namespaces::FixedNamespaces namespaces;
    Admission admission(namespaces,
                        {.limits = EvaluationBudget::Limits{.most = 1ms, .pause = 3600s}});
    std::string out;
    const auto ask = [&](Json review) {
      std::string body = review.dump();
      body.push_back('\0');
      return admission.admit(Endpoint::kValidate, policies, {body.data(), body.size() - 1}, out)
          .outcome;
    };
    CHECK(ask(pod_of(300, "shop")) == Outcome::kUndecided);
    const std::string message = Json::parse(out)["response"]["status"]["message"];
    CHECK(
        message.find(
            "could not be evaluated: it would take too long, mostly because of policy \"many\"") !=
        std::string::npos);
    CHECK(ask(pod_of(300, "farm")) == Outcome::kAllowed);    // another namespace's objects
    CHECK(ask(pod_of(300, "shop")) == Outcome::kUndecided);  // at once: the namespace rests
    // What an UPDATE leaves alone passes, whatever it is: finalizers wait for nobody.
    Json update = pod_of(300, "shop");
    update["request"]["operation"] = "UPDATE";
    update["request"]["oldObject"] = update["request"]["object"];
    CHECK(ask(update) == Outcome::kAllowed);
  }
}

TEST_CASE("templates that take long each are given up for a few images, too") {
  std::string slow;
  for (int i = 0; i < 20; ++i) slow += "{any}-";
  const policy::PolicySet policies = test::set_of(many_patterns(
      "  rules: {tagFormat: {anyOf: " + many(900, slow + "a-a-a-a-a-", "x") + "}}\n"));
  const namespaces::FixedNamespaces namespaces;
  Admission admission(namespaces,
                      {.limits = EvaluationBudget::Limits{.most = 1ms, .pause = 3600s}});
  for (int turn = 0; turn < 2; ++turn) {
    std::string body = pod_of(3, "shop").dump();
    body.push_back('\0');
    std::string out;
    const Result result =
        admission.admit(Endpoint::kValidate, policies, {body.data(), body.size() - 1}, out);
    CHECK(result.outcome == Outcome::kUndecided);
  }
}

TEST_CASE("a rest does not touch objects that make little work") {
  const policy::PolicySet policies = test::set_of(
      many_patterns("  rules: {mutableTag: {tags: " + many(500, "*a*a*", "x") + "}}\n"));
  const namespaces::FixedNamespaces namespaces;
  Admission admission(namespaces,
                      {.limits = EvaluationBudget::Limits{.most = 0ms, .pause = 3600s}});
  std::string out;
  for (const int images : {300, 1}) {
    std::string body = pod_of(images, "shop").dump();
    body.push_back('\0');
    const Result result =
        admission.admit(Endpoint::kValidate, policies, {body.data(), body.size() - 1}, out);
    CHECK((result.outcome == Outcome::kUndecided) == (images == 300));
  }
}

TEST_CASE("what to pin is not guessed where finding out takes too long") {
  policy::Policy pins = many_patterns(
      "  pin: {enabled: true, images: " + many(15'000, "docker.io/*s*p/", "*x") + "}\n");
  const policy::PolicySet policies = test::set_of(std::move(pins));
  const namespaces::FixedNamespaces namespaces;
  Admission admission(namespaces,
                      {.limits = EvaluationBudget::Limits{.most = 1ms, .pause = 3600s}});
  std::string body = pod_of(300, "shop").dump();
  body.push_back('\0');
  std::string out;
  const Result result =
      admission.admit(Endpoint::kMutate, policies, {body.data(), body.size() - 1}, out);
  CHECK(result.outcome == Outcome::kUndecided);
  CHECK(Json::parse(out)["response"]["allowed"] == false);
}

TEST_CASE("behind policies that took long to read, a namespace's next ones are not read at once") {
  const auto config_map = [](const std::string& text) {
    return Json{{"metadata", {{"labels", {{"belay.dev/policy", "true"}}}}},
                {"data", {{"a.yaml", text}}}};
  };
  const Json slow = config_map(
      "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: slow}\nspec:\n"
      "  rules: {tagFormat: {anyOf: " +
      many(250, "regex:(a|b|-){1,100}", "x") + "}}\n");
  const Json quick = config_map(
      "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: quick}\nspec:\n"
      "  rules: {tagRequired: {}}\n");
  const namespaces::FixedNamespaces namespaces;
  Admission admission(namespaces, {.limits = EvaluationBudget::Limits{.most = 1ms, .pause = 3600s},
                                   .config_maps = policies::review_config_map});
  const auto ask = [&](Json review, const std::string& ns) {
    review["request"]["namespace"] = ns;
    std::string body = review.dump();
    body.push_back('\0');
    std::string out;
    admission.admit(Endpoint::kValidatePolicy, {}, {body.data(), body.size() - 1}, out);
    return Json::parse(out)["response"];
  };
  CHECK(ask(test::review("", "ConfigMap", slow), "shop")["allowed"] == true);
  const Json refused = ask(test::review("", "ConfigMap", quick), "shop");
  CHECK(refused["allowed"] == false);
  CHECK(
      refused["status"]["message"] ==
      "ConfigMap shop/checkout: another policy ConfigMap of this namespace took long to read; try "
      "again in ten seconds");
  CHECK(ask(test::review("", "ConfigMap", quick), "farm")["allowed"] == true);
  // What stands there already may get a label, and may go.
  CHECK(ask(test::review("", "ConfigMap", slow, "UPDATE", slow), "shop")["allowed"] == true);
  CHECK(ask(test::review("", "ConfigMap", nullptr, "DELETE", slow), "shop")["allowed"] == true);
}

}  // namespace
}  // namespace belay::webhook::admission
