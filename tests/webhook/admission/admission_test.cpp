// From the body of a request to its answer: the rows of docs/threats.md as a cluster sees
// them. nlohmann reads the answers.
#include "webhook/admission/admission.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/webhook/admission/no_namespaces.h"
#include "tests/webhook/admission/noting_waiter.h"
#include "tests/webhook/admission/policies.h"
#include "tests/webhook/admission/review_text.h"
#include "webhook/namespaces/fixed_namespaces.h"
#include "webhook/policies/config_map_review.h"
#include "webhook/workload/workload_kinds.h"

namespace belay::webhook::admission {
namespace {

using test::at;
using test::container;
using test::environment_policy;
using test::fixed_day;
using test::Json;
using test::pod;
using test::pod_review;
using test::review;
using test::set_of;
using test::tag_policy;

struct Answered {
  int http_status = 0;
  Outcome outcome{};
  Json json;

  const Json& response() const { return json["response"]; }
  bool allowed() const { return response()["allowed"].get<bool>(); }
  std::string message() const { return response()["status"]["message"].get<std::string>(); }
  /// "mutable-tag spec.containers[0].image" of each cause, one a line.
  std::string causes() const {
    std::string out;
    for (const Json& cause : response()["status"]["details"]["causes"]) {
      out += cause["reason"].get<std::string>() + " " + cause["field"].get<std::string>() + "\n";
    }
    return out;
  }
};

struct Setup {
  policy::PolicySet policies = set_of(tag_policy("production"));
  namespaces::FixedNamespaces namespaces;
  std::vector<ExtraTemplate> extra;
  Endpoint endpoint = Endpoint::kValidate;

