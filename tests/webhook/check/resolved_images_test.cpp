// Facts for `check --resolve`: taken down first, asked for together, found the second time.
#include "webhook/check/resolved_images.h"

#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "policy/image_reference.h"

namespace belay::webhook::check {
namespace {

using admission::ImageFactRequest;
using policy::ImageFacts;
using policy::ImageNeed;
using policy::ImageReference;

/// Answers with the tag as digest; "gone" is not there.
class FakeSource final : public admission::ImageSource {
 public:
  bool known(const admission::PullIdentity&, const ImageFactRequest&, ImageFacts&) override {
    return false;
  }
  std::string known_digest(const admission::PullIdentity&, const ImageReference&) override {
    return "";
  }
  void ask(const admission::PullIdentity&, const ImageFactRequest& question,
           std::chrono::steady_clock::time_point, ImageFacts& facts) override {
    const int here = ++now;
    for (int seen = most; seen < here && !most.compare_exchange_weak(seen, here);) continue;
    {
      const std::scoped_lock lock(mutex);
      ++asked[question.reference.canonical()];
    }
    std::this_thread::yield();
    if (question.reference.tag == "gone") {
      facts.problem = "docker.io has no such tag";
    } else {
      if (question.need.digest) facts.digest = "sha256:" + std::string(question.reference.tag);
      if (question.need.metadata) facts.metadata = std::make_shared<policy::ImageMetadata>();
    }
    --now;
  }
  void admitted(const admission::PullIdentity&, const ImageReference&, std::string_view) override {
    ++admissions;
  }

  std::mutex mutex;
  std::map<std::string, int> asked;
  std::atomic<int> now{0}, most{0};
  int admissions = 0;
};

ImageNeed need_of(bool digest, bool metadata) {
  ImageNeed need;
  need.digest = digest;
  need.metadata = metadata;
  return need;
}

ImageFacts look(ResolvedImages& images, const std::string& text, ImageNeed need) {
  ImageFacts facts;
  CHECK(images.known({}, {*policy::parse_image_reference(text), need}, facts));
  return facts;
}

TEST_CASE("what was not asked for is a problem the first time and known the second") {
  FakeSource source;
  ResolvedImages images(source);
  CHECK(look(images, "nginx:1", need_of(true, false)).problem == "it was not looked up yet");
  CHECK(look(images, "docker.io/library/nginx:1", need_of(false, true)).digest == "");
  CHECK(images.wanted() == 1);
  images.ask_all(8, std::chrono::seconds(1), nullptr);
  CHECK(images.wanted() == 0);
  const ImageFacts facts = look(images, "nginx:1", need_of(true, true));
  CHECK(facts.problem == "");
  CHECK(facts.digest == "sha256:1");
  CHECK(facts.metadata != nullptr);
  CHECK(source.asked == std::map<std::string, int>{{"docker.io/library/nginx:1", 1}});
}

TEST_CASE("a fact more is asked for with the others, and a failure is asked for once") {
  FakeSource source;
  ResolvedImages images(source);
  CHECK(images.known_digest({}, *policy::parse_image_reference("nginx:1")) == "");
  CHECK(images.known_digest({}, *policy::parse_image_reference("nginx")) == "");
  look(images, "x:gone", need_of(true, false));
  images.ask_all(8, std::chrono::seconds(1), nullptr);
  CHECK(images.known_digest({}, *policy::parse_image_reference("nginx:1")) == "sha256:1");
  CHECK(look(images, "x:gone", need_of(true, false)).problem == "docker.io has no such tag");
  CHECK(images.wanted() == 0);
  look(images, "nginx:1", need_of(false, true));
  CHECK(images.wanted() == 1);
  images.ask_all(8, std::chrono::seconds(1), nullptr);
  CHECK(look(images, "nginx:1", need_of(true, true)).digest == "sha256:1");
  CHECK(source.asked["docker.io/library/x:gone"] == 1);
}

TEST_CASE("hundreds of images are asked for eight at a time at most, and admit nothing") {
  FakeSource source;
  ResolvedImages images(source);
  for (int i = 0; i < 500; ++i) look(images, "a/b:" + std::to_string(i), need_of(true, false));
  images.ask_all(8, std::chrono::seconds(1), nullptr);
  CHECK(source.asked.size() == 500);
  CHECK(source.most <= 8);
  images.admitted({}, *policy::parse_image_reference("a/b:1"), "sha256:1");
  CHECK(source.admissions == 0);
}

}  // namespace
}  // namespace belay::webhook::check
