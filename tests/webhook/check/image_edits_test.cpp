// Digests behind images of manifests: all other bytes stay, whatever the file looks like.
#include "webhook/check/image_edits.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

#include "policy/image_reference.h"
#include "tests/support/sources.h"

namespace belay::webhook::check {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'c');

void choose_all(const policy::Workload&, std::vector<bool>& chosen) {
  chosen.assign(chosen.size(), true);
}

std::string replace_all(std::string text, std::string_view what, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return text;
}

ManifestImages find(std::string_view text, const ManifestFile& file = {"app.yaml"}) {
  return find_images(file, text, "default", {{"argoproj.io", "Rollout", "spec.template"}},
                     choose_all);
}

/// Puts kDigest behind every tag that can have one.
std::string pin_all(std::string_view text) {
  const ManifestImages found = find(text);
  std::vector<DigestEdit> edits;
  for (const ImageScalar& scalar : found.scalars) {
    const auto reference = policy::parse_image_reference(scalar.image);
    if (!scalar.obstacle.empty() || !reference) continue;
    if (reference->has_tag() && !reference->has_digest()) edits.push_back({&scalar, kDigest});
  }
  auto out = put_digests(text, edits);
  REQUIRE_MESSAGE(out.has_value(), out.error());
  return *out;
}

/// "line: image obstacle" of each image that nothing can be put behind.
std::string obstacles(std::string_view text) {
  std::string out;
  for (const ImageScalar& scalar : find(text).scalars) {
    if (scalar.obstacle.empty()) continue;
    out += std::to_string(scalar.place.line) + ": " + scalar.image + " " + scalar.obstacle + "\n";
  }
  return out;
}

std::string errors(const ManifestImages& found) {
  std::string out;
  for (const report::InputError& error : found.errors) {
    out += report::to_string(error.place) + ": " + error.message + "\n";
  }
  return out;
}

TEST_CASE("digests go where the files of tests/data/pin have <pin>, and no other byte changes") {
  for (const char* const name :
       {"layout.yaml", "windows.yaml", "list.json", "anchors.yaml", "blocks.yaml"}) {
    CAPTURE(name);
    const auto marked = read_file(tests::source(std::string("tests/data/pin/") + name));
    REQUIRE(marked.has_value());
    const std::string text = replace_all(*marked, "<pin>", "");
    REQUIRE(errors(find(text)) == "");
    const std::string pinned = pin_all(text);
    CHECK(pinned == replace_all(*marked, "<pin>", "@" + kDigest));
    CHECK(pin_all(pinned) == pinned);
  }
}

TEST_CASE("an image that something else shares through an anchor is reported with its line") {
  const auto text = read_file(tests::source("tests/data/pin/anchors.yaml"));
  CHECK(obstacles(replace_all(*text, "<pin>", "")) ==
        "17: memcached:1 is also the value of items[1].metadata.labels.version, through an "
        "anchor\n"
        "22: postgres:16 is also the value of items[1].spec.containers[2].env[0].value, through "
        "an anchor\n"
        "26: nginx:5 is also the value of x-defaults.image, through an anchor\n");
}

TEST_CASE("images come with their place, their quoting and every object that uses them") {
  const std::string text =
      "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nspec:\n"
      "  containers:\n  - {name: a, image: &i 'nginx:1'}\n  - {name: b, image: *i}\n"
      "  - name: c\n    image: \"redis:7\"\n";
  const ManifestImages found = find(text, {"pod.yaml"});
  REQUIRE(found.scalars.size() == 2);
  const ImageScalar& nginx = found.scalars[0];
  CHECK(report::to_string(nginx.place) == "pod.yaml:6:25");
  CHECK(nginx.quoting == Quoting::kSingle);
  CHECK(text.substr(nginx.begin, nginx.end - nginx.begin) == "'nginx:1'");
  REQUIRE(nginx.uses.size() == 2);
  CHECK(nginx.uses[1].field == "spec.containers[1].image");
  CHECK(nginx.uses[1].container == "b");
  CHECK(nginx.uses[0].ns == "shop");
  CHECK(nginx.uses[0].name == "web");
  CHECK(found.scalars[1].quoting == Quoting::kDouble);
}

TEST_CASE("only the images that are chosen say so") {
  const std::string text =
      "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: a, image: "
      "'x:1'}, {name: b, image: 'y:1'}]}\n";
  const ManifestImages found = find_images(
      {"a"}, text, "default", {}, [](const policy::Workload& workload, std::vector<bool>& chosen) {
        CHECK(workload.namespace_name == "default");
        chosen[1] = true;
      });
  REQUIRE(found.scalars.size() == 2);
  CHECK_FALSE(found.scalars[0].uses[0].chosen);
  CHECK(found.scalars[1].uses[0].chosen);
}

TEST_CASE("a Rollout's images are found where its template is declared") {
  CHECK(pin_all("apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: r}\n"
                "spec: {template: {spec: {containers: [{name: a, image: 'x:1'}]}}}\n")
            .find("'x:1@sha256:") != std::string::npos);
}

