// `belay pin` as people call it, with registries that the test plays.
#include "webhook/command/pin.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/folder.h"

namespace belay::webhook::command {
namespace {

namespace fs = std::filesystem;
using registry::Blob;
using registry::Failure;
using registry::Place;
using registry::RegistryError;
using Json = nlohmann::json;

std::string digest_like(char digit) { return "sha256:" + std::string(64, digit); }

/// What the registries of a test say, and how they were asked.
struct Registry {
  Registry() = default;
  /// Knows nginx:1.
  explicit Registry(char digit) : digests{{"docker.io/library/nginx:1", digest_like(digit)}} {}

  std::map<std::string, std::string> digests;  ///< "docker.io/library/nginx:1" -> digest
  std::mutex mutex;
  std::map<std::string, int> asked;  ///< guarded by mutex
  std::atomic<int> now{0};
  std::atomic<int> most{0};  ///< questions that waited at once
};

class FakeReader final : public registry::RegistryReader {
 public:
  explicit FakeReader(Registry& registry) : registry_(registry) {}
  std::expected<std::string, RegistryError> digest(const Place& place, std::string_view tag,
                                                   registry::Clock::time_point) override {
    const int here = ++registry_.now;
    for (int seen = registry_.most; seen < here;) {
      if (registry_.most.compare_exchange_weak(seen, here)) break;
    }
    const std::string key = place.registry + "/" + place.repository + ":" + std::string(tag);
    {
      const std::scoped_lock lock(registry_.mutex);
      ++registry_.asked[key];
    }
    std::this_thread::yield();
    --registry_.now;
    const auto found = registry_.digests.find(key);
    if (found != registry_.digests.end()) return found->second;
    return std::unexpected(RegistryError{Failure::kNotFound, place.registry + " has no such tag"});
  }
  std::expected<Blob, RegistryError> manifest(const Place&, std::string_view,
                                              registry::Clock::time_point) override {
    return Blob{};
  }
  std::expected<Blob, RegistryError> blob(const Place&, std::string_view,
                                          registry::Clock::time_point) override {
    return Blob{};
  }
  std::expected<Blob, RegistryError> referrers(const Place&, std::string_view,
                                               registry::Clock::time_point) override {
    return Blob{};
  }

