// Reviews of namespaces: which of them are evaluated, by what, and for whom.
#include <doctest/doctest.h>

#include "tests/webhook/admission/policies.h"
#include "tests/webhook/admission/review_text.h"
#include "webhook/admission/admission.h"
#include "webhook/namespaces/fixed_namespaces.h"

namespace belay::webhook::admission {
namespace {

using test::Json;

Json labelled(Json labels) { return {{"metadata", {{"labels", std::move(labels)}}}}; }

Json update(const std::string& subresource = "") {
  Json review = test::review("", "Namespace", labelled({{"environment", "dev"}}), "UPDATE",
                             labelled({{"environment", "prod"}}));
  review["request"]["name"] = "shop";
  if (!subresource.empty()) review["request"]["subResource"] = subresource;
  return review;
}

Outcome outcome_of(const Json& review) {
  policy::Policy policy;
  policy.name = "locking";
  policy.rules.namespace_environment.emplace().break_glass_groups = {"platform-admins"};
  const namespaces::FixedNamespaces namespaces;
  Admission admission(namespaces);
  std::string body = review.dump();
  std::string out;
  const auto policies = test::set_of(policy);
  const Result result =
      admission.admit(Endpoint::kValidate, policies, {body.data(), body.size()}, out);
  if (result.review != nullptr) CHECK(result.review->metric_kind == "Namespace");
  return result.outcome;
}

TEST_CASE("B14: a namespace's environment is held through status and finalize as well") {
  for (const char* subresource : {"", "status", "finalize"}) {
    CHECK(outcome_of(update(subresource)) == Outcome::kDenied);
  }
}

TEST_CASE("a namespace that is made or deleted is let pass") {
  CHECK(outcome_of(test::review("", "Namespace", labelled({{"environment", "dev"}}))) ==
        Outcome::kAllowed);
  CHECK(outcome_of(test::review("", "Namespace", nullptr, "DELETE",
                                labelled({{"environment", "prod"}}))) == Outcome::kAllowed);
}

TEST_CASE("break-glass looks at userInfo.groups alone") {
  Json review = update();
  review["request"]["userInfo"]["groups"] = {"dev", "platform-admins"};
  CHECK(outcome_of(review) == Outcome::kAllowed);
  review["request"]["userInfo"]["groups"] = {"dev"};
  review["request"]["userInfo"]["extra"] = {{"groups", {"platform-admins"}}};
  review["request"]["object"]["groups"] = {"platform-admins"};
  CHECK(outcome_of(review) == Outcome::kDenied);
  review["request"]["userInfo"]["username"] = "platform-admins";
  CHECK(outcome_of(review) == Outcome::kDenied);
  review["request"]["userInfo"]["groups"] = "platform-admins";
  CHECK(outcome_of(review) == Outcome::kBadRequest);
}

TEST_CASE("groups of one request are forgotten with it") {
  policy::Policy policy;
  policy.name = "locking";
  policy.rules.namespace_environment.emplace().break_glass_groups = {"platform-admins"};
  const auto policies = test::set_of(policy);
  const namespaces::FixedNamespaces namespaces;
  Admission admission(namespaces);
  Json member = update();
  member["request"]["userInfo"]["groups"] = {"platform-admins"};
  for (const auto& [review, outcome] :
       {std::pair{member, Outcome::kAllowed}, std::pair{update(), Outcome::kDenied}}) {
    std::string body = review.dump();
    std::string out;
    CHECK(admission.admit(Endpoint::kValidate, policies, {body.data(), body.size()}, out).outcome ==
          outcome);
  }
}

TEST_CASE("a namespace's update without its old labels cannot be evaluated, and is not a verdict") {
  Json review = update();
  review["request"]["oldObject"] = nullptr;
  CHECK(outcome_of(review) == Outcome::kBadRequest);
}

}  // namespace
}  // namespace belay::webhook::admission
