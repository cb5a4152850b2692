// The review reader: what it finds in every kind, and what it refuses.
#include "webhook/admission/review_reader.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/webhook/admission/review_text.h"
#include "webhook/workload/workload_kinds.h"

namespace belay::webhook::admission {
namespace {

using policy::ImageList;
using test::at;
using test::container;
using test::Json;
using test::pod;
using test::pod_review;
using test::review;

/// A reader with the body it reads, which must stay.
struct Reading {
  explicit Reading(std::string body_text, std::vector<ExtraTemplate> extra = {})
      : reader(std::move(extra)), body(std::move(body_text)) {
    body.reserve(body.size() + 64);
    result = reader.read({body.data(), body.size()});
  }
  explicit Reading(const Json& json, std::vector<ExtraTemplate> extra = {})
      : Reading(json.dump(), std::move(extra)) {}

  bool ok() const { return result.has_value(); }
  const Review& value() const { return **result; }
  const policy::Workload& workload() const { return value().workload; }
  std::string images() const {
    std::string out;
    for (const policy::ImageField& field : workload().pod.images) {
      out += workload().image_path(field) + " (" + std::string(field.name) +
             ")=" + std::string(field.image) + "\n";
    }
    return out;
  }

  ReviewReader reader;
  std::string body;
  std::expected<const Review*, ReadError> result;
};

std::string code_of(const Reading& reading) {
  return reading.ok() ? "read" : std::string(name_of(reading.result.error().code));
}

Json as_json(const policy::PodFields& pod_fields) {
  Json out = {{"labels", Json::array()}, {"images", Json::array()}};
  for (const auto& [key, value] : pod_fields.labels) out["labels"].push_back({key, value});
  for (const auto& image : pod_fields.images) {
    out["images"].push_back({static_cast<int>(image.list), image.index, image.name, image.image});
  }
  for (auto& [key, list] : out.items()) std::sort(list.begin(), list.end());
  return out;
}

/// Everything a review says, without the order of the document.
Json as_json(const Review& r) {
  return {{"uid", r.uid},
          {"kind", {r.kind.group, r.kind.version, r.kind.kind}},
          {"operation", name_of(r.operation)},
          {"dryRun", r.dry_run},
          {"user", r.user},
          {"evaluated", r.evaluated},
          {"namespace", r.workload.namespace_name},
          {"name", r.workload.name},
          {"generateName", r.workload.generate_name},
          {"pod", as_json(r.workload.pod)},
          {"old", as_json(r.workload.old_pod)}};
}

Json example() {
  Json object = pod({container("web", "nginx:1.27"), container("log", "fluent/bit@sha256:ab")});
  object["metadata"]["generateName"] = "web-";
  object["spec"]["initContainers"] = Json::array({container("init", "busybox")});
  object["spec"]["volumes"] = {{{"name", "data"}, {"emptyDir", Json::object()}},
                               {{"name", "model"}, {"image", {{"reference", "ai/model:v1"}}}}};
  return review("apps", "Deployment", at("spec.template", object), "UPDATE",
                at("spec.template", pod({container("web", "nginx:1.26")})));
}

TEST_CASE("a review tells who asks for what") {
  const Reading r(review("apps", "Deployment", at("spec.template", pod({}))));
  REQUIRE(r.ok());
  CHECK(r.value().uid == test::kUid);
  CHECK(r.value().kind.group == "apps");
  CHECK(r.value().kind.kind == "Deployment");
  CHECK(r.value().operation == Operation::kCreate);
  CHECK(r.value().user == "alice");
  CHECK(r.value().evaluated);
  CHECK(r.value().metric_kind == "Deployment");
  CHECK(r.workload().name == "checkout");
  CHECK(r.workload().namespace_name == "shop");
}

TEST_CASE("B2: init containers are read") {
  Json object = pod({container("web", "nginx:1")});
  object["spec"]["initContainers"] = Json::array({container("init", "busybox:latest")});
  const Reading r(review("", "Pod", object));
  REQUIRE(r.ok());
  CHECK(r.images() ==
        "spec.containers[0].image (web)=nginx:1\n"
        "spec.initContainers[0].image (init)=busybox:latest\n");
}

TEST_CASE("B3: sidecars are init containers that stay") {
  Json object = pod({container("web", "nginx:1")});
  Json sidecar = container("mesh", "proxy:latest");
  sidecar["restartPolicy"] = "Always";
  object["spec"]["initContainers"] = Json::array({sidecar});
  const Reading r(review("", "Pod", object));
  REQUIRE(r.ok());
  CHECK(r.images().find("spec.initContainers[0].image (mesh)=proxy:latest") != std::string::npos);
}

TEST_CASE("B4: image volumes are read, other volumes are not") {
  Json object = pod({container("web", "nginx:1")});
  object["spec"]["volumes"] = {
      {{"name", "data"}, {"emptyDir", Json::object()}},
      {{"image", {{"pullPolicy", "Always"}, {"reference", "ai/model:latest"}}}, {"name", "model"}},
      {{"name", "empty"}, {"image", Json::object()}},
      {{"name", "none"}, {"image", nullptr}}};
  const Reading r(review("", "Pod", object));
  REQUIRE(r.ok());
  CHECK(r.images() ==
        "spec.containers[0].image (web)=nginx:1\n"
        "spec.volumes[1].image.reference (model)=ai/model:latest\n"
        "spec.volumes[2].image.reference (empty)=\n");
}

TEST_CASE("B5: the pod of every kind is found where that kind keeps it") {
  for (const workload::WorkloadKind& row : workload::workload_kinds()) {
    CAPTURE(row.kind);
    const Reading r(review(row.group, row.kind, at(row.pod_path, pod({container("web", "a:1")}))));
    REQUIRE(r.ok());
    CHECK(r.value().evaluated);
    CHECK(r.workload().is_pod == (row.kind == "Pod"));
    const std::string prefix = row.pod_path.empty() ? "" : std::string(row.pod_path) + ".";
    CHECK(r.images() == prefix + "spec.containers[0].image (web)=a:1\n");
    REQUIRE(r.workload().pod.labels.size() == 1);
    CHECK(r.workload().pod.labels[0].value == "prod");
  }
}

TEST_CASE("B5: a pod that stands where another kind keeps it is not taken for this one's") {
  const Reading r(review("batch", "CronJob", at("spec.template", pod({container("web", "a:1")}))));
  REQUIRE(r.ok());
  CHECK(r.images() == "");
}

TEST_CASE("a kind of another group is not evaluated") {
  const Reading r(review("example.com", "Deployment", at("spec.template", pod({}))));
  REQUIRE(r.ok());
  CHECK_FALSE(r.value().evaluated);
  CHECK(r.value().metric_kind == "other");
}

TEST_CASE("B6: an extra template makes a custom resource an evaluated kind") {
  const std::vector<ExtraTemplate> extra{{"argoproj.io", "Rollout", "spec.template"},
                                         {"example.com", "Fleet", "spec.fleet.pod"}};
  const Json rollout =
      review("argoproj.io", "Rollout", at("spec.template", pod({container("web", "a:latest")})));
  CHECK(Reading(rollout, extra).images() ==
        "spec.template.spec.containers[0].image (web)=a:latest\n");
  const Json fleet =
      review("example.com", "Fleet", at("spec.fleet.pod", pod({container("web", "b")})));
  CHECK(Reading(fleet, extra).images() == "spec.fleet.pod.spec.containers[0].image (web)=b\n");
  CHECK_FALSE(Reading(fleet).value().evaluated);
}

TEST_CASE("B1: ephemeral containers come as an update of the pod") {
  Json object = pod({container("web", "a:1")});
  const Json old = object;
  object["spec"]["ephemeralContainers"] = Json::array({container("debug", "busybox:latest")});
  Json json = review("", "Pod", object, "UPDATE", old);
  json["request"]["subResource"] = "ephemeralcontainers";
  const Reading r(json);
  REQUIRE(r.ok());
  CHECK(r.value().evaluated);
  CHECK(r.value().subresource == "ephemeralcontainers");
  CHECK(r.images().find("spec.ephemeralContainers[0].image (debug)=busybox:latest") !=
        std::string::npos);
  CHECK_FALSE(r.workload().image_changed(r.workload().pod.images[0]));
  CHECK(r.workload().image_changed(r.workload().pod.images[1]));
}

TEST_CASE("the scale subresource is not evaluated, its kind is Scale") {
  const Reading r(review("autoscaling", "Scale", {{"spec", {{"replicas", 3}}}}, "UPDATE",
                         {{"spec", {{"replicas", 2}}}}));
  REQUIRE(r.ok());
  CHECK_FALSE(r.value().evaluated);
}

TEST_CASE("B7: an update holds what stood before") {
  const Reading r(example());
  REQUIRE(r.ok());
  CHECK(r.workload().is_update);
  REQUIRE(r.workload().old_pod.images.size() == 1);
  CHECK(r.workload().old_pod.images[0].image == "nginx:1.26");
}

TEST_CASE("B17: the namespace is the request's, not what the object claims") {
  Json json = pod_review({container("web", "a:1")});
  json["request"]["object"]["metadata"]["namespace"] = "sandbox";
  CHECK(Reading(json).workload().namespace_name == "shop");
}

TEST_CASE("B20: a generated name is known before the name is") {
  Json json = pod_review({container("web", "a:1")});
  json["request"].erase("name");
  json["request"]["object"]["metadata"]["generateName"] = "job-";
  const Reading r(json);
  REQUIRE(r.ok());
  CHECK(r.workload().name == "");
  CHECK(r.workload().generate_name == "job-");
}

TEST_CASE("B28: white space around an image is kept") {
  const Reading r(pod_review({container("web", " nginx:1\n")}));
  CHECK(r.workload().pod.images[0].image == " nginx:1\n");
}

TEST_CASE("B33: a pod without containers is read as one without images") {
  for (const Json& spec : {Json(Json::object()), Json{{"containers", nullptr}},
                           Json{{"containers", Json::array()}}, Json(nullptr)}) {
    const Reading r(review("", "Pod", {{"spec", spec}}));
    REQUIRE(r.ok());
    CHECK(r.value().evaluated);
    CHECK(r.workload().pod.images.empty());
  }
}

TEST_CASE("null and absent are the same") {
  const Reading r(
      review("", "Pod",
             {{"metadata", {{"labels", nullptr}, {"generateName", nullptr}}},
              {"spec", {{"containers", {nullptr, {{"name", "a"}, {"image", nullptr}}}}}}}));
  REQUIRE(r.ok());
  CHECK(r.images() ==
        "spec.containers[0].image ()=\n"
        "spec.containers[1].image (a)=\n");
}

TEST_CASE("strings are unescaped") {
  const Reading r(std::string(
      R"({"apiVersion":"admission.k8s.io\/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE",
      "k\u0069nd":{"kind":"P\u006fd"},"object":{"spec":{"containers":[{"image":"ngin\u0078:\u2713"}]}}}})"));
  REQUIRE(r.ok());
  CHECK(r.workload().pod.images[0].image == "nginx:\u2713");
}

TEST_CASE("property: the order of keys does not matter") {
  const auto shuffled = [](const Json& json, const auto& self) -> Json {
    if (json.is_object()) {
      std::vector<std::pair<std::string, Json>> members;
      for (const auto& [key, value] : json.items()) members.emplace_back(key, self(value, self));
      for (std::size_t i = members.size(); i > 1; --i) {
        std::swap(members[i - 1], members[*rc::gen::inRange<std::size_t>(0, i)]);
      }
      Json out = Json::object();
      for (auto& [key, value] : members) out[key] = std::move(value);
      return out;
    }
    if (json.is_array()) {
      Json out = Json::array();
      for (const Json& value : json) out.push_back(self(value, self));
      return out;
    }
    return json;
  };
  const Json want = as_json(Reading(example()).value());
  CHECK(rc::check([&] {
    const Reading r(shuffled(example(), shuffled));
    RC_ASSERT(r.ok());
    RC_ASSERT(as_json(r.value()) == want);
  }));
}

TEST_CASE("property: white space between tokens does not matter") {
  const std::string compact = example().dump();
  const Json want = as_json(Reading(compact).value());
  CHECK(rc::check([&] {
    std::string text;
    bool quoted = false;
    for (const char c : compact) {
      const bool edge = !quoted && std::string_view("{}[],:").find(c) != std::string_view::npos;
      if (c == '"') quoted = !quoted;
      text += c;
      if (edge)
        text += *rc::gen::container<std::string>(*rc::gen::inRange(0, 3),
                                                 rc::gen::elementOf(std::string(" \t\r\n")));
    }
    const Reading r(text);
    RC_ASSERT(r.ok());
    RC_ASSERT(as_json(r.value()) == want);
  }));
}

TEST_CASE("property: the same key twice is refused at every place") {
  const std::string compact = example().dump();
  std::vector<std::size_t> objects;  // behind "{" of each object that has members
  for (std::size_t i = 0; i + 1 < compact.size(); ++i) {
    if (compact[i] == '{' && compact[i + 1] == '"') objects.push_back(i + 1);
  }
  CHECK(rc::check([&] {
    const std::size_t place = *rc::gen::elementOf(objects);
    const std::size_t key_end = compact.find('"', place + 1) + 1;
    std::string text = compact;
    text.insert(place, compact.substr(place, key_end - place) + ":null,");
    RC_ASSERT(code_of(Reading(text)) == "duplicate-key");
  }));
}

TEST_CASE("a duplicate is found among many keys, written in any way, used or not") {
  for (const std::size_t count : {2U, 8U, 31U, 32U, 33U, 500U}) {
    std::string members;
    for (std::size_t i = 0; i < count; ++i)
      members += "\"annotation-" + std::to_string(i) + "\":0,";
    const std::string head = R"({"x":{)" + members;
    CHECK(code_of(Reading(head + R"("y":0}})")) == "kind");
    CHECK(code_of(Reading(head + R"("annotation-0":0}})")) == "duplicate-key");
    CHECK(code_of(Reading(head + R"("annotat\u0069on-1":0}})")) == "duplicate-key");
  }
}

TEST_CASE("keys that share their beginning are different keys") {
  CHECK(code_of(Reading(std::string(
            R"({"abcdefgh":1,"abcdefgi":2,"abcdefg":3,"":4,"a\u0000":5,"a":6})"))) == "kind");
}

TEST_CASE("the message of a duplicate key names it, its place and its byte") {
  const Reading r(
      std::string(R"({"request":{"object":{"spec":{"containers":[{"image":"a","image":"b"}]}}}})"));
  REQUIRE_FALSE(r.ok());
  CHECK(r.result.error().message ==
        "duplicate key \"image\" at byte 58 in request.object.spec.containers[0]. Keep one of the "
        "two");
  CHECK(r.body.substr(58, 5) == "image");
}

TEST_CASE("what is not JSON is refused with its place") {
  const std::string good = pod_review({container("web", "a:1")}).dump();
  for (const std::string& text :
       {std::string(), std::string("{"), good + "x", good + "{}", good + std::string(1, '\0'),
        std::string(1, '\0') + good, good.substr(0, good.size() - 1), std::string("{\"a\":01}"),
        std::string("{\"a\":tru}"), std::string("{\"a\":[1,]}"), std::string("{\"a\":\"\\x\"}"),
        std::string("{\"a\":\"\\ud800\"}"), std::string("{\"a\":\"b\0c\"}", 11),
        std::string("// x\n{}"), std::string("{'a':1}"), std::string("\xEF\xBB\xBF{}")}) {
    CAPTURE(text);
    CHECK(code_of(Reading(text)) == "syntax");
  }
  CHECK(Reading(good + "x").result.error().message.find("at byte " + std::to_string(good.size())) !=
        std::string::npos);
  CHECK(code_of(Reading(" \n" + good + "\n ")) == "read");
}

TEST_CASE("a control character in a text is refused at every place") {
  // Alone, in a block that is read at once, and at the edges of blocks.
  for (const std::size_t before : {0, 1, 7, 15, 16, 17, 31, 63, 64, 200}) {
    for (char c = 1; c < 0x20; ++c) {
      CAPTURE(before);
      CAPTURE(static_cast<int>(c));
      const std::string text = std::string(before, 'a') + c + std::string(20, 'b');
      std::string review = pod_review({container("web", "a:1")}).dump();
      review.insert(1, "\"x\":\"" + text + "\",");
      CHECK(code_of(Reading(review)) == "syntax");
    }
  }
}

TEST_CASE("numbers of any size are skipped") {
  for (const char* number : {"1e400", "-0", "128.74836467836484838364836483643636483648e-336",
                             "123456789012345678901234567890", "1E-2147483649"}) {
    CAPTURE(number);
    Json json = pod_review({container("web", "a:1")});
    std::string text = json.dump();
    text.insert(1, "\"n\":" + std::string(number) + ",");
    CHECK(code_of(Reading(text)) != "wrong-type");
  }
  const std::string fraction =
      "{\"n\":0." + std::string(400, '1') + "e-2147483639}";  // CVE-2024-38517
  CHECK(code_of(Reading(fraction)) == "kind");
}

TEST_CASE("64 levels are read, 65 are refused") {
  const auto nested = [](std::size_t levels) {
    return "{\"a\":" + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
  };
  CHECK(code_of(Reading(nested(64))) == "kind");
  CHECK(code_of(Reading(nested(65))) == "depth");
  CHECK(code_of(Reading("{\"a\":" + std::string(1'000'000, '['))) == "depth");
  std::string objects;
  for (int i = 0; i < 65; ++i) objects += "{\"a\":";
  CHECK(code_of(Reading(objects)) == "depth");
}

TEST_CASE("B34: what could not be read is never a review") {
  std::string good = example().dump();
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(Reading(good.substr(0, size)).ok());
  }
}

