// /mutate from body to response: which images get which digest, what the patch makes of the object,
// and what is said where a registry can't be asked. nlohmann applies the patches.
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "policy/text/base64.h"
#include "tests/webhook/admission/no_namespaces.h"
#include "tests/webhook/admission/noting_waiter.h"
#include "tests/webhook/admission/policies.h"
#include "tests/webhook/admission/registry_fake.h"
#include "tests/webhook/admission/review_text.h"
#include "webhook/admission/admission.h"
#include "webhook/admission/blocking_waiter.h"
#include "webhook/namespaces/fixed_namespaces.h"

namespace belay::webhook::admission {
namespace {

using policy::OnRegistryError;
using test::at;
using test::container;
using test::digest_of;
using test::Json;
using test::pin_policy;
using test::pod;
using test::pod_review;
using test::review;
using test::set_of;

struct Mutated {
  int http_status = 0;
  Outcome outcome{};
  PinCounts pins;
  Json response;
  Json object;  ///< the request's object with the patch applied

  bool patched() const { return response.contains("patch"); }
  std::vector<std::string> warnings() const {
    return response.value("warnings", std::vector<std::string>{});
  }
  std::string image(const char* pointer = "/spec/containers/0/image") const {
    return object[Json::json_pointer(pointer)].get<std::string>();
  }
};

struct Setup {
  policy::PolicySet policies = set_of(pin_policy("pins"));
  test::RegistryFake registry;
  namespaces::FixedNamespaces namespaces;
  Endpoint endpoint = Endpoint::kMutate;
  ImageLookups::Options options{.threads = 8};
  ImageLookups lookups{registry, options};
  BlockingWaiter waiter{&lookups};
  Admission admission{namespaces, {.today = test::fixed_day(), .images = {.source = &registry}}};

  Setup() { registry.have_all(); }

