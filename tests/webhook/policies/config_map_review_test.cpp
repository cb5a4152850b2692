// Reviews of ConfigMaps: what is refused, in which words, and what is let pass with a warning.
#include "webhook/policies/config_map_review.h"

#include <doctest/doctest.h>

#include <ctime>
#include <string>

#include "policy/message.h"
#include "policy/policy_set.h"
#include "tests/webhook/admission/review_text.h"
#include "webhook/admission/admission.h"
#include "webhook/namespaces/fixed_namespaces.h"

namespace belay::webhook::policies {
namespace {

using test::Json;

const std::string kGood =
    "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: production}\nspec:\n"
    "  rules: {tagRequired: {}}\n";
const std::string kBad =
    "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: production}\nspec:\n"
    "  rules: {mutabelTag: {}}\n  mode: deny\n";

Json config_map(const std::string& text, Json labels = {{"belay.dev/policy", "true"}},
                const std::string& key = "production.yaml") {
  return {{"metadata", {{"labels", std::move(labels)}}}, {"data", {{key, text}}}};
}

/// The response to a review on an endpoint, under no policy at all.
Json ask(const Json& review, admission::Endpoint endpoint = admission::Endpoint::kValidatePolicy) {
  const namespaces::FixedNamespaces namespaces;
  const auto today = [] {
    return std::chrono::year_month_day{std::chrono::year{2026}, std::chrono::June,
                                       std::chrono::day{1}};
  };
  admission::Admission admission(namespaces, {.today = today, .config_maps = review_config_map});
  std::string body = review.dump();
  std::string out;
  const admission::Result result =
      admission.admit(endpoint, policy::PolicySet{}, {body.data(), body.size()}, out);
  const Json answered = Json::parse(out);
  if (result.http_status != 200) return answered;
  CHECK((result.outcome == admission::Outcome::kAllowed) ==
        answered["response"]["allowed"].get<bool>());
  CHECK(result.review->metric_kind == "ConfigMap");
  return answered["response"];
}

Json created(const Json& object,
             admission::Endpoint endpoint = admission::Endpoint::kValidatePolicy) {
  return ask(test::review("", "ConfigMap", object), endpoint);
}

bool is_plainly_allowed(const Json& response) {
  return response["allowed"] == true && !response.contains("warnings");
}

TEST_CASE("a ConfigMap whose policy is invalid is refused with every error and its line") {
  for (const admission::Endpoint endpoint :
       {admission::Endpoint::kValidatePolicy, admission::Endpoint::kValidate}) {
    const Json response = created(config_map(kBad), endpoint);
    CHECK(response["allowed"] == false);
    const Json& status = response["status"];
    CHECK(status["message"] ==
          "ConfigMap shop/checkout: 2 problems\n"
          "  data[production.yaml]:5:11: spec.rules.mutabelTag: unknown key; did you mean "
          "\"mutableTag\"?\n"
          "  data[production.yaml]:6:9: spec.mode: must be one of enforce, warn, audit, not the "
          "string \"deny\"");
    CHECK(status["reason"] == "Invalid");
    CHECK(status["code"] == 422);
    CHECK(status["details"]["kind"] == "ConfigMap");
    CHECK(status["details"]["name"] == "checkout");
    REQUIRE(status["details"]["causes"].size() == 2);
    CHECK(status["details"]["causes"][0] ==
          Json{{"reason", "policy"},
               {"message",
                "line 5, column 11: spec.rules.mutabelTag: unknown key; did you mean "
                "\"mutableTag\"?"},
               {"field", "data[production.yaml]"}});
  }
  const Json update =
      ask(test::review("", "ConfigMap", config_map(kBad), "UPDATE", config_map(kGood)));
  CHECK(update["allowed"] == false);
  CHECK(created(
            config_map(kGood, {{"belay.dev/policy", "true"}}, "notes.txt"))["status"]["message"] ==
        "ConfigMap shop/checkout: 1 problem\n"
        "  data: contains no policy: no key ends in .yaml, .yml or .json");
}

TEST_CASE("what became invalid is refused where it changes, not where it stands already") {
  Json annotated = config_map(kBad);
  annotated["metadata"]["annotations"] = {{"belay.dev/status", "does not read"}};
  CHECK(ask(test::review("", "ConfigMap", annotated, "UPDATE", config_map(kBad)))["allowed"] ==
        true);
  CHECK(ask(test::review("", "ConfigMap", config_map(kBad), "UPDATE",
                         config_map(kBad, Json::object())))["allowed"] == false);
}

TEST_CASE("a ConfigMap whose policies are valid, or that contains none, is admitted") {
  CHECK(is_plainly_allowed(created(config_map(kGood))));
  CHECK(is_plainly_allowed(created(config_map(kBad, Json::object()))));
  CHECK(is_plainly_allowed(created(config_map(kBad, {{"belay.dev/policy", "false"}}))));
  CHECK(is_plainly_allowed(created(Json{{"metadata", Json::object()}})));
  CHECK(is_plainly_allowed(created(config_map(kBad), admission::Endpoint::kMutate)));
}

TEST_CASE(
    "a ConfigMap that loses the label or goes is let pass with a warning about its policies") {
  const Json unlabelled = ask(test::review("", "ConfigMap", config_map(kGood, Json::object()),
                                           "UPDATE", config_map(kGood)));
  CHECK(unlabelled["allowed"] == true);
  CHECK(unlabelled["warnings"] ==
        Json{"policy \"production\" no longer applies: ConfigMap shop/checkout has lost the label "
             "belay.dev/policy: \"true\""});
  const Json gone = ask(test::review("", "ConfigMap", nullptr, "DELETE", config_map(kGood)));
  CHECK(gone["allowed"] == true);
  CHECK(gone["warnings"] ==
        Json{"policy \"production\" no longer applies: ConfigMap shop/checkout is deleted"});
  CHECK(is_plainly_allowed(
      ask(test::review("", "ConfigMap", nullptr, "DELETE", config_map(kGood, Json::object())))));
}

TEST_CASE("an exemption that has expired is warned of, not refused") {
  const Json response = created(config_map(
      kGood + "  exemptions:\n  - {images: [quay.io], reason: r, expires: 2026-05-31}\n"));
  CHECK(response["allowed"] == true);
  CHECK(response["warnings"] ==
        Json{"policy \"production\": exemptions[0] (quay.io) expired on 2026-05-31 and is "
             "ignored"});
}

TEST_CASE("a refusal stays within its limits, and shows nothing that could mislead a terminal") {
  std::string many = kGood;
  for (int i = 0; i < 200; ++i) {
    many += "unknown-" + std::string(40, 'x') + std::to_string(i) + ": 1\n";
  }
  const Json status = created(config_map(many))["status"];
  const std::string message = status["message"];
  CHECK(message.size() <= policy::kMaxMessageBytes);
  CHECK(message.starts_with("ConfigMap shop/checkout: 200 problems\n"));
  CHECK(message.ends_with(" more"));
  CHECK(status["details"]["causes"].size() == policy::kMaxCauses);

  const Json hostile = created(config_map(kGood + "\"\\e[2Jkey\\u202e\": 1\n"))["status"];
  CHECK(hostile.dump().find("\\u001b") == std::string::npos);
  CHECK(hostile["message"].get<std::string>().find("\\u{1b}[2Jkey\\u{202e}") != std::string::npos);
}

TEST_CASE("/validate-policy evaluates ConfigMaps only") {
  const Json answer = ask(test::pod_review({test::container("web", "nginx:latest")}));
  CHECK(answer["error"]["code"] == "kind");
}

TEST_CASE("data that is not a mapping of strings spoils a ConfigMap, and nothing else") {
  for (const Json& data : {Json("text"), Json{{"a.yaml", 1}}, Json{{"a.yaml", {{"b", "c"}}}}}) {
    const Json object = {{"metadata", {{"labels", {{"belay.dev/policy", "true"}}}}},
                         {"data", data}};
    CHECK(created(object)["error"]["code"] == "wrong-type");
    Json pod = test::pod({test::container("web", "nginx:1.2.3")});
    pod["data"] = data;
    const namespaces::FixedNamespaces namespaces;
    admission::ReviewReader reader;
    std::string body = test::review("", "Pod", pod).dump();
    CHECK(reader.read({body.data(), body.size()}).has_value());
  }
}

TEST_CASE("a ConfigMap of many keys is compared with what it was in little time") {
  Json before = config_map("x");
  for (int i = 10'000; i < 19'000; ++i) before["data"]["k" + std::to_string(i) + ".yaml"] = "x";
  Json after = before;  // every key but one at another position
  after["data"].erase("production.yaml");
  after["data"]["a.yaml"] = "x";
  const auto cpu_time = [](const Json& review) {
    const std::clock_t begin = std::clock();
    CHECK(ask(review)["allowed"] == false);
    return std::clock() - begin;
  };
  const auto alone = cpu_time(test::review("", "ConfigMap", after));
  CHECK(cpu_time(test::review("", "ConfigMap", after, "UPDATE", before)) < 8 * alone);
}

}  // namespace
}  // namespace belay::webhook::policies