TEST_CASE("a field of another type is refused with its path") {
  struct Row {
    const char* pointer;
    Json value;
    const char* message;
  };
  const Row rows[] = {
      {"/request/object/spec/containers/0/image", 5,
       "request.object.spec.containers[0].image must be a string, not a number"},
      {"/request/object/spec/containers/0/image",
       {{"a", 1}},
       "request.object.spec.containers[0].image must be a string, not an object"},
      {"/request/object/spec/containers/0/name", true,
       "request.object.spec.containers[0].name must be a string, not true"},
      {"/request/object/spec/containers", Json::object(),
       "request.object.spec.containers must be a list, not an object"},
      {"/request/object/spec/containers/0", "nginx",
       "request.object.spec.containers[0] must be an object, not a string"},
      {"/request/object/spec", Json::array(), "request.object.spec must be an object, not a list"},
      {"/request/object/metadata/labels", Json::array({"a"}),
       "request.object.metadata.labels must be an object, not a list"},
      {"/request/object/metadata/labels/environment", 1,
       "request.object.metadata.labels.environment must be a string (quote it), not a number"},
      {"/request/object/spec/volumes",
       {{{"name", "v"}, {"image", "a"}}},
       "request.object.spec.volumes[0].image must be an object, not a string"},
      {"/request/object", "pod", "request.object must be an object, not a string"},
      {"/request/uid", 7, "request.uid must be a string, not a number"},
      {"/request/dryRun", "no", "request.dryRun must be true or false, not a string"},
      {"/request/kind", "Pod", "request.kind must be an object, not a string"},
      {"/request", Json::array(), "request must be an object, not a list"},
  };
  for (const Row& row : rows) {
    Json json = pod_review({container("web", "a:1")});
    json[Json::json_pointer(row.pointer)] = row.value;
    const Reading r(json);
    CAPTURE(row.pointer);
    REQUIRE_FALSE(r.ok());
    CHECK(name_of(r.result.error().code) == "wrong-type");
    CHECK(r.result.error().message == row.message);
  }
  CHECK(Reading(std::string("[]")).result.error().message ==
        "the body must be an object, not a list");
}

