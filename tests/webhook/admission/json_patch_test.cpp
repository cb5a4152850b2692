// The patch that pins images: its text, and that nothing goes out that was not meant.
#include "webhook/admission/json_patch.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/workload_builder.h"
#include "tests/webhook/admission/registry_fake.h"
#include "tests/webhook/admission/review_text.h"

namespace belay::webhook::admission {
namespace {

using policy::testing::WorkloadBuilder;
using test::digest_of;
using test::Json;

const std::string kAfter = "shop/web:v1@" + digest_of('a');
const std::string kDigest = digest_of('a');
const std::string kPointer = "/spec/template/spec/containers/0/image";

policy::Workload workload() { return WorkloadBuilder::deployment().container("shop/web:v1").get(); }

std::string checked(const Json& patch) {
  const ImageChange change{.image = 0, .pointer = kPointer, .after = kAfter, .digest = kDigest};
  return check_patch(patch.dump(), workload(), {&change, 1});
}

Json good() {
  return {{{"op", "test"}, {"path", kPointer}, {"value", "shop/web:v1"}},
          {{"op", "replace"}, {"path", kPointer}, {"value", kAfter}}};
}

TEST_CASE("each image is tested and replaced, and nothing else") {
  const policy::Workload pod = WorkloadBuilder::pod()
                                   .init_container("busybox:1")
                                   .container("shop/web:v1")
                                   .container("log", "~/evil\"name")
                                   .volume("ai/model:v1")
                                   .get();
  const std::string model = "ai/model:v1@" + kDigest;
  const ImageChange changes[] = {{.image = 1,
                                  .pointer = pod.image_pointer(pod.pod.images[1]),
                                  .after = kAfter,
                                  .digest = kDigest},
                                 {.image = 3,
                                  .pointer = pod.image_pointer(pod.pod.images[3]),
                                  .after = model,
                                  .digest = kDigest}};
  const std::string patch = json_patch(pod, changes);
  CHECK(
      Json::parse(patch) ==
      Json{{{"op", "test"}, {"path", "/spec/containers/0/image"}, {"value", "shop/web:v1"}},
           {{"op", "replace"}, {"path", "/spec/containers/0/image"}, {"value", kAfter}},
           {{"op", "test"}, {"path", "/spec/volumes/0/image/reference"}, {"value", "ai/model:v1"}},
           {{"op", "replace"}, {"path", "/spec/volumes/0/image/reference"}, {"value", model}}});
  CHECK(check_patch(patch, pod, changes).empty());
  CHECK(json_patch(pod, {}) == "[]");
}

TEST_CASE("a patch that is not the one that was meant never passes") {
  CHECK(checked(good()).empty());
  struct Row {
    const char* what;
    Json patch;
  };
  std::vector<Row> rows = {{"nothing", Json::array()},
                           {"no list", Json::object()},
                           {"the replace alone", Json::array({good()[1]})},
                           {"the test alone", Json::array({good()[0]})}};
  const auto changed = [&](const char* what, std::size_t step, const char* key, Json value) {
    Json patch = good();
    patch[step][key] = std::move(value);
    rows.push_back({what, std::move(patch)});
  };
  changed("another path", 1, "path", "/spec/template/spec/containers/1/image");
  changed("a path around it", 1, "path", "/spec/template/spec/containers/0");
  changed("another test", 0, "value", "shop/web:v2");
  changed("another op", 1, "op", "remove");
  changed("another digest", 1, "value", "shop/web:v1@" + digest_of('b'));
  changed("another tag", 1, "value", "shop/web:v2@" + kDigest);
  changed("another repository", 1, "value", "shop/api:v1@" + kDigest);
  changed("no reference", 1, "value", "shop/web:v1@sha256:abc");
  changed("no digest", 1, "value", "shop/web:v1");
  changed("a value that is no text", 1, "value", Json::object());
  changed("a key more", 1, "from", "/spec");
  Json more = good();
  more.push_back({{"op", "add"}, {"path", "/spec/hostNetwork"}, {"value", true}});
  rows.push_back({"a step more", more});
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK_FALSE(checked(row.patch).empty());
  }
  const ImageChange change{.image = 0, .pointer = kPointer, .after = kAfter, .digest = kDigest};
  CHECK_FALSE(check_patch("", workload(), {&change, 1}).empty());
  CHECK_FALSE(check_patch("[", workload(), {&change, 1}).empty());
  CHECK_FALSE(check_patch(good().dump() + "x", workload(), {&change, 1}).empty());
  CHECK_FALSE(check_patch(good().dump() + '\0', workload(), {&change, 1}).empty());
  CHECK_FALSE(check_patch(std::string(100'000, '['), workload(), {&change, 1}).empty());
}

}  // namespace
}  // namespace belay::webhook::admission
