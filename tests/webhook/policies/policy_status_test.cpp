// What stands in the annotation and in Events, and when it is written.
#include "webhook/policies/policy_status.h"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <vector>

#include "tests/support/fake_api.h"
#include "tests/support/soon.h"
#include "webhook/policies/policy_status_writer.h"

namespace belay::webhook::policies {
namespace {

using namespace std::chrono_literals;

std::shared_ptr<const policy::Policy> policy_of(const std::string& name,
                                                const std::string& only_namespace = "") {
  auto made = std::make_shared<policy::Policy>();
  made->name = name;
  made->revision = "0123456789ab";
  made->only_namespace = only_namespace;
  return made;
}

PolicyProblem problem_of(const std::string& key, std::uint32_t line, const std::string& message) {
  return {"data[" + key + "]", {{{0, line, 5}, "spec.rules", message}}, ""};
}

TEST_CASE("a status says which policies are in force, at which revision") {
  CHECK(status_text(
            {.in_force = {{"a.yaml", policy_of("production")}}, .kept = {}, .problems = {}}) ==
        "in force: production (revision 0123456789ab)");
  CHECK(
      status_text({.in_force = {{"a.yaml", policy_of("production")}, {"b.yaml", policy_of("test")}},
                   .kept = {},
                   .problems = {}}) ==
      "in force: production (revision 0123456789ab), test (revision 0123456789ab)");
  CHECK(status_text(
            {.in_force = {{"a.yaml", policy_of("ours", "shop")}}, .kept = {}, .problems = {}}) ==
        "in force: ours (revision 0123456789ab) for namespace shop");
}

TEST_CASE("a status says what is invalid, where, and what stays in force instead") {
  CHECK(
      status_text({.in_force = {{"a.yaml", policy_of("production")}, {"b.yaml", policy_of("test")}},
                   .kept = {"a.yaml"},
                   .problems = {problem_of("a.yaml", 3, "unknown key"),
                                problem_of("c.yaml", 7, "must be a list")}}) ==
      "invalid, last good revision 0123456789ab of production stays in force:\n"
      "data[a.yaml]:3:5: spec.rules: unknown key\n"
      "invalid, not in force:\n"
      "data[c.yaml]:7:5: spec.rules: must be a list\n"
      "in force: test (revision 0123456789ab)");
  CHECK(
      status_text({.in_force = {}, .kept = {}, .problems = {{"data", {}, "contains no policy"}}}) ==
      "data: contains no policy");
}

TEST_CASE("a status of very many or very long errors ends at whole lines and characters") {
  ConfigMapVerdict many;
  for (int i = 0; i < 100; ++i) {
    many.problems.push_back(problem_of("p.yaml", 10 + static_cast<std::uint32_t>(i), "is wrong"));
  }
  const std::string text = status_text(many);
  CHECK(text.size() <= kMaxStatusBytes);
  CHECK(text.size() > kMaxStatusBytes - 100);
  CHECK(text.ends_with(" more lines"));
  CHECK(text.starts_with("invalid, not in force:\ndata[p.yaml]:10:5: spec.rules: is wrong\n"));

  for (std::size_t shift = 0; shift < 4; ++shift) {
    std::string longest(shift, 'x');
    for (int i = 0; i < 600; ++i) longest += "\u20ac";
    const std::string one =
        status_text({.in_force = {}, .kept = {}, .problems = {{"data", {}, longest}}});
    CHECK(one.size() <= kMaxStatusBytes);
    CHECK(one.ends_with("\u20ac..."));
    CHECK_NOTHROW(nlohmann::json(one).dump());  // throws at half a character
  }
}

const std::string kPath = "/api/v1/namespaces/belay-system/configmaps/production";
const std::string kEvents = "/api/v1/namespaces/belay-system/events";

/// An API server with one ConfigMap, and writers with hardly any patience.
struct Fixture {
  Fixture() { api.put(kPath, {{"metadata", {{"name", "production"}}}, {"data", {{"p", "text"}}}}); }