  Mutated mutate(const Json& json) {
    std::string body = json.dump();
    body.reserve(body.size() + 64);
    std::string out = "left over";
    Request request{.endpoint = endpoint};
    const Result result =
        *admission.admit(request, policies, {body.data(), body.size()}, out, waiter);
    Mutated mutated;
    mutated.http_status = result.http_status;
    mutated.outcome = result.outcome;
    mutated.pins = result.pins;
    mutated.response = Json::parse(out)["response"];
    CHECK(mutated.response["uid"] == test::kUid);
    mutated.object = json["request"]["object"];
    if (mutated.patched()) {
      CHECK(mutated.response["patchType"] == "JSONPatch");
      const auto text = policy::base64_decode(mutated.response["patch"].get<std::string>());
      REQUIRE(text.has_value());
      mutated.object = mutated.object.patch(Json::parse(*text));
    }
    return mutated;
  }
};

TEST_CASE("every image of a pod gets the digest of its tag, in the user's spelling") {
  Setup setup;
  setup.registry.push("docker.io/library/nginx:1.27", digest_of('a'));
  setup.registry.push("registry.corp:5000/shop/log:v2", digest_of('b'));
  setup.registry.push("docker.io/ai/model:v1", digest_of('c'));
  Json object = pod({container("web", "nginx:1.27")});
  object["spec"]["initContainers"] =
      Json::array({container("init", "docker.io/library/nginx:1.27")});
  object["spec"]["ephemeralContainers"] =
      Json::array({container("debug", "Registry.corp:5000/shop/log:v2")});
  object["spec"]["volumes"] = {{{"name", "model"}, {"image", {{"reference", "ai/model:v1"}}}},
                               {{"name", "tmp"}, {"emptyDir", Json::object()}}};
  setup.registry.push("Registry.corp:5000/shop/log:v2", digest_of('b'));
  const Mutated m = setup.mutate(review("", "Pod", object));
  CHECK(m.response["allowed"] == true);
  CHECK(m.image() == "nginx:1.27@" + digest_of('a'));
  CHECK(m.image("/spec/initContainers/0/image") ==
        "docker.io/library/nginx:1.27@" + digest_of('a'));
  CHECK(m.image("/spec/ephemeralContainers/0/image") ==
        "Registry.corp:5000/shop/log:v2@" + digest_of('b'));
  CHECK(m.image("/spec/volumes/0/image/reference") == "ai/model:v1@" + digest_of('c'));
  CHECK(m.pins.pinned == 4);
  CHECK(m.warnings().empty());
  CHECK(m.response["auditAnnotations"] == Json{{"pinned", "4"}});
}

TEST_CASE("templates are pinned where their kind keeps them, and mutating twice changes nothing") {
  struct Row {
    const char* group;
    const char* kind;
    const char* path;
  };
  Setup setup;
  for (const Row& row : {Row{"apps", "Deployment", "spec.template"},
                         Row{"batch", "CronJob", "spec.jobTemplate.spec.template"},
                         Row{"batch", "Job", "spec.template"}, Row{"", "PodTemplate", "template"},
                         Row{"", "Pod", ""}}) {
    CAPTURE(row.kind);
    const Json json = review(row.group, row.kind, at(row.path, pod({container("web", "a/b:v1")})));
    const Mutated once = setup.mutate(json);
    REQUIRE(once.patched());
    Json again = json;
    again["request"]["object"] = once.object;
    const Mutated twice = setup.mutate(again);
    CHECK_FALSE(twice.patched());
    CHECK(twice.object == once.object);
    Json dry = json;
    dry["request"]["dryRun"] = true;
    CHECK(setup.mutate(dry).object == once.object);
  }
}

TEST_CASE(
    "B32: what is not to be pinned, as what a controller owns, gets no patch and no question") {
  Setup setup;
  const Json owned = Json::array({{{"kind", "Deployment"}, {"controller", true}}});
  Json replica_set = at("spec.template", pod({container("web", "a/b:v1")}));
  replica_set["metadata"]["ownerReferences"] = owned;
  Json leaving = pod({container("web", "a/b:v1")});
  leaving["metadata"]["deletionTimestamp"] = "2026-11-22T20:59:46Z";
  const Json job = at("spec.template", pod({container("web", "a/b:v1")}));
  for (const Json& json :
       {review("apps", "ReplicaSet", replica_set), review("", "Pod", leaving),
        review("batch", "Job", job, "UPDATE", job),
        pod_review({container("web", "a/b:v1@" + digest_of('1'))}),
        pod_review({container("web", "a/b")}), pod_review({container("web", "a/UPPER:v1")}),
        pod_review({container("web", "auto")}), pod_review({container("web", "")}),
        review("", "Service", Json::object()), review("", "Pod", nullptr, "DELETE", leaving)}) {
    CAPTURE(json.dump());
    const Mutated m = setup.mutate(json);
    CHECK(m.response == Json{{"uid", test::kUid}, {"allowed", true}});
  }
  setup.policies = set_of(test::tag_policy("no pins"));
  CHECK_FALSE(setup.mutate(pod_review({container("web", "a/b:v1")})).patched());
  CHECK(setup.registry.asked() == 0);
  setup.policies = set_of(pin_policy("pins"));
  Json pod_of_replica_set = pod({container("web", "a/b:v1")});
  pod_of_replica_set["metadata"]["ownerReferences"] = owned;
  CHECK(setup.mutate(review("", "Pod", pod_of_replica_set)).patched());  // whoever owns it
}

TEST_CASE("a placeholder is left alone in a template and pinned around") {
  Setup setup;
  policy::Policy policy = pin_policy("pins");
  policy.placeholders = {"auto", "auto:latest"};
  setup.policies = set_of(policy);
  const Mutated m = setup.mutate(review(
      "apps", "Deployment",
      at("spec.template", pod({container("proxy", "auto:latest"), container("web", "b:1")}))));
  CHECK(m.image("/spec/template/spec/containers/0/image") == "auto:latest");
  CHECK(m.image("/spec/template/spec/containers/1/image").starts_with("b:1@sha256:"));
}

TEST_CASE("re-applying the same tag takes the old object's digest and asks nobody") {
  Setup setup;
  const std::string digest = digest_of('7');
  const auto update = [&](const std::string& now, const std::string& before) {
    return setup.mutate(review("apps", "Deployment",
                               at("spec.template", pod({container("web", now)})), "UPDATE",
                               at("spec.template", pod({container("web", before)}))));
  };
  const char* const pointer = "/spec/template/spec/containers/0/image";
  Mutated m = update("docker.io/library/nginx:1.27", "nginx:1.27@" + digest);
  CHECK(m.image(pointer) == "docker.io/library/nginx:1.27@" + digest);
  CHECK(m.pins.reused == 1);
  CHECK(m.response["auditAnnotations"] == Json{{"reused", "1"}});
  CHECK(setup.registry.asked() == 0);
  m = update("nginx:1.28", "nginx:1.27@" + digest);  // another tag: asked for
  CHECK(m.image(pointer) != "nginx:1.28@" + digest);
  CHECK(m.pins.pinned == 1);
  CHECK(setup.registry.asked() == 1);
  setup.registry.fail("registry.corp did not respond in time");
  m = update("nginx:1.27", "nginx:1.27@" + digest);  // with the registry away, too
  CHECK(m.image(pointer) == "nginx:1.27@" + digest);
  CHECK(m.warnings().empty());
}

TEST_CASE("a pod that runs is not restarted: images that an update left alone stay") {
  Setup setup;
  Json old = pod({container("web", "a/b:v1")});
  Json now = old;
  now["spec"]["ephemeralContainers"] = Json::array({container("debug", "busybox:1")});
  const Mutated m = setup.mutate(review("", "Pod", now, "UPDATE", old));
  CHECK(m.image() == "a/b:v1");
  CHECK(m.image("/spec/ephemeralContainers/0/image").starts_with("busybox:1@sha256:"));
}

TEST_CASE("A12: a registry that can't be asked leaves the tag, with the cause in a warning") {
  Setup setup;
  setup.registry.fail("registry.corp:5000 did not respond in time");
  const Mutated m = setup.mutate(pod_review({container("web", "registry.corp:5000/shop/web:v1")}));
  CHECK(m.response["allowed"] == true);
  CHECK_FALSE(m.patched());
  CHECK(m.outcome == Outcome::kAllowed);
  CHECK(m.pins.unpinned == 1);
  CHECK(m.warnings() == std::vector<std::string>{
                            "registry.corp:5000 did not respond in time: "
                            "\"registry.corp:5000/shop/web:v1\" (web) stays without a digest"});
  CHECK(m.response["auditAnnotations"] ==
        Json{{"unpinned", "1"}, {"problem", "registry.corp:5000 did not respond in time"}});
}

TEST_CASE("with onRegistryError: deny an image that can't be pinned is refused with the cause") {
  Setup setup;
  setup.policies = set_of(pin_policy("lax"), pin_policy("strict", OnRegistryError::kDeny));
  setup.registry.push("docker.io/library/nginx:1.27", digest_of('a'));
  setup.registry.push("docker.io/shop/web:v1", "");
  const Mutated m =
      setup.mutate(pod_review({container("ok", "nginx:1.27"), container("web", "shop/web:v1")}));
  CHECK(m.outcome == Outcome::kDenied);
  CHECK(m.response["allowed"] == false);
  CHECK_FALSE(m.patched());
  CHECK(m.pins.denied == 1);
  CHECK(m.pins.pinned == 0);
  const Json& status = m.response["status"];
  CHECK(status["code"] == 403);
  CHECK(status["reason"] == "Forbidden");
  CHECK(status["message"] ==
        "Pod shop/checkout: 1 image that can't be pinned\n"
        "  pin  spec.containers[1].image (web): \"shop/web:v1\" can't be pinned to a digest: "
        "docker.io has no such tag. Try again in a moment, or write the digest after the tag "
        "yourself");
  CHECK(status["details"]["causes"][0]["field"] == "spec.containers[1].image");
  CHECK(status["details"]["causes"][0]["reason"] == "pin");
}

TEST_CASE("what a registry says can't break a patch") {
  Setup setup;
  for (const std::string& hostile :
       {std::string("sha256:\",\"op\":\"remove\",\"path\":\"/spec"), digest_of('a') + "\"}]",
        digest_of('A'), std::string("sha256:abc"), digest_of('a') + "@" + digest_of('b'),
        std::string("md5:") + std::string(32, 'a'), std::string("\0\n", 2), digest_of('a') + " "}) {
    CAPTURE(hostile);
    setup.registry.push("docker.io/shop/web:v1", hostile);
    const Mutated m = setup.mutate(pod_review({container("web", "shop/web:v1")}));
    CHECK(m.http_status == 200);
    CHECK(m.response["allowed"] == true);
    CHECK_FALSE(m.patched());
    REQUIRE(m.warnings().size() == 1);
    CHECK(m.warnings()[0].starts_with("the registry's response is not a digest: "));
  }
}

TEST_CASE("hostile names of containers change neither the patch nor the place") {
  Setup setup;
  for (const char* name :
       {"a/b", "~1", "\"},{\"op\":\"add\"", "../../spec", "\n", "\xF0\x9F\x98\x80"}) {
    CAPTURE(name);
    const Json json = pod_review({container(name, "shop/web:v1")});
    const Mutated m = setup.mutate(json);
    CHECK(m.image().starts_with("shop/web:v1@sha256:"));
    CHECK(m.object["spec"]["containers"][0]["name"] == name);
    setup.registry.fail("x");
    for (const std::string& warning : setup.mutate(json).warnings()) {
      CHECK(warning.size() <= 256);
      CHECK(warning.find_first_not_of(
                " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
                "abcdefghijklmnopqrstuvwxyz{|}~") == std::string::npos);
    }
    setup.registry.fail("");
  }
}

TEST_CASE("warnings are at most 16 of 256 bytes, and denials 4 KiB") {
  Setup setup;
  setup.registry.fail(std::string(500, 'x'));
  Json containers = Json::array();
  for (int i = 0; i < 200; ++i) {
    containers.push_back(container(std::string(200, 'n'),
                                   "shop/" + std::string(200, 'w') + ":v" + std::to_string(i)));
  }
  const Mutated allowed = setup.mutate(pod_review(containers));
  CHECK(allowed.warnings().size() == 16);
  CHECK(allowed.warnings().back() == "and 185 more images stay without a digest");
  for (const std::string& warning : allowed.warnings()) CHECK(warning.size() <= 256);
  setup.policies = set_of(pin_policy("strict", OnRegistryError::kDeny));
  const Mutated denied = setup.mutate(pod_review(containers));
  const auto message = denied.response["status"]["message"].get<std::string>();
  CHECK(message.size() <= 4096);
  CHECK(message.find(" more") != std::string::npos);
  CHECK(denied.response["status"]["details"]["causes"].size() == 64);
}

TEST_CASE("one text is asked about once, at most eight side by side, with the pod's secrets") {
  Setup setup;
  setup.registry.hang();
  Json object = pod(Json::array());
  for (int i = 0; i < 60; ++i) {
    object["spec"]["containers"].push_back(
        container("c" + std::to_string(i), "shop/web:v" + std::to_string(i % 30)));
  }
  object["spec"]["serviceAccountName"] = "builder";
  object["spec"]["imagePullSecrets"] = {{{"name", "a"}}, {{"name", "b"}}};
  std::thread releasing([&] {
    setup.registry.wait_for_asking(8);
    setup.registry.release();
  });
  const Mutated m = setup.mutate(review("", "Pod", object));
  releasing.join();
  CHECK(m.pins.pinned == 60);
  CHECK(setup.registry.asked() == 30);
  CHECK(setup.registry.most_at_once() == 8);
  CHECK(setup.registry.last_identity() == "shop/builder a b");
}

TEST_CASE("what a cache knows needs no worker") {
  Setup setup;
  setup.registry.cache_all();
  CHECK(setup.mutate(pod_review({container("web", "shop/web:v1")})).patched());
  CHECK(setup.registry.asked() == 0);
}

TEST_CASE("an unknown namespace matters to images that may have to be pinned, and to no others") {
  policy::Policy selected = pin_policy("selected");
  selected.match.namespace_selector =
      policy::LabelSelector({{"environment", policy::LabelSelector::Operator::kIn, {"prod"}}});
  policy::Policy strict = selected;
  strict.pin.on_registry_error = OnRegistryError::kDeny;
  const test::NoNamespaces namespaces;
  const auto mutate = [&](const policy::PolicySet& policies, const char* image) {
    test::RegistryFake registry;
    Admission admission(namespaces, {.images = {.source = &registry}});
    std::string body = pod_review({container("web", image)}).dump();
    std::string out;
    test::NotingWaiter asked;
    Request request{.endpoint = Endpoint::kMutate};
    const Result result =
        *admission.admit(request, policies, {body.data(), body.size()}, out, asked);
    const Json response = Json::parse(out)["response"];
    return std::string(name_of(result.outcome)) + " " +
           std::to_string(response.value("warnings", Json::array()).size()) + " " + asked.noted;
  };
  CHECK(mutate(set_of(selected), "web:v1") == "allowed 1 shop");
  CHECK(mutate(set_of(strict), "web:v1") == "undecided 0 shop");
  const std::string pinned = "web:v1@" + digest_of('a');
  CHECK(mutate(set_of(selected), pinned.c_str()) == "allowed 0 ");
  CHECK(mutate(set_of(strict), pinned.c_str()) == "allowed 0 ");
  // What a policy for others says of errors is no matter of this one.
  policy::Policy tenant = pin_policy("tenant", OnRegistryError::kDeny);
  tenant.only_namespace = "elsewhere";
  CHECK(mutate(set_of(selected, tenant), "web:v1") == "allowed 1 shop");
  strict.match.namespaces = {"elsewhere"};
  strict.match.namespace_globs = policy::NameGlobs::compile(strict.match.namespaces).value();
  CHECK(mutate(set_of(selected, strict), "web:v1") == "allowed 1 shop");
}

}  // namespace
}  // namespace belay::webhook::admission
