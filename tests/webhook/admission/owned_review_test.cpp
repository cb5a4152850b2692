// A review that has to wait keeps its texts when the request's buffer is gone.
#include "webhook/admission/owned_review.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/webhook/admission/review_text.h"
#include "webhook/admission/review_reader.h"

namespace belay::webhook::admission {
namespace {

using test::Json;

/// Every text of a review, in one order.
std::vector<std::string> texts_of(const Review& review) {
  std::vector<std::string> out;
  const auto add = [&out](std::string_view text) { out.emplace_back(text); };
  const auto add_labels = [&](const std::vector<policy::Label>& labels) {
    for (const policy::Label& label : labels) {
      add(label.key);
      add(label.value);
    }
  };
  const policy::Workload& workload = review.workload;
  for (const std::string_view text :
       {review.uid, review.kind.group, review.kind.version, review.kind.kind, review.resource,
        review.subresource, review.user, review.metric_kind, workload.kind, workload.namespace_name,
        workload.name, workload.generate_name, workload.pod_path}) {
    add(text);
  }
  for (const policy::PodFields* pod : {&workload.pod, &workload.old_pod}) {
    add_labels(pod->labels);
    for (const policy::ImageField& image : pod->images) {
      add(image.name);
      add(image.image);
    }
    add(pod->service_account);
    for (const std::string_view secret : pod->pull_secrets) add(secret);
  }
  for (const std::string_view group : workload.user_groups) add(group);
  for (const auto* labels :
       {&workload.labels, &workload.old_labels, &review.data, &review.old_data})
    add_labels(*labels);
  return out;
}

/// A review in a buffer of its own, as a connection has it.
struct Buffer {
  explicit Buffer(const Json& json) : text(json.dump()), bytes(new char[text.size() + 1]) {
    text.copy(bytes.get(), text.size());
  }
  std::span<char> body() const { return {bytes.get(), text.size()}; }
  std::string text;
  std::unique_ptr<char[]> bytes;
};

Json full_pod(const std::string& tag) {
  Json made = test::pod({test::container("web", "shop/web:" + tag),
                         test::container("un\"escaped", "shop/\"sidecar\":" + tag)});
  made["metadata"]["generateName"] = "checkout-" + tag;
  made["spec"]["serviceAccountName"] = "builder-" + tag;
  made["spec"]["imagePullSecrets"] = Json::array({Json({{"name", "secret-" + tag}})});
  return made;
}

TEST_CASE("what was read outlives the buffer that it was read from, for every kind of object") {
  Json pod = test::review("", "Pod", full_pod("v2"), "UPDATE", full_pod("v1"));
  pod["request"]["subResource"] = "ephemeralcontainers";
  const Json deployment =
      test::review("apps", "Deployment", test::at("spec.template", full_pod("v3")));
  Json labels = {{"metadata", {{"labels", {{"environment", "prod"}}}}}};
  Json ns = test::review("", "Namespace", labels, "UPDATE", labels);
  ns["request"]["userInfo"]["groups"] = Json::array({"system:masters", "un\\escaped"});
  const Json config_map = test::review(
      "", "ConfigMap", {{"metadata", {{"labels", {{"a", "b"}}}}}, {"data", {{"a.yaml", "x\ny"}}}});
  ReviewReader reader;
  for (const Json& json : {pod, deployment, ns, config_map}) {
    auto buffer = std::make_unique<Buffer>(json);
    const auto read = reader.read(buffer->body());
    REQUIRE(read.has_value());
    const std::vector<std::string> before = texts_of(**read);
    const OwnedReview owned(**read);
    buffer.reset();  // under ASan whoever looks there now is caught
    const Buffer other(test::pod_review({test::container("other", "other:1")}));
    REQUIRE(reader.read(other.body()).has_value());  // the reader's own review is another one now
    CHECK(texts_of(owned.review()) == before);
    CHECK(owned.review().operation ==
          (json["request"]["operation"] == "UPDATE" ? Operation::kUpdate : Operation::kCreate));
  }
}

TEST_CASE("a review that waits holds what was read of the request, not the request") {
  Json large = test::pod_review({test::container("web", "shop/web:v1")});
  large["request"]["object"]["metadata"]["annotations"]["text"] = std::string(100'000, 'x');
  Json labels = large;
  for (int i = 0; i < 1'000; ++i) {
    labels["request"]["object"]["metadata"]["labels"]["l" + std::to_string(i)] = "";
  }
  ReviewReader reader;
  const auto bytes_of = [&](const Json& json) {
    const Buffer buffer(json);
    const auto read = reader.read(buffer.body());
    return read ? OwnedReview(**read).bytes() : 0;
  };
  // Small after large, so that room that the reader keeps is not taken along.
  labels["request"]["object"]["metadata"]["labels"].erase("environment");
  CHECK(bytes_of(labels) > 1'000 * 2 * sizeof(policy::Label));
  CHECK(bytes_of(large) > sizeof(Review));
  CHECK(bytes_of(large) < 2'000);
}

}  // namespace
}  // namespace belay::webhook::admission