TEST_CASE("a wrong type matters only to the kind that has the field") {
  Json object = at("spec.template", pod({container("web", "a:1")}));
  object["spec"]["containers"] = "not a Deployment's";
  CHECK(code_of(Reading(review("apps", "Deployment", object))) == "read");
  CHECK(code_of(Reading(review("", "Pod", object))) == "wrong-type");
  CHECK(code_of(Reading(review("example.com", "Thing", {{"spec", 1}, {"metadata", 2}}))) == "read");
}

TEST_CASE("a wrong type in the old object is refused on an update") {
  const Json object = pod({container("web", "a:1")});
  Json old = object;
  old["spec"]["containers"][0]["image"] = 5;
  const Reading r(review("", "Pod", object, "UPDATE", old));
  REQUIRE_FALSE(r.ok());
  CHECK(r.result.error().field == "request.oldObject.spec.containers[0].image");
}

TEST_CASE("the envelope must be whole") {
  struct Row {
    const char* pointer;
    Json value;
    const char* code;
  };
  const Row rows[] = {
      {"/kind", "AdmissionRequest", "kind"},
      {"/kind", nullptr, "kind"},
      {"/apiVersion", "admission.k8s.io/v1beta1", "version"},
      {"/apiVersion", nullptr, "version"},
      {"/request", nullptr, "missing-field"},
      {"/request/uid", "", "missing-field"},
      {"/request/uid", nullptr, "missing-field"},
      {"/request/uid", std::string(129, 'u'), "wrong-type"},
      {"/request/kind", nullptr, "missing-field"},
      {"/request/operation", nullptr, "missing-field"},
      {"/request/operation", "create", "operation"},
      {"/request/operation", "PATCH", "operation"},
      {"/request/object", nullptr, "missing-field"},
  };
  for (const Row& row : rows) {
    Json json = pod_review({container("web", "a:1")});
    json[Json::json_pointer(row.pointer)] = row.value;
    CAPTURE(row.pointer);
    CHECK(code_of(Reading(json)) == row.code);
  }
  CHECK(code_of(Reading(review("", "Pod", pod({}), "UPDATE"))) == "missing-field");
  CHECK(code_of(Reading(std::string("null"))) == "kind");
  CHECK(code_of(Reading(std::string("{}"))) == "kind");
}

