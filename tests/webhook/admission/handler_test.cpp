// The handler: media types, endpoints, readiness, and what the observer hears.
#include "webhook/admission/handler.h"
#include "webhook/namespaces/fixed_namespaces.h"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/webhook/admission/policies.h"
#include "tests/webhook/admission/review_text.h"

namespace belay::webhook::admission {
namespace {

class Recorder final : public DecisionObserver {
 public:
  void decided(const Result& result, Endpoint endpoint,
               std::chrono::nanoseconds duration) override {
    heard.push_back(std::string(name_of(result.outcome)) +
                    (endpoint == Endpoint::kMutate ? " mutate" : " validate"));
    CHECK(duration.count() >= 0);
  }
  void rejected(Rejection reason, Endpoint /*endpoint*/) override {
    heard.emplace_back(name_of(reason));
  }
  void flush() override { heard.emplace_back("flush"); }
  std::vector<std::string> heard;
};

struct Setup {
  Snapshot<policy::PolicySet> policies;
  namespaces::FixedNamespaces namespaces;
  Recorder recorder;
  AdmissionHandler handler{policies, namespaces, recorder, {.today = test::fixed_day()}};

  http::Response ask(std::string_view path, std::string_view type, std::string body) {
    http::Response response;
    handler.handle({path, "", type, {body.data(), body.size()}}, response);
    return response;
  }
  void publish() {
    policies.publish(
        std::make_shared<const policy::PolicySet>(test::set_of(test::tag_policy("production"))));
  }
};

const std::string kBad = test::pod_review({test::container("web", "nginx:latest")}).dump();

TEST_CASE("before policies have been read nothing is decided") {
  Setup setup;
  const http::Response response = setup.ask("/validate", "application/json", kBad);
  CHECK(response.status == 503);
  CHECK(test::Json::parse(response.body)["error"]["code"] == "not-ready");
  setup.publish();
  CHECK(setup.ask("/validate", "application/json", kBad).status == 200);
  CHECK(setup.recorder.heard == std::vector<std::string>{"not-ready", "denied validate"});
}

TEST_CASE("a policy that is published is in force for the next request") {
  Setup setup;
  setup.policies.publish(std::make_shared<const policy::PolicySet>());
  (void)setup.ask("/validate", "application/json", kBad);
  setup.publish();
  (void)setup.ask("/validate", "application/json", kBad);
  setup.handler.flush();
  CHECK(setup.recorder.heard ==
        std::vector<std::string>{"allowed validate", "denied validate", "flush"});
}

TEST_CASE("only application/json is read") {
  Setup setup;
  setup.publish();
  for (const char* type : {"application/json", "application/json; charset=utf-8",
                           "Application/JSON", " application/json ;x=y"}) {
    CAPTURE(type);
    CHECK(setup.ask("/validate", type, kBad).status == 200);
  }
  for (const char* type : {"", "text/plain", "application/jsonp", "application/yaml", "json",
                           "application/json+patch", "text/json;application/json"}) {
    CAPTURE(type);
    const http::Response response = setup.ask("/validate", type, kBad);
    CHECK(response.status == 415);
    CHECK(test::Json::parse(response.body)["error"]["code"] == "media-type");
  }
}

TEST_CASE("the path chooses the endpoint, a bad body is a 400") {
  Setup setup;
  setup.publish();
  CHECK(setup.ask("/mutate", "application/json", kBad).status == 200);
  const http::Response response = setup.ask("/validate", "application/json", "{");
  CHECK(response.status == 400);
  CHECK(test::Json::parse(response.body)["error"]["code"] == "syntax");
  CHECK(setup.recorder.heard == std::vector<std::string>{"allowed mutate", "bad-request validate"});
}

}  // namespace
}  // namespace belay::webhook::admission