  Answered ask(std::string body) const {
    Admission admission(namespaces, {.today = fixed_day(),
                                     .extra_templates = extra,
                                     .config_maps = policies::review_config_map});
    std::string out = "left over";
    const Result result = admission.admit(endpoint, policies, {body.data(), body.size()}, out);
    return {result.http_status, result.outcome, Json::parse(out)};
  }
  Answered ask(const Json& json) const { return ask(json.dump()); }
};

TEST_CASE("an image without fault is allowed, and nothing more is said") {
  const Answered a = Setup().ask(pod_review({container("web", "nginx:1.27")}));
  CHECK(a.http_status == 200);
  CHECK(a.outcome == Outcome::kAllowed);
  CHECK(a.json == Json{{"kind", "AdmissionReview"},
                       {"apiVersion", "admission.k8s.io/v1"},
                       {"response", {{"uid", test::kUid}, {"allowed", true}}}});
}

TEST_CASE("a denial is 403 Forbidden with its message, causes and audit annotations") {
  const Answered a =
      Setup().ask(pod_review({container("web", "nginx:latest"), container("log", "fluentd")}));
  CHECK(a.http_status == 200);
  CHECK(a.outcome == Outcome::kDenied);
  CHECK(a.json["kind"] == "AdmissionReview");
  CHECK(a.json["apiVersion"] == "admission.k8s.io/v1");
  CHECK(a.response()["uid"] == test::kUid);
  CHECK_FALSE(a.allowed());
  const Json& status = a.response()["status"];
  CHECK(status["status"] == "Failure");
  CHECK(status["code"] == 403);
  CHECK(status["reason"] == "Forbidden");
  CHECK(status["details"]["name"] == "checkout");
  CHECK(status["details"]["kind"] == "Pod");
  CHECK(a.causes() ==
        "tag-required spec.containers[1].image\n"
        "mutable-tag spec.containers[0].image\n");
  CHECK(status["details"]["causes"][1]["message"].get<std::string>().starts_with(
      R"("nginx:latest" has tag "latest", which can move)"));
  CHECK(a.message().starts_with("Pod shop/checkout: 2 problems, policy \"production\"\n"));
  CHECK(a.response()["auditAnnotations"] == Json{{"policy", "production"},
                                                 {"revision", "0123456789ab"},
                                                 {"rules", "tag-required,mutable-tag"}});
  CHECK_FALSE(a.response().contains("patch"));
  CHECK_FALSE(a.response().contains("patchType"));
  CHECK_FALSE(a.response().contains("warnings"));
}

TEST_CASE("a policy in warn mode admits with a warning") {
  policy::Policy lenient = tag_policy("lenient");
  lenient.mode = policy::Mode::kWarn;
  Setup setup;
  setup.policies = set_of(lenient);
  const Answered a = setup.ask(pod_review({container("web", "nginx:latest")}));
  CHECK(a.allowed());
  CHECK(a.outcome == Outcome::kAllowed);
  CHECK_FALSE(a.response().contains("status"));
  REQUIRE(a.response()["warnings"].size() == 1);
  CHECK(a.response()["warnings"][0].get<std::string>().find("nginx:latest") != std::string::npos);
  CHECK(a.response()["auditAnnotations"]["rules"] == "mutable-tag");
}

TEST_CASE("a policy in audit mode admits and leaves a mark in the audit log only") {
  policy::Policy quiet = tag_policy("quiet");
  quiet.mode = policy::Mode::kAudit;
  Setup setup;
  setup.policies = set_of(quiet);
  const Answered a = setup.ask(pod_review({container("web", "nginx:latest")}));
  CHECK(a.allowed());
  CHECK_FALSE(a.response().contains("warnings"));
  CHECK(a.response()["auditAnnotations"]["policy"] == "quiet");
}

TEST_CASE("more than 64 causes are cut, the message stays within 4 KiB") {
  Json containers = Json::array();
  for (int i = 0; i < 200; ++i) {
    containers.push_back(container("c" + std::to_string(i), "registry.example.com/a:latest"));
  }
  const Answered a = Setup().ask(pod_review(containers));
  CHECK(a.response()["status"]["details"]["causes"].size() == 64);
  CHECK(a.message().size() <= 4096);
}

TEST_CASE("B1: an ephemeral container with :latest is denied") {
  Json object = pod({container("web", "a:1")});
  const Json old = object;
  object["spec"]["ephemeralContainers"] = Json::array({container("debug", "busybox:latest")});
  Json json = review("", "Pod", object, "UPDATE", old);
  json["request"]["subResource"] = "ephemeralcontainers";
  CHECK(Setup().ask(json).causes() == "mutable-tag spec.ephemeralContainers[0].image\n");
}

TEST_CASE("B2: an init container with :latest is denied") {
  Json object = pod({container("web", "a:1")});
  object["spec"]["initContainers"] = Json::array({container("init", "busybox:latest")});
  CHECK(Setup().ask(review("", "Pod", object)).causes() ==
        "mutable-tag spec.initContainers[0].image\n");
}

TEST_CASE("B3: a sidecar with :latest is denied") {
  Json object = pod({container("web", "a:1")});
  Json sidecar = container("mesh", "proxy:latest");
  sidecar["restartPolicy"] = "Always";
  object["spec"]["initContainers"] = Json::array({sidecar});
  CHECK(Setup().ask(review("", "Pod", object)).causes() ==
        "mutable-tag spec.initContainers[0].image\n");
}

TEST_CASE("B4: an image volume with :latest is denied") {
  Json object = pod({container("web", "a:1")});
  object["spec"]["volumes"] = {{{"name", "m"}, {"image", {{"reference", "ai/model:latest"}}}}};
  CHECK(Setup().ask(review("", "Pod", object)).causes() ==
        "mutable-tag spec.volumes[0].image.reference\n");
}

TEST_CASE("B5: :latest is denied in the template of every kind") {
  for (const workload::WorkloadKind& row : workload::workload_kinds()) {
    CAPTURE(row.kind);
    const Answered a = Setup().ask(
        review(row.group, row.kind, at(row.pod_path, pod({container("web", "a:latest")}))));
    const std::string prefix = row.pod_path.empty() ? "" : std::string(row.pod_path) + ".";
    CHECK(a.causes() == "mutable-tag " + prefix + "spec.containers[0].image\n");
    CHECK(a.message().starts_with(std::string(row.kind) + " shop/checkout: 1 problem"));
  }
}

TEST_CASE("B6: pods are evaluated whoever owns them, custom resources where they are named") {
  Json object = pod({container("web", "a:latest")});
  object["metadata"]["ownerReferences"] = {
      {{"apiVersion", "argoproj.io/v1alpha1"}, {"kind", "Rollout"}, {"controller", true}}};
  CHECK_FALSE(Setup().ask(review("", "Pod", object)).allowed());

  const Json rollout = review("argoproj.io", "Rollout", at("spec.template", object));
  CHECK(Setup().ask(rollout).allowed());
  Setup with_rollouts;
  with_rollouts.extra = {{"argoproj.io", "Rollout", "spec.template"}};
  CHECK(with_rollouts.ask(rollout).causes() ==
        "mutable-tag spec.template.spec.containers[0].image\n");
}

TEST_CASE("B7: the image of a running pod changed to :latest is denied") {
  const Json before = pod({container("web", "a:1")});
  const Json after = pod({container("web", "a:latest")});
  CHECK_FALSE(Setup().ask(review("", "Pod", after, "UPDATE", before)).allowed());
}

TEST_CASE("B7: what violated before passes with a warning, under another name it does not") {
  const Json before = pod({container("web", "a:latest")});
  Json after = before;
  after["metadata"]["finalizers"] = Json::array();
  const Answered unchanged = Setup().ask(review("", "Pod", after, "UPDATE", before));
  CHECK(unchanged.allowed());
  CHECK(unchanged.response()["warnings"].size() == 1);
  after["spec"]["containers"][0]["name"] = "other";
  CHECK_FALSE(Setup().ask(review("", "Pod", after, "UPDATE", before)).allowed());
}

TEST_CASE("B8: an object that is being deleted is evaluated like any other") {
  Json before = pod({container("web", "a:1")});
  Json after = pod({container("web", "a:latest")});
  for (Json* object : {&before, &after}) {
    (*object)["metadata"]["deletionTimestamp"] = "2026-06-01T00:00:00Z";
  }
  CHECK_FALSE(Setup().ask(review("", "Pod", after, "UPDATE", before)).allowed());
  CHECK(Setup().ask(review("", "Pod", before, "UPDATE", before)).allowed());
  CHECK_FALSE(Setup().ask(review("", "Pod", after)).allowed());
}

TEST_CASE("B9: changing or removing the environment label of a running pod is evaluated") {
  Setup setup;
  setup.policies = set_of(environment_policy("environments"));
  setup.namespaces.set("shop", "environment", "prod");
  const Json before = pod({container("web", "a:1")});
  CHECK(setup.ask(review("", "Pod", before, "UPDATE", before)).allowed());

  Json changed = before;
  changed["metadata"]["labels"]["environment"] = "dev";
  CHECK(setup.ask(review("", "Pod", changed, "UPDATE", before)).causes() ==
        "environment-namespace metadata.labels.environment\n");
  Json removed = before;
  removed["metadata"]["labels"] = nullptr;
  CHECK(setup.ask(review("", "Pod", removed, "UPDATE", before)).causes() ==
        "environment-label metadata.labels\n");
  Json status = review("", "Pod", removed, "UPDATE", before);
  status["request"]["subResource"] = "status";
  CHECK_FALSE(setup.ask(status).allowed());
}

TEST_CASE("B17: where the namespace is not known, nothing is allowed") {
  const test::NoNamespaces namespaces;
  Admission admission(namespaces, {.today = fixed_day()});
  const auto policies = set_of(environment_policy("environments"));
  std::string body = pod_review({container("web", "a:1")}).dump();
  std::string out;
  test::NotingWaiter waiter;
  Request request;
  const Result result =
      *admission.admit(request, policies, {body.data(), body.size()}, out, waiter);
  CHECK(result.outcome == Outcome::kUndecided);
  CHECK(result.http_status == 200);
  const Json response = Json::parse(out)["response"];
  CHECK(response["uid"] == test::kUid);
  CHECK(response["allowed"] == false);
  CHECK(response["status"]["code"] == 503);
  CHECK(response["status"]["reason"] == "ServiceUnavailable");
  CHECK(response["status"]["details"]["retryAfterSeconds"] == 1);
  CHECK(response["status"]["message"].get<std::string>().find("\"shop\"") != std::string::npos);
  CHECK(response["auditAnnotations"].contains("undecided"));
  CHECK(waiter.noted == "shop");
}

TEST_CASE("B17: why the namespace is not known is reported, and names the request's namespace") {
  const test::NoNamespaces namespaces;
  Admission admission(namespaces, {.today = fixed_day()});
  const auto policies = set_of(environment_policy("environments"));
  Json json = pod_review({container("web", "a:1")});
  json["request"]["object"]["metadata"]["namespace"] = "vault";
  std::string body = json.dump();
  std::string out;
  test::NotingWaiter waiter;
  waiter.problem = "the API server did not respond in time";
  Request request;
  REQUIRE(admission.admit(request, policies, {body.data(), body.size()}, out, waiter).has_value());
  CHECK(waiter.noted == "shop");
  CHECK(Json::parse(out)["response"]["status"]["message"].get<std::string>().starts_with(
      "Pod shop/checkout: could not be evaluated: the labels of namespace \"shop\" are not known: "
      "the "
      "API server did not respond in time. Try again in a moment"));
}

TEST_CASE("an update that touches nothing that is evaluated waits for no namespace") {
  const test::NoNamespaces namespaces;
  Admission admission(namespaces, {.today = fixed_day()});
  const auto policies = set_of(environment_policy("environments"));
  const Json same = pod({container("web", "a:1")});
  std::string body = review("", "Pod", same, "UPDATE", same).dump();
  std::string out;
  test::NotingWaiter waiter;
  Request request;
  const Result result =
      *admission.admit(request, policies, {body.data(), body.size()}, out, waiter);
  CHECK(result.outcome == Outcome::kAllowed);
  CHECK(waiter.noted.empty());
}

TEST_CASE("B17: a policy that needs no namespace decides without one") {
  const test::NoNamespaces namespaces;
  Admission admission(namespaces, {.today = fixed_day()});
  std::string body = pod_review({container("web", "a:1")}).dump();
  std::string out;
  const auto policies = set_of(tag_policy("tags"));
  CHECK(admission.admit(Endpoint::kValidate, policies, {body.data(), body.size()}, out).outcome ==
        Outcome::kAllowed);
}

TEST_CASE("B17: the namespace of the request counts, not the one the object claims") {
  Setup setup;
  setup.policies = set_of(environment_policy("environments"));
  setup.namespaces.set("shop", "environment", "dev");
  setup.namespaces.set("vault", "environment", "prod");
  Json json = pod_review({container("web", "a:1")});
  json["request"]["object"]["metadata"]["namespace"] = "vault";
  CHECK_FALSE(setup.ask(json).allowed());
}

TEST_CASE("B20: a denial names the generated name") {
  Json json = pod_review({container("web", "a:latest")});
  json["request"].erase("name");
  json["request"]["object"]["metadata"]["generateName"] = "checkout-6d4b75cb6d-";
  const Answered a = Setup().ask(json);
  CHECK(a.message().starts_with("Pod shop/checkout-6d4b75cb6d-*: 1 problem"));
  CHECK_FALSE(a.response()["status"]["details"].contains("name"));
}

TEST_CASE("B28: blanks around an image are denied, in templates too") {
  for (const char* image : {" a:1", "a:1 ", "a:1\n", "\ta:1"}) {
    CAPTURE(image);
    CHECK_FALSE(Setup().ask(pod_review({container("web", image)})).allowed());
    CHECK(
        Setup()
            .ask(review("apps", "Deployment", at("spec.template", pod({container("web", image)}))))
            .causes() == "image-reference spec.template.spec.containers[0].image\n");
  }
}

TEST_CASE("B29: an empty image is a warning in a template and a denial in a pod") {
  CHECK_FALSE(Setup().ask(pod_review({container("web", "")})).allowed());
  const Answered a =
      Setup().ask(review("apps", "Deployment", at("spec.template", pod({container("web", "")}))));
  CHECK(a.allowed());
  CHECK(a.response()["warnings"].size() == 1);
}

TEST_CASE("B33: a pod without any image is denied") {
  for (const Json& object :
       {Json(Json::object()), Json{{"spec", {{"containers", Json::array()}}}}}) {
    CHECK_FALSE(Setup().ask(review("", "Pod", object)).allowed());
  }
}

TEST_CASE("B34: what cannot be read is a 400 without verdict") {
  const std::string good = pod_review({container("web", "a:latest")}).dump();
  for (const std::string& body : {std::string(), good.substr(0, good.size() / 2), good + "}",
                                  std::string("null"), std::string(5'000'000, ' ')}) {
    const Answered a = Setup().ask(body);
    CHECK(a.http_status == 400);
    CHECK(a.outcome == Outcome::kBadRequest);
    CHECK_FALSE(a.json.contains("response"));
    CHECK(a.json["error"]["code"].is_string());
    CHECK(a.json["error"]["message"].get<std::string>().size() > 10);
  }
}

TEST_CASE("B35: DELETE is allowed, CONNECT and what is unknown is a 400") {
  for (const Endpoint endpoint : {Endpoint::kValidate, Endpoint::kMutate}) {
    Setup setup;
    setup.endpoint = endpoint;
    Json json = review("", "Pod", nullptr, "DELETE", pod({container("web", "a:latest")}));
    CHECK(setup.ask(json).allowed());
    for (const char* operation : {"CONNECT", "PATCH", "", "delete"}) {
      json["request"]["operation"] = operation;
      CHECK(setup.ask(json).http_status == 400);
    }
  }
}

TEST_CASE("/mutate allows without a patch and reads as strictly") {
  Setup setup;
  setup.endpoint = Endpoint::kMutate;
  const Answered a = setup.ask(pod_review({container("web", "a:latest")}));
  CHECK(a.allowed());
  CHECK(a.response().size() == 2);
  CHECK(setup.ask(std::string("{}")).http_status == 400);
}

TEST_CASE("kinds that are not evaluated are allowed") {
  CHECK(Setup().ask(review("", "ConfigMap", {{"data", Json::object()}})).allowed());
  CHECK(Setup()
            .ask(review("autoscaling", "Scale", Json::object(), "UPDATE", Json::object()))
            .allowed());
}

TEST_CASE("text of users is escaped where it is shown and cannot break the answer") {
  const Answered a = Setup().ask(pod_review({container("we\"b\u202e", "a\u0430\x1b[31m:latest")}));
  CHECK_FALSE(a.allowed());
  CHECK(a.message().find("\\u{202e}") != std::string::npos);
  for (const char c : a.message()) CHECK((c == '\n' || (c >= 0x20 && c < 0x7F)));
}

TEST_CASE("property: every answer carries the uid it was asked with") {
  CHECK(rc::check([] {
    const auto bytes = *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
    Json json = pod_review({container("web", *rc::gen::element<std::string>("a:1", "a:latest"))});
    json["request"]["uid"] = bytes;
    const Answered a = Setup().ask(json);
    if (bytes.empty() || bytes.size() > 128) {
      RC_ASSERT(a.http_status == 400);
    } else {
      RC_ASSERT(a.response()["uid"] == bytes);
    }
  }));
}

TEST_CASE("one admission answers one request after another") {
  const namespaces::FixedNamespaces namespaces;
  Admission admission(namespaces, {.today = fixed_day()});
  const auto policies = set_of(tag_policy("production"));
  const auto outcome = [&](const Json& json) {
    std::string body = json.dump();
    std::string out;
    return admission.admit(Endpoint::kValidate, policies, {body.data(), body.size()}, out).outcome;
  };
  const Json good = pod_review({container("web", "a:1")});
  const Json bad = pod_review({container("web", "a:latest")});
  CHECK(outcome(bad) == Outcome::kDenied);
  CHECK(outcome(good) == Outcome::kAllowed);
  CHECK(outcome({{"kind", 1}}) == Outcome::kBadRequest);
  CHECK(outcome(good) == Outcome::kAllowed);
  CHECK(outcome(bad) == Outcome::kDenied);
}

TEST_CASE("namespaces from the command line: labels, their own name, and what is wrong") {
  namespaces::FixedNamespaces namespaces;
  CHECK(namespaces.add("shop:environment=prod") == "");
  CHECK(namespaces.add("shop:team=") == "");
  CHECK(namespaces.add("shop:environment=test") == "");
  CHECK(namespaces.add("apps:example.com/tier=a") == "");
  std::vector<policy::Label> labels;
  REQUIRE(namespaces.find("shop", labels));
  REQUIRE(labels.size() == 3);
  CHECK(*policy::find_label(labels, "environment") == "test");
  CHECK(*policy::find_label(labels, "team") == "");
  CHECK(*policy::find_label(labels, "kubernetes.io/metadata.name") == "shop");
  REQUIRE(namespaces.find("unheard", labels));
  CHECK(labels.size() == 1);
  for (const char* text :
       {"", "shop", "shop:environment", ":a=b", "shop=a:b", "shop:-a=b", "shop:a=b c"}) {
    CAPTURE(text);
    CHECK(namespaces.add(text) != "");
  }
}

}  // namespace
}  // namespace belay::webhook::admission