TEST_CASE("B35: a delete holds no object and is not evaluated") {
  const Reading r(review("", "Pod", nullptr, "DELETE", pod({container("web", "a:latest")})));
  REQUIRE(r.ok());
  CHECK_FALSE(r.value().evaluated);
  CHECK(r.value().metric_kind == "Pod");
}

TEST_CASE("strings that are used must be UTF-8, others need not") {
  const char* bad[] = {"\xFF",     "\xC0\xAF",     "\xED\xA0\x80",     "\xF5\x80\x80\x80",
                       "\xE2\x82", "\xE0\x80\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80",
                       "\x80",     "\xC3("};
  const std::string head =
      R"({"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","operation":"CREATE","kind":{"kind":"Pod"},"object":{)";
  for (const std::string bytes : bad) {
    CHECK(code_of(Reading(head + R"("spec":{"containers":[{"image":"12345678)" + bytes +
                          "\"}]}}}}")) == "encoding");
    CHECK(code_of(Reading(head + R"("metadata":{"labels":{")" + bytes + R"(":"x"}}}}})")) ==
          "encoding");
    CHECK(code_of(Reading(head + R"("metadata":{"annotations":{"a":")" + bytes + R"("}}}}})")) ==
          "read");
  }
  for (const std::string bytes : {"\u00e9", "\u20ac", "\U0001F600", "abcdefgh\u00e9abcdefgh"}) {
    CHECK(code_of(Reading(head + R"("spec":{"containers":[{"image":")" + bytes + "\"}]}}}}")) ==
          "read");
  }
}