TEST_CASE("what is invalid is an error with its place, and the rest is still found") {
  const ManifestImages found = find(
      "kind: Pod\n---\napiVersion: v1\nkind: Pod\nspec: {containers: {}}\n---\na: [\n---\n"
      "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{image: 'x:1'}]}\n");
  CHECK(found.errors.size() == 3);
  CHECK(errors(found).starts_with("app.yaml:1:1: not a Kubernetes object: it has no apiVersion\n"));
  CHECK(found.scalars.size() == 1);
  CHECK(errors(find("a: {{ .Values.image }}")).find("Helm template") != std::string::npos);
}

TEST_CASE("YAML of a directory that is not a Kubernetes object is skipped") {
  const ManifestImages found =
      find("image: nginx:1\n", {.path = "charts/values.yaml", .named = false});
  CHECK(found.errors.empty());
  CHECK(found.scalars.empty());
}

TEST_CASE("a digest that is none, or an image that has one, is refused") {
  const std::string text =
      "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
      "spec: {containers: [{image: 'x:1'}, {image: 'y'}]}\n";
  const ManifestImages found = find(text);
  const auto put = [&](std::size_t i, std::string digest) {
    return put_digests(text, std::vector<DigestEdit>{{&found.scalars[i], std::move(digest)}});
  };
  CHECK(put(0, kDigest).has_value());
  CHECK_FALSE(put(0, "sha256:abc").has_value());
  CHECK_FALSE(put(0, kDigest + "\"}").has_value());
  CHECK_FALSE(put(0, "").has_value());
  CHECK_FALSE(put(1, kDigest).has_value());
}

// Random manifests. ------------------------------------------------------------------------------

std::string any_of(std::vector<std::string> choices) {
  return *rc::gen::elementOf(std::move(choices));
}

/// A manifest with an image written in one of many ways; "<pin>" where a digest has to go.
std::string random_container(int number) {
  const std::string name = "c" + std::to_string(number);
  const std::string image = any_of({"nginx:1", "registry.corp:5000/shop/web:v1.4.2-prod", "a/b:c",
                                    "localhost:5000/x:latest", "quay.io/m__n/o-p:V_1.2"}) +
                            "<pin>";
  const std::string comment = any_of({"", " # image: nginx:1", "   #\ttab", "  "});
  const std::string scalar =
      any_of({image, "\"" + image + "\"", "'" + image + "'", "!!str " + image,
              "&a" + std::to_string(number) + " " + image, ">-\n      " + image + "\n",
              "|-\n      " + image + "\n", "\n       " + image, "\"\\x6e" + image + "\"", "nginx",
              "redis@sha256:" + std::string(64, 'd')});
  if (scalar.find('\n') != std::string::npos) {
    return "  - name: " + name + "\n    image: " + scalar + "\n";
  }
  return any_of({"  - name: " + name + "\n    image: " + scalar + comment + "\n",
                 "  - image:   " + scalar + comment + "\n    name: '" + name + "'\n",
                 "  - {name: " + name + ", image: " + scalar + " , tty: true}" + comment + "\n",
                 "  - {\"image\": " + scalar + "}\n"});
}

std::string random_manifests() {
  std::string text = any_of({"", "\xef\xbb\xbf", "# head\n", "---\n"});
  const int documents = *rc::gen::inRange(1, 4);
  for (int d = 0; d < documents; ++d) {
    if (d > 0) text += any_of({"---\n", "--- # next\n", "...\n---\n"});
    if (*rc::gen::inRange(0, 4) == 0) {
      text += "apiVersion: v1\nkind: ConfigMap\ndata: {image: 'nginx:1', \"k\": nginx:1}\n";
      continue;
    }
    text += "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {image: x}}\nspec:\n";
    text += "  containers:   # all of them\n";
    const int containers = *rc::gen::inRange(1, 6);
    for (int c = 0; c < containers; ++c) text += random_container(c);
    text += any_of({"", "  restartPolicy: Never\n", "  nodeName: \"C:\\\\n\"\n"});
  }
  if (*rc::gen::arbitrary<bool>()) text = replace_all(text, "\n", "\r\n");
  if (*rc::gen::arbitrary<bool>()) {
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  }
  return text;
}

TEST_CASE("in random manifests digests go behind the tags, and a second run changes nothing") {
  CHECK(rc::check("put_digests", [] {
    const std::string marked = random_manifests();
    const std::string text = replace_all(marked, "<pin>", "");
    RC_ASSERT(errors(find(text)) == "");
    RC_ASSERT(obstacles(text) == "");
    const std::string pinned = pin_all(text);
    RC_ASSERT(pinned == replace_all(marked, "<pin>", "@" + kDigest));
    RC_ASSERT(pin_all(pinned) == pinned);
  }));
}

}  // namespace
}  // namespace belay::webhook::check
