// What pinning and registries want of a review: who controls the object, whether it is being
// deleted, and the names of its pull secrets.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/webhook/admission/review_text.h"
#include "webhook/admission/review_reader.h"

namespace belay::webhook::admission {
namespace {

using test::at;
using test::container;
using test::Json;

/// A reader with the body it reads, which must stay.
struct Reading {
  explicit Reading(const Json& json) : body(json.dump()) {
    body.reserve(body.size() + 64);
    result = reader.read({body.data(), body.size()});
  }
  const policy::Workload& workload() const { return (*result)->workload; }

  ReviewReader reader;
  std::string body;
  std::expected<const Review*, ReadError> result;
};

Json pod_with(Json metadata, Json spec = Json::object()) {
  Json object = test::pod({container("web", "nginx:1.27")});
  object["metadata"].update(metadata);
  object["spec"].update(spec);
  return object;
}

TEST_CASE("an object is controlled where one of its owners says controller: true") {
  struct Row {
    Json owners;
    bool controlled;
  };
  const Json other = {{"kind", "Thing"}, {"name", "a"}};
  const Json lax = {{"kind", "Thing"}, {"controller", false}, {"name", "b"}};
  const Json controller = {{"apiVersion", "apps/v1"},
                           {"kind", "ReplicaSet"},
                           {"name", "web"},
                           {"controller", true},
                           {"blockOwnerDeletion", true}};
  for (const Row& row :
       {Row{nullptr, false}, Row{Json::array(), false}, Row{Json::array({other}), false},
        Row{Json::array({other, lax}), false}, Row{Json::array({controller}), true},
        Row{Json::array({controller, lax, other}), true}, Row{Json::array({lax, controller}), true},
        Row{Json::array({nullptr, controller}), true},
        Row{Json::array({{{"controller", nullptr}}}), false}}) {
    CAPTURE(row.owners.dump());
    const Reading r(test::review("", "Pod", pod_with({{"ownerReferences", row.owners}})));
    REQUIRE(r.result.has_value());
    CHECK(r.workload().is_controlled == row.controlled);
  }
}

TEST_CASE("owners count on the object itself, not in a template and not in the old object") {
  const Json owners = {{"ownerReferences", Json::array({{{"controller", true}}})},
                       {"deletionTimestamp", "2026-11-22T20:59:46Z"}};
  const Json plain = at("spec.template", pod_with(Json::object()));
  const Json in_template = at("spec.template", pod_with(owners));
  Json old = plain;
  old["metadata"] = owners;
  const Reading r(test::review("apps", "ReplicaSet", in_template, "UPDATE", old));
  REQUIRE(r.result.has_value());
  CHECK_FALSE(r.workload().is_controlled);
  CHECK_FALSE(r.workload().is_being_deleted);
  Json owned = plain;
  owned["metadata"] = owners;
  const Reading controlled(test::review("apps", "ReplicaSet", owned, "UPDATE", plain));
  REQUIRE(controlled.result.has_value());
  CHECK(controlled.workload().is_controlled);
  CHECK(controlled.workload().is_being_deleted);
}

TEST_CASE("an object is being deleted where it has a deletionTimestamp, not where it is null") {
  CHECK(Reading(test::review("", "Pod", pod_with({{"deletionTimestamp", "2026-11-22T20:59:46Z"}})))
            .workload()
            .is_being_deleted);
  CHECK_FALSE(Reading(test::review("", "Pod", pod_with({{"deletionTimestamp", nullptr}})))
                  .workload()
                  .is_being_deleted);
}

TEST_CASE("pull secrets and the ServiceAccount are read where the kind keeps its pod") {
  const Json spec = {{"serviceAccountName", "builder"},
                     {"imagePullSecrets",
                      {{{"name", "a"}}, {{"name", "b"}}, nullptr, Json::object(), {{"name", ""}}}}};
  struct Row {
    const char* group;
    const char* kind;
    const char* path;
  };
  for (const Row& row : {Row{"", "Pod", ""}, Row{"apps", "Deployment", "spec.template"},
                         Row{"batch", "CronJob", "spec.jobTemplate.spec.template"}}) {
    CAPTURE(row.kind);
    Json object = at(row.path, pod_with(Json::object(), spec));
    const Reading r(test::review(row.group, row.kind, object, "UPDATE",
                                 at(row.path, pod_with(Json::object()))));
    REQUIRE(r.result.has_value());
    CHECK(r.workload().pod.service_account == "builder");
    CHECK(r.workload().pod.pull_secrets == std::vector<std::string_view>{"a", "b"});
    CHECK(r.workload().old_pod.service_account.empty());
  }
}

TEST_CASE("no more than 64 pull secrets are looked at") {
  Json secrets = Json::array();
  for (int i = 0; i < 1'000; ++i) secrets.push_back({{"name", "s" + std::to_string(i)}});
  const Reading r(
      test::review("", "Pod", pod_with(Json::object(), {{"imagePullSecrets", secrets}})));
  REQUIRE(r.result.has_value());
  CHECK(r.workload().pod.pull_secrets.size() == 64);
}

TEST_CASE("what pinning looks at must have its type too") {
  struct Row {
    Json metadata, spec;
    const char* message;
  };
  for (const Row& row :
       {Row{{{"ownerReferences", Json::object()}},
            Json::object(),
            "request.object.metadata.ownerReferences must be a list, not an object"},
        Row{{{"ownerReferences", Json::array({{{"controller", "yes"}}})}},
            Json::object(),
            "request.object.metadata.ownerReferences[0].controller must be true or false, not a "
            "string"},
        Row{{{"deletionTimestamp", 1}},
            Json::object(),
            "request.object.metadata.deletionTimestamp must be a string, not a number"},
        Row{Json::object(),
            {{"serviceAccountName", true}},
            "request.object.spec.serviceAccountName must be a string, not true"},
        Row{Json::object(),
            {{"imagePullSecrets", Json::array({{{"name", 5}}})}},
            "request.object.spec.imagePullSecrets[0].name must be a string, not a number"}}) {
    const Reading r(test::review("", "Pod", pod_with(row.metadata, row.spec)));
    REQUIRE_FALSE(r.result.has_value());
    CHECK(r.result.error().message == row.message);
  }
}

}  // namespace
}  // namespace belay::webhook::admission