TEST_CASE("1,000 image fields are read, one more is refused") {
  Json containers = Json::array();
  for (int i = 0; i < 1000; ++i) containers.push_back(container("c" + std::to_string(i), "a:1"));
  CHECK(Reading(pod_review(containers)).workload().pod.images.size() == 1000);
  containers.push_back(container("last", "a:latest"));
  CHECK(code_of(Reading(pod_review(containers))) == "too-many-images");

  Json labels = Json::object();
  for (int i = 0; i < 1001; ++i) labels["l" + std::to_string(i)] = "v";
  CHECK(code_of(Reading(review("", "Pod", {{"metadata", {{"labels", labels}}}}))) ==
        "too-many-images");
}

TEST_CASE("a reader forgets the review before") {
  ReviewReader reader;
  std::string first = example().dump();
  std::string broken = first.substr(0, first.size() / 2);
  std::string second = review("", "Pod", {{"spec", Json::object()}}).dump();
  for (std::string* body : {&first, &broken}) (void)reader.read({body->data(), body->size()});
  const auto result = reader.read({second.data(), second.size()});
  REQUIRE(result.has_value());
  const policy::Workload& workload = (*result)->workload;
  CHECK(workload.pod.images.empty());
  CHECK(workload.pod.labels.empty());
  CHECK(workload.labels.empty());
  CHECK(workload.old_pod.images.empty());
  CHECK(workload.generate_name.empty());
  CHECK_FALSE(workload.is_update);
}

}  // namespace
}  // namespace belay::webhook::admission
