// From a file's images to lookups, digests and the pinned file.
#include "webhook/check/pin.h"

#include <doctest/doctest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace belay::webhook::check {
namespace {

using registry::Failure;
using registry::ImageName;
using registry::RegistryError;

const std::string kDigest = "sha256:" + std::string(64, 'a');
const std::string kOther = "sha256:" + std::string(64, 'b');

std::string pod(const std::string& containers) {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n" + containers;
}

/// \param chosen  names of containers; empty: all
PinFile file_of(const std::string& text, const std::set<std::string_view>& chosen = {}) {
  PinFile file;
  file.origin = {"pod.yaml"};
  file.text = text;
  file.images = find_images(file.origin, file.text, "default", {},
                            [&](const policy::Workload& workload, std::vector<bool>& out) {
                              for (std::size_t i = 0; i < out.size(); ++i) {
                                out[i] =
                                    chosen.empty() || chosen.contains(workload.pod.images[i].name);
                              }
                            });
  return file;
}

std::string keys(const PinFile& file, bool also_pinned = false) {
  DigestLookups lookups;
  add_lookups(file.images, also_pinned, lookups);
  std::string out;
  for (const auto& [key, image] : lookups) out += key + " ";
  return out;
}

std::string statuses(const PinFile& file) {
  std::string out;
  for (const PinnedImage& image : file.results) out += std::string(name_of(image.status)) + " ";
  return out;
}

TEST_CASE("each tag is one question, whatever its spelling, and a digest none") {
  const PinFile file = file_of(
      pod("  - {name: a, image: 'nginx:1'}\n  - {name: b, image: docker.io/library/nginx:1}\n"
          "  - {name: c, image: 'registry.corp:5000/shop/web:v1'}\n  - {name: d, image: nginx}\n"
          "  - {name: e, image: 'redis:7@" +
          kDigest + "'}\n  - {name: f, image: 'NO:1'}\n"));
  CHECK(keys(file) == "docker.io/library/nginx:1 registry.corp:5000/shop/web:v1 ");
  CHECK(keys(file, true) ==
        "docker.io/library/nginx:1 docker.io/library/redis:7 registry.corp:5000/shop/web:v1 ");
}

TEST_CASE("what becomes of an image follows from its text, the policy and the answer") {
  PinFile file = file_of(pod("  - {name: a, image: 'nginx:1'}\n  - {name: b, image: nginx}\n"
                             "  - {name: c, image: 'NO:1'}\n  - {name: d, image: 'redis:7@" +
                             kDigest + "'}\n  - {name: e, image: 'redis@" + kDigest +
                             "'}\n  - {name: f, image: &x 'x:1', env: [{name: X, value: *x}]}\n"
                             "  - {name: left, image: 'y:1'}\n  - {name: left, image: why}\n"),
                         {"a", "b", "c", "d", "e", "f"});
  decide(file, {{"docker.io/library/nginx:1", kDigest}, {"docker.io/library/redis:7", kOther}});
  CHECK(statuses(file) == "pinned untagged invalid moved digest shared left left ");
  CHECK(file.complete);
  CHECK(file.pinned.find("'nginx:1@" + kDigest + "'") != std::string::npos);
  CHECK(file.pinned.size() == file.text.size() + 1 + kDigest.size());
  CHECK(is_unpinned(file.results[1]));
  CHECK_FALSE(is_unpinned(file.results[3]));
}

TEST_CASE("a file of which one tag is not resolved is left as it is") {
  PinFile file = file_of(pod("  - {name: a, image: 'a:1'}\n  - {name: b, image: 'b:1'}\n"));
  const RegistryError error{Failure::kTimeout, "docker.io did not respond in time"};
  decide(file,
         {{"docker.io/library/a:1", kDigest}, {"docker.io/library/b:1", std::unexpected(error)}});
  CHECK(statuses(file) == "pinned unresolved ");
  CHECK(file.results[1].problem == error.message);
  CHECK_FALSE(file.complete);
  CHECK_FALSE(file.changes());
}

TEST_CASE("a digest that would break the file never comes into it") {
  for (const char* const digest : {"sha256:x\"}", "latest\n", ""}) {
    PinFile file = file_of(pod("  - {name: a, image: 'a:1'}\n"));
    decide(file, {{"docker.io/library/a:1", digest}});
    CHECK_FALSE(file.complete);
    CHECK(file.pinned == file.text);
    CHECK(file.problem != "");
  }
}

TEST_CASE("an image that an anchor shares with one that no policy wants is left alone") {
  PinFile file = file_of(pod("  - {name: a, image: &x 'a:1'}\n  - {name: b, image: *x}\n"), {"a"});
  CHECK(keys(file) == "");
  decide(file, {});
  CHECK(statuses(file) == "shared ");
}

TEST_CASE("a thousand tags are asked once each, eight at a time at most") {
  DigestLookups lookups;
  for (int i = 0; i < 1000; ++i) {
    lookups.emplace("docker.io/a/b:" + std::to_string(i),
                    ImageName{"docker.io", "a/b", std::to_string(i), ""});
  }
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  std::mutex mutex;
  std::multiset<std::string> asked;
  const Digests digests = look_up_all(
      lookups,
      [&](const ImageName& image) -> std::expected<std::string, RegistryError> {
        const int here = ++now;
        for (int seen = most; seen < here && !most.compare_exchange_weak(seen, here);) continue;
        {
          const std::scoped_lock lock(mutex);
          asked.insert(image.tag);
        }
        std::this_thread::yield();
        --now;
        if (image.tag == "7") return std::unexpected(RegistryError{Failure::kNotFound, "no"});
        return "sha256:" + image.tag;
      },
      8, nullptr);
  CHECK(most <= 8);
  CHECK(asked.size() == 1000);
  CHECK(std::set(asked.begin(), asked.end()).size() == 1000);
  CHECK(digests.size() == 1000);
  CHECK(digests.at("docker.io/a/b:42") == "sha256:42");
  CHECK_FALSE(digests.at("docker.io/a/b:7").has_value());
}

TEST_CASE("nothing to ask is no thread and no answer") {
  CHECK(look_up_all({}, nullptr, 8, nullptr).empty());
}

}  // namespace
}  // namespace belay::webhook::check