 private:
  Registry& registry_;
};

class Folder : public tests::Folder {
 public:
  Folder() {
    write("registries.yaml",
          "apiVersion: belay.dev/v1alpha1\nkind: Registries\nregistries:\n  - host: docker.io\n");
  }
};

struct Ran {
  int status;
  std::string out, err;
};

Ran pin(const PinOptions& options, Registry& registry, const std::string& input = "") {
  std::istringstream in(input);
  std::ostringstream out, err;
  Streams streams{in, out, err};
  const int status = run_pin(
      options,
      [&](const registry::Registries&, const registry::RegistryClientOptions&) {
        return std::make_unique<FakeReader>(registry);
      },
      streams);
  return {status, out.str(), err.str()};
}

PinOptions options_for(const Folder& folder, std::vector<std::string> paths) {
  PinOptions options;
  options.manifests.named = std::move(paths);
  options.registries.registries = folder.path("registries.yaml");
  return options;
}

std::string pod(const std::string& image, const std::string& name = "web") {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name +
         "}\nspec:\n  containers:\n    - name: web   # first\n      image: " + image +
         "   # what runs\n";
}

const std::string kPinned = "nginx:1@" + digest_like('1');

TEST_CASE("one file comes out pinned on standard output, and again it comes out the same") {
  const Folder folder;
  Registry registry('1');
  const std::string path = folder.write("pod.yaml", pod("nginx:1"));
  const Ran once = pin(options_for(folder, {path}), registry);
  CHECK(once.status == 0);
  CHECK(once.out == pod(kPinned));
  CHECK(once.err == "1 image in 1 file: 1 pinned\n");
  CHECK(folder.text("pod.yaml") == pod("nginx:1"));

  // What is pinned asks nobody, so registries need not be named.
  PinOptions alone;
  alone.manifests.paths = {"-"};
  Registry nobody;
  const Ran twice = pin(alone, nobody, once.out);
  CHECK(twice.status == 0);
  CHECK(twice.out == once.out);
  CHECK(nobody.asked.empty());
}

TEST_CASE("several files come out as a diff, and with --write in place with their mode") {
  const Folder folder;
  Registry registry('1');
  folder.write("m/a.yaml", pod("nginx:1"));
  folder.write("m/b.json",
               R"({"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":"nginx:1"}]}})");
  folder.write("m/values.yaml", "image: nginx:1\n");
  folder.write("m/done.yaml", pod(kPinned));
  REQUIRE(::chmod(folder.path("m/a.yaml").c_str(), 0600) == 0);
  PinOptions options = options_for(folder, {folder.path("m")});
  const Ran shown = pin(options, registry);
  CHECK(shown.status == 0);
  CHECK(shown.out.find("-      image: nginx:1   # what runs\n+      image: " + kPinned +
                       "   # what runs\n") != std::string::npos);
  CHECK(shown.out.find("\\ No newline at end of file") != std::string::npos);
  CHECK(shown.out.find("done.yaml") == std::string::npos);
  CHECK(registry.asked == std::map<std::string, int>{{"docker.io/library/nginx:1", 1}});

  options.write = true;
  const auto done_before = fs::last_write_time(folder.path("m/done.yaml"));
  const Ran written = pin(options, registry);
  CHECK(written.status == 0);
  CHECK(written.out == "");
  CHECK(folder.text("m/a.yaml") == pod(kPinned));
  CHECK(folder.text("m/b.json").find("\"" + kPinned + "\"") != std::string::npos);
  CHECK(folder.text("m/values.yaml") == "image: nginx:1\n");
  CHECK((fs::status(folder.path("m/a.yaml")).permissions() & fs::perms::all) ==
        (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(fs::last_write_time(folder.path("m/done.yaml")) == done_before);
}

TEST_CASE("a file with a tag that could not be resolved is left alone, the others are written") {
  const Folder folder;
  Registry registry('1');
  const std::string bad = folder.write("bad.yaml", pod("nginx:1") + "---\n" + pod("gone:2"));
  const std::string good = folder.write("good.yaml", pod("nginx:1"));
  PinOptions options = options_for(folder, {bad, good});
  options.write = true;
  const Ran ran = pin(options, registry);
  CHECK(ran.status == 2);
  CHECK(folder.text("bad.yaml") == pod("nginx:1") + "---\n" + pod("gone:2"));
  CHECK(folder.text("good.yaml") == pod(kPinned));
  CHECK(ran.err == bad +
                       ":15:14: \"gone:2\" could not be resolved: docker.io has no such tag\n"
                       "3 images in 2 files: 1 pinned, 1 not resolved; 1 file left as it was\n");

  const Ran piped = pin(options_for(folder, {bad}), registry);
  CHECK(piped.status == 2);
  CHECK(piped.out == "");  // kubectl apply -f - gets nothing, rather than half
}

TEST_CASE("--check lists what has no digest, exits with 1, and needs no registry for that") {
  const Folder folder;
  Registry registry;
  const std::string path =
      folder.write("pods.yaml", pod("nginx:1") + "---\n" + pod("nginx") + "---\n" + pod(kPinned));
  PinOptions options;
  options.manifests.named = {path};
  options.check = true;
  const Ran ran = pin(options, registry);
  CHECK(ran.status == 1);
  CHECK(ran.out == path +
                       ":7:14: not pinned spec.containers[0].image (web): \"nginx:1\" has no "
                       "digest\n" +
                       path +
                       ":15:14: not pinned spec.containers[0].image (web): \"nginx\" has neither "
                       "tag nor digest. Give it a tag first\n"
                       "3 images in 1 file: 2 not pinned, 1 with a digest\n");
  CHECK(registry.asked.empty());

  options.manifests.named = {folder.write("done.yaml", pod(kPinned))};
  CHECK(pin(options, registry).status == 0);
}

TEST_CASE("--check with registries tells what to write, and a tag that moved is not a finding") {
  const Folder folder;
  Registry registry('2');
  const std::string path = folder.write("pods.yaml", pod("nginx:1"));
  PinOptions options = options_for(folder, {path});
  options.check = true;
  const Ran ran = pin(options, registry);
  CHECK(ran.status == 1);
  CHECK(ran.out.find("Use nginx:1@" + digest_like('2')) != std::string::npos);
  CHECK(folder.text("pods.yaml") == pod("nginx:1"));

  options.manifests.named = {folder.write("moved.yaml", pod(kPinned))};
  const Ran moved = pin(options, registry);
  CHECK(moved.status == 0);
  CHECK(moved.out.find("keeps its digest; its tag now points to " + digest_like('2')) !=
        std::string::npos);

  options.manifests.named = {folder.write("gone.yaml", pod("gone:1@" + digest_like('1')))};
  CHECK(pin(options, registry).status == 2);
}

TEST_CASE(
    "without registries the error contains the smallest file that names those of the images") {
  const Folder folder;
  Registry registry;
  PinOptions options;
  options.manifests.named = {"-"};
  const Ran ran =
      pin(options, registry, pod("nginx:1") + "---\n" + pod("registry.corp:5000/shop/web:v1"));
  CHECK(ran.status == 2);
  CHECK(ran.out == "");
  CHECK(ran.err.find("2 tags are to be resolved") != std::string::npos);
  CHECK(ran.err.find("apiVersion: belay.dev/v1alpha1\nkind: Registries\nregistries:\n"
                     "  - host: docker.io\n  - host: registry.corp:5000\n") != std::string::npos);
}

TEST_CASE("with a policy only what its pin wants is pinned") {
  const Folder folder;
  Registry registry('1');
  const std::string path = folder.write("pods.yaml", pod("nginx:1") + "---\n" + pod("redis:7"));
  PinOptions options = options_for(folder, {path});
  options.evaluation.policies = {folder.write(
      "policy.yaml",
      "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: pins}\nspec:\n"
      "  rules: {tagRequired: {}}\n  pin: {enabled: true, images: [docker.io/library/nginx]}\n")};
  const Ran ran = pin(options, registry);
  CHECK(ran.status == 0);
  CHECK(ran.out == pod(kPinned) + "---\n" + pod("redis:7"));
  CHECK(ran.err == "2 images in 1 file: 1 pinned, 1 that no policy pins\n");
}

TEST_CASE("--output json tells every image with its place and what became of it") {
  const Folder folder;
  Registry registry('1');
  const std::string path =
      folder.write("pods.yaml", pod("nginx:1") + "---\n" + pod("gone:1") + "---\n" + pod("none"));
  PinOptions options = options_for(folder, {path});
  options.output = "json";
  const Ran ran = pin(options, registry);
  CHECK(ran.status == 2);
  const Json root = Json::parse(ran.out);
  REQUIRE(root["images"].size() == 3);
  CHECK(root["images"][0]["status"] == "pinned");
  CHECK(root["images"][0]["digest"] == digest_like('1'));
  CHECK(root["images"][0]["line"] == 7);
  CHECK(root["images"][0]["uses"][0]["field"] == "spec.containers[0].image");
  CHECK(root["images"][1]["status"] == "unresolved");
  CHECK(root["images"][1]["problem"] == "docker.io has no such tag");
  CHECK(root["images"][2]["status"] == "untagged");
  CHECK(root["summary"]["changedFiles"] == 0);
  CHECK(root["errors"].size() == 1);

  options.check = true;
  CHECK(Json::parse(pin(options, registry).out)["images"][0]["status"] == "unpinned");
}

TEST_CASE("a thousand images are pinned in one run, each asked once, eight at a time at most") {
  const Folder folder;
  Registry registry;
  for (int i = 0; i < 1000; ++i) {
    const std::string image = "shop/app-" + std::to_string(i / 2) + ":v" + std::to_string(i);
    registry.digests["docker.io/" + image] = digest_like(static_cast<char>('a' + i % 6));
    folder.write("m/" + std::to_string(i % 100) + "/" + std::to_string(i) + ".yaml",
                 pod(image) + "---\n" + pod("docker.io/" + image));
  }
  PinOptions options = options_for(folder, {folder.path("m")});
  options.write = true;
  const Ran ran = pin(options, registry);
  CHECK(ran.status == 0);
  CHECK(ran.err == "2000 images in 1000 files: 2000 pinned\n");
  CHECK(registry.asked.size() == 1000);
  CHECK(std::ranges::all_of(registry.asked, [](const auto& one) { return one.second == 1; }));
  CHECK(registry.most <= 8);
  options.write = false;
  options.check = true;
  options.registries = {};
  CHECK(pin(options, registry).out == "2000 images in 1000 files: 2000 with a digest\n");
}

TEST_CASE("what makes no sense together is said, and nothing is done") {
  const Folder folder;
  Registry registry;
  const auto problem = [&](const PinOptions& options) {
    const Ran ran = pin(options, registry);
    CHECK(ran.status == 2);
    return ran.err.substr(0, ran.err.find('\n'));
  };
  CHECK(problem({}) ==
        "belay pin: nothing to pin: give -f FILE, -f DIR, or -f - for standard input");
  PinOptions options = options_for(folder, {"-"});
  options.write = true;
  CHECK(problem(options) == "belay pin: standard input has no file to write to: remove --write");
  options.check = true;
  CHECK(problem(options) == "belay pin: give one of --write, --check and --diff");
  PinOptions missing = options_for(folder, {folder.path("none.yaml")});
  CHECK(problem(missing).ends_with("none.yaml: no such file or directory"));
  missing.registries.registries = folder.path("none");
  CHECK(problem(missing).ends_with("none: No such file or directory"));
  missing.registries.registries = folder.write("large", std::string((1U << 20U) + 1, '\n'));
  CHECK(problem(missing).ends_with("large: is larger than 1 MiB"));
}

}  // namespace
}  // namespace belay::webhook::command
