// Lookups of images on a few threads: requests take turns.
#include "webhook/admission/image_lookups.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "tests/support/soon.h"

namespace belay::webhook::admission {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Answers once it is let go; keeps the order in which it was asked.
class Slow final : public ImageSource {
 public:
  bool known(const PullIdentity& /*identity*/, const ImageFactRequest& /*question*/,
             policy::ImageFacts& /*facts*/) override {
    return false;
  }
  std::string known_digest(const PullIdentity& /*identity*/,
                           const policy::ImageReference& /*reference*/) override {
    return {};
  }
  void ask(const PullIdentity& /*identity*/, const ImageFactRequest& question,
           Clock::time_point /*deadline*/, policy::ImageFacts& facts) override {
    std::unique_lock lock(mutex_);
    asked_.emplace_back(question.reference.text);
    changed_.wait_for(lock, 20s, [&] { return let_go_; });
    facts.digest = "sha256:" + std::string(64, 'a');
  }
  void admitted(const PullIdentity& /*identity*/, const policy::ImageReference& /*reference*/,
                std::string_view /*digest*/) override {}

  void let_go() {
    const std::lock_guard lock(mutex_);
    let_go_ = true;
    changed_.notify_all();
  }
  std::vector<std::string> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> asked_;
  bool let_go_ = false;
};

ImageInquiry inquiry_of(const std::vector<std::string>& images) {
  ImageInquiry inquiry;
  for (const std::string& image : images) {
    inquiry.items.push_back(
        {.image = image, .digest = true, .metadata = false, .record = false, .facts = {}});
  }
  return inquiry;
}

TEST_CASE("a request with many images waits its turn after each of them") {
  Slow source;
  std::atomic<int> done = 0;
  ImageLookups lookups(source, {.threads = 1, .queue = 16, .side_by_side = 1, .deadline = 20s});
  const auto deadline = Clock::now() + 20s;
  const auto then = [&done] { ++done; };
  const auto many = lookups.start(inquiry_of({"a:1", "a:2", "a:3"}), deadline, then);
  REQUIRE(tests::soon([&] { return source.asked().size() == 1; }));
  const auto one = lookups.start(inquiry_of({"b:1"}), deadline, then);
  source.let_go();
  REQUIRE(tests::soon([&] { return done == 2; }));
  CHECK(source.asked() == std::vector<std::string>{"a:1", "b:1", "a:2", "a:3"});
  for (const auto& item : many->result().items) CHECK(item.facts.problem.empty());
}

TEST_CASE("without room to wait its turn, a request goes on where it is") {
  Slow source;
  std::atomic<int> done = 0;
  ImageLookups lookups(source, {.threads = 1, .queue = 1, .side_by_side = 1, .deadline = 20s});
  const auto deadline = Clock::now() + 20s;
  const auto then = [&done] { ++done; };
  const auto many = lookups.start(inquiry_of({"a:1", "a:2"}), deadline, then);
  REQUIRE(tests::soon([&] { return source.asked().size() == 1; }));
  const auto waits = lookups.start(inquiry_of({"b:1"}), deadline, then);
  CHECK(lookups.start(inquiry_of({"c:1"}), deadline, then) == nullptr);
  source.let_go();
  REQUIRE(tests::soon([&] { return done == 2; }));
  CHECK(source.asked() == std::vector<std::string>{"a:1", "a:2", "b:1"});
}

}  // namespace
}  // namespace belay::webhook::admission