  static PolicyStatusOptions options() {
    PolicyStatusOptions made;
    made.pod_name = "belay-0";
    made.pause = 1ms;
    made.backoff_min = 1ms;
    made.backoff_max = 5ms;
    return made;
  }
  /// Status of the ConfigMap as it is now.
  ConfigMapStatus status(const std::string& text, bool in_force = true) const {
    const auto metadata = api.at(kPath)["metadata"];
    return {.namespace_name = "belay-system",
            .name = "production",
            .uid = metadata["uid"],
            .resource_version = metadata["resourceVersion"],
            .text = text,
            .present = annotation(),
            .in_force = in_force};
  }
  std::string annotation() const {
    return api.at(kPath)["metadata"]
        .value("annotations", nlohmann::json::object())
        .value("belay.dev/status", "");
  }
  bool says(const std::string& text) const {
    return tests::soon([&] { return annotation() == text; });
  }
  std::size_t patches() const {
    std::size_t count = 0;
    for (const auto& call : api.calls()) count += call.verb == "patch" ? 1 : 0;
    return count;
  }

  kube::FakeApi api;
};

TEST_CASE("a leader writes the annotation by server-side apply, and an Event beside it") {
  Fixture f;
  PolicyStatusWriter writer(f.api, Fixture::options());
  const auto before = f.status("does not read:\ndata[p]:1:1: x\nin force: y", false);
  writer.want(before);
  writer.set_leading(true);
  REQUIRE(f.says(before.text));
  CHECK(f.api.calls().back().query == "fieldManager=belay&force=true");
  CHECK(f.api.at(kPath)["data"]["p"] == "text");

  const auto events = f.api.below(kEvents);
  REQUIRE(events.size() == 1);
  CHECK(events[0]["type"] == "Warning");
  CHECK(events[0]["reason"] == "PolicyInvalid");
  CHECK(events[0]["message"] == "does not read: data[p]:1:1: x; in force: y");
  CHECK(events[0]["involvedObject"]["kind"] == "ConfigMap");
  CHECK(events[0]["involvedObject"]["name"] == "production");
  CHECK(events[0]["involvedObject"]["uid"] == before.uid);
  CHECK(events[0]["reportingInstance"] == "belay-0");

  writer.want(f.status("in force: y"));
  REQUIRE(f.says("in force: y"));
  std::size_t normal = 0;
  for (const auto& event : f.api.below(kEvents)) {
    normal += event["type"] == "Normal" && event["reason"] == "PolicyInForce" ? 1 : 0;
  }
  CHECK(normal == 1);
}

TEST_CASE("who does not lead writes nothing until it does") {
  Fixture f;
  PolicyStatusWriter writer(f.api, Fixture::options());
  writer.want(f.status("old"));
  writer.set_leading(true);
  REQUIRE(f.says("old"));
  writer.set_leading(false);
  const auto calls = f.api.calls().size();
  writer.want(f.status("new"));
  CHECK_FALSE(f.annotation() == "new");
  CHECK(f.api.calls().size() == calls);
  writer.set_leading(true);
  CHECK(f.says("new"));
}

TEST_CASE("what stands there already is not written again, nor is its Event told again") {
  Fixture f;
  {
    PolicyStatusWriter writer(f.api, Fixture::options());
    writer.set_leading(true);
    writer.want(f.status("in force"));
    REQUIRE(f.says("in force"));
    writer.want(f.status("in force"));  // as the watch tells of it
  }
  const auto calls = f.api.calls().size();
  PolicyStatusWriter restarted(f.api, Fixture::options());
  restarted.set_leading(true);
  restarted.want(f.status("in force"));
  restarted.want([&] {
    auto other = f.status("else");
    other.name = "not-there";
    return other;
  }());
  // the second is refused, so that the first has had its turn
  REQUIRE(tests::soon([&] { return f.api.calls().size() == calls + 2; }));
  CHECK(f.patches() == 2);
  CHECK(f.annotation() == "in force");
}

TEST_CASE("a ConfigMap that was deleted meanwhile does not come back as an annotation") {
  Fixture f;
  const auto status = f.status("in force");
  f.api.remove(kPath);
  PolicyStatusWriter writer(f.api, Fixture::options());
  writer.set_leading(true);
  writer.want(status);
  REQUIRE(tests::soon([&] { return f.patches() == 1; }));
  CHECK(f.api.at(kPath).is_null());
}

TEST_CASE("a status of a text that was edited meanwhile is not written") {
  Fixture f;
  const auto status = f.status("of the old text");
  f.api.put(kPath, {{"metadata", {{"name", "production"}}}, {"data", {{"p", "newer"}}}});
  PolicyStatusWriter writer(f.api, Fixture::options());
  writer.set_leading(true);
  writer.want(status);
  REQUIRE(tests::soon([&] { return f.patches() == 1; }));
  writer.want(f.status("of the new text"));
  REQUIRE(f.says("of the new text"));
  CHECK(f.patches() == 2);
}

TEST_CASE("a status that cannot be written is tried again until it can, as one Event") {
  for (const auto kind : {kube::ApiError::Kind::kUnreachable, kube::ApiError::Kind::kTimeout,
                          kube::ApiError::Kind::kServer, kube::ApiError::Kind::kForbidden}) {
    Fixture f;
    std::atomic<int> failures{6};
    f.api.before = [&](const kube::FakeApi::Call& call) -> std::optional<kube::ApiError> {
      if (call.verb != "patch" || failures == 0) return std::nullopt;
      --failures;
      return kube::FakeApi::error(kind);
    };
    PolicyStatusOptions options = Fixture::options();
    std::vector<std::string> told;  // by the writer's thread, before the annotation is there
    options.on_failure = [&](const ConfigMapStatus& status, const std::string& problem) {
      told.push_back(status.namespace_name + "/" + status.name + ": " + problem);
    };
    PolicyStatusWriter writer(f.api, options);
    writer.set_leading(true);
    writer.want(f.status("in force"));
    CHECK(f.says("in force"));
    CHECK(failures == 0);
    CHECK(f.api.below(kEvents).size() == 1);
    CHECK(told.size() == 1);
  }
}

TEST_CASE("an Event that may not be made does not hold up the annotation") {
  Fixture f;
  f.api.before = [&](const kube::FakeApi::Call& call) -> std::optional<kube::ApiError> {
    if (call.verb == "create") return kube::FakeApi::error(kube::ApiError::Kind::kForbidden, 403);
    return std::nullopt;
  };
  PolicyStatusWriter writer(f.api, Fixture::options());
  writer.set_leading(true);
  writer.want(f.status("in force"));
  CHECK(f.says("in force"));
}

TEST_CASE("A12: two leaders at once write one annotation and one Event") {
  Fixture f;
  PolicyStatusWriter first(f.api, Fixture::options());
  PolicyStatusWriter second(f.api, Fixture::options());
  const auto status = f.status("in force");
  first.set_leading(true);
  second.set_leading(true);
  first.want(status);
  second.want(status);
  REQUIRE(tests::soon([&] { return f.patches() == 2; }));
  REQUIRE(f.says("in force"));
  CHECK(f.api.below(kEvents).size() == 1);
  CHECK(f.api.at(kPath)["metadata"]["resourceVersion"] !=
        status.resource_version);  // by one of the two
}

TEST_CASE("who fights over an annotation does it slowly") {
  Fixture f;
  auto options = Fixture::options();
  options.pause = 87'600h;  // ten years, and the first word waits for none of them
  PolicyStatusWriter writer(f.api, options);
  writer.set_leading(true);
  writer.want(f.status("ours"));
  REQUIRE(f.says("ours"));
  auto theirs = f.api.at(kPath);
  theirs["metadata"]["annotations"]["belay.dev/status"] = "theirs";
  f.api.put(kPath, theirs);
  auto other = f.status("else");
  writer.want(f.status("ours"));
  other.name = "not-there";
  writer.want(other);
  REQUIRE(tests::soon([&] { return f.patches() == 2; }));
  CHECK(f.annotation() == "theirs");
}

}  // namespace
}  // namespace belay::webhook::policies
