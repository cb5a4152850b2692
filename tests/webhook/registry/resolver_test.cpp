// The resolver's promises: nothing crosses credentials, one question at a time, what is believed
// for how long, how much is kept.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "webhook/registry/manifest.h"
#include "webhook/registry/resolver.h"

namespace belay::webhook::registry {
namespace {

using namespace std::chrono_literals;

std::string digest(char c) { return "sha256:" + std::string(64, c); }

Credential credential(std::string identity) {
  Credential one;
  one.identity = std::move(identity);
  return one;
}

/// A registry in memory. Each credential identity sees what it was given, nothing else.
class FakeRegistry final : public RegistryReader {
 public:
  std::map<std::pair<std::string, std::string>, std::string> tags;  ///< identity, tag -> digest
  std::map<std::string, std::string> bodies;                        ///< digest -> manifest or blob
  std::string referrer_list = R"({"manifests":[]})";
  std::atomic<int> asked = 0;
  std::atomic<int> referrers_asked = 0;
  std::atomic<bool> away = false;
  std::chrono::milliseconds body_takes{0};  ///< at most until the deadline

  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void release() {
    {
      const std::lock_guard lock(mutex_);
      held_ = false;
    }
    changed_.notify_all();
  }

  std::expected<std::string, RegistryError> digest(const Place& place, std::string_view tag,
                                                   Clock::time_point deadline) override {
    ++asked;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_until(lock, deadline, [this] { return !held_; })) {
        return failed(Failure::kTimeout);
      }
    }
    if (away) return failed(Failure::kUnreachable);
    const auto found = tags.find({place.credential.identity, std::string(tag)});
    if (found == tags.end()) return failed(Failure::kNotFound);
    return found->second;
  }
  std::expected<Blob, RegistryError> manifest(const Place&, std::string_view digest,
                                              Clock::time_point deadline) override {
    return body(digest, deadline);
  }
  std::expected<Blob, RegistryError> blob(const Place&, std::string_view digest,
                                          Clock::time_point deadline) override {
    return body(digest, deadline);
  }
  std::expected<Blob, RegistryError> referrers(const Place&, std::string_view,
                                               Clock::time_point) override {
    ++referrers_asked;
    if (away) return failed(Failure::kServerError);
    return Blob{referrer_list, ""};
  }

 private:
  static std::unexpected<RegistryError> failed(Failure failure) {
    return std::unexpected(RegistryError{failure, std::string(name_of(failure))});
  }
  std::expected<Blob, RegistryError> body(std::string_view digest, Clock::time_point deadline) {
    ++asked;
    const auto answered = Clock::now() + body_takes;
    std::this_thread::sleep_until(std::min(answered, deadline));
    if (answered > deadline) return failed(Failure::kTimeout);
    if (away) return failed(Failure::kUnreachable);
    const auto found = bodies.find(std::string(digest));
    if (found == bodies.end()) return failed(Failure::kNotFound);
    return Blob{found->second, ""};
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
};

/// A clock that stands still until it is moved. Resolver::Now is a plain function.
std::atomic<std::int64_t> moved_ms = 0;
Clock::time_point moved_clock() {
  return Clock::time_point() + 24h + std::chrono::milliseconds(moved_ms);
}

const ImageName kImage{"registry.corp", "shop/web", "v1", ""};

Clock::time_point soon() { return Clock::now() + 10s; }

TEST_CASE("a digest is asked for once while it is fresh, and renewed behind when it is stale") {
  moved_ms = 0;
  FakeRegistry registry;
  registry.tags[{"anonymous", "v1"}] = digest('a');
  Resolver resolver(registry, {.fresh = 60s, .stale = 600s}, &moved_clock);
  CHECK_FALSE(resolver.known_digest(kImage, {}));
  CHECK(resolver.digest(kImage, {}, soon()) == digest('a'));
  CHECK(resolver.digest(kImage, {}, soon()) == digest('a'));
  CHECK(resolver.known_digest(kImage, {}) == digest('a'));
  CHECK(registry.asked == 1);

  registry.tags[{"anonymous", "v1"}] = digest('b');
  moved_ms = 61'000;
  CHECK(resolver.digest(kImage, {}, soon()) == digest('a'));  // at once, and asked behind it
  const auto end = soon();
  while (resolver.known_digest(kImage, {}) != digest('b') && Clock::now() < end) {
    std::this_thread::yield();
  }
  CHECK(resolver.known_digest(kImage, {}) == digest('b'));

  registry.away = true;
  moved_ms = 500'000;
  CHECK(resolver.digest(kImage, {}, soon()) == digest('b'));  // a registry that is away
  moved_ms = 61'000 + 700'000;
  CHECK_FALSE(resolver.digest(kImage, {}, soon()));
  CHECK_FALSE(resolver.known_digest(kImage, {}));
  CHECK(resolver.figures().stale_hits >= 2);
}

TEST_CASE("that a tag is not there is believed for a while, that a registry is away never") {
  moved_ms = 0;
  FakeRegistry registry;
  Resolver resolver(registry, {.negative = 10s}, &moved_clock);
  CHECK(resolver.digest(kImage, {}, soon()).error().failure == Failure::kNotFound);
  CHECK(resolver.digest(kImage, {}, soon()).error().failure == Failure::kNotFound);
  CHECK(registry.asked == 1);
  moved_ms = 11'000;
  registry.away = true;
  CHECK(resolver.digest(kImage, {}, soon()).error().failure == Failure::kUnreachable);
  registry.away = false;
  registry.tags[{"anonymous", "v1"}] = digest('a');
  CHECK(resolver.digest(kImage, {}, soon()) == digest('a'));
}

TEST_CASE("a look for a fix to copy has nothing asked, however stale the digest is") {
  moved_ms = 0;
  FakeRegistry registry;
  registry.tags[{"anonymous", "v1"}] = digest('a');
  registry.tags[{"anonymous", "v2"}] = digest('a');
  Resolver resolver(registry, {.fresh = 60s, .stale = 600s, .refreshers = 1}, &moved_clock);
  ImageName other = kImage;
  other.tag = "v2";
  REQUIRE(resolver.digest(kImage, {}, soon()));
  REQUIRE(resolver.digest(other, {}, soon()));
  moved_ms = 100'000;
  registry.tags[{"anonymous", "v2"}] = digest('b');
  for (int i = 0; i < 100; ++i) CHECK(resolver.known_digest(kImage, {}) == digest('a'));
  // The one thread takes this behind whatever the first hundred would have begun.
  CHECK(resolver.known(other, {}, Renew::kYes) == digest('a'));
  const auto end = soon();
  while (resolver.known_digest(other, {}) != digest('b') && Clock::now() < end) {
    std::this_thread::yield();
  }
  CHECK(registry.asked == 3);
}

TEST_CASE("a stale digest is renewed by one of all who find it, again only after a pause") {
  moved_ms = 0;
  FakeRegistry registry;
  registry.tags[{"anonymous", "v1"}] = digest('a');
  Resolver resolver(registry, {.fresh = 60s, .stale = 600s}, &moved_clock);
  REQUIRE(resolver.digest(kImage, {}, soon()));
  registry.away = true;
  moved_ms = 100'000;
  for (int i = 0; i < 1'000; ++i) CHECK(resolver.digest(kImage, {}, soon()) == digest('a'));
  const auto end = soon();
  while (registry.asked < 2 && Clock::now() < end) std::this_thread::yield();
  for (int i = 0; i < 1'000; ++i) CHECK(resolver.digest(kImage, {}, soon()) == digest('a'));
  CHECK(registry.asked == 2);
  moved_ms = 103'000;
  CHECK(resolver.digest(kImage, {}, soon()) == digest('a'));
  while (registry.asked < 3 && Clock::now() < end) std::this_thread::yield();
  CHECK(registry.asked == 3);
}

TEST_CASE("what is known not to be had is known without asking") {
  moved_ms = 0;
  FakeRegistry registry;
  Resolver resolver(registry, {.negative = 10s}, &moved_clock);
  CHECK_FALSE(resolver.known(kImage, {}, Renew::kYes));
  REQUIRE_FALSE(resolver.digest(kImage, {}, soon()));
  const auto known = resolver.known(kImage, {}, Renew::kYes);
  REQUIRE(known);
  CHECK(known->error().failure == Failure::kNotFound);
  // One that was not tried yet may be shown it.
  CHECK_FALSE(resolver.known(kImage, {anonymous(), credential("other")}, Renew::kYes));
  moved_ms = 11'000;
  CHECK_FALSE(resolver.known(kImage, {}, Renew::kYes));
}

TEST_CASE("credentials are tried in turn until one is shown the image") {
  FakeRegistry registry;
  registry.tags[{"second", "v1"}] = digest('a');
  Resolver resolver(registry, {});
  const std::vector<Credential> both = {credential("first"), credential("second")};
  CHECK(resolver.digest(kImage, both, soon()) == digest('a'));
  CHECK(resolver.known_digest(kImage, both) == digest('a'));
  CHECK_FALSE(resolver.known_digest(kImage, {credential("first")}));
  CHECK_FALSE(resolver.known_digest(kImage, {}));
}

TEST_CASE("the same question is out once, however many ask it") {
  FakeRegistry registry;
  registry.tags[{"anonymous", "v1"}] = digest('a');
  registry.hold();
  Resolver resolver(registry, {});
  std::atomic<int> right = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] { right += resolver.digest(kImage, {}, soon()) == digest('a'); });
  }
  while (resolver.figures().joined < 15) std::this_thread::yield();
  registry.release();
  threads.clear();
  CHECK(right == 16);
  CHECK(registry.asked == 1);
}

TEST_CASE("who has less time ends sooner, and takes nobody's answer away") {
  FakeRegistry registry;
  registry.tags[{"anonymous", "v1"}] = digest('a');
  registry.hold();
  Resolver resolver(registry, {});
  std::jthread hasty([&] {
    const auto answer = resolver.digest(kImage, {}, Clock::now() + 50ms);
    CHECK(answer.error().failure == Failure::kTimeout);
  });
  while (registry.asked < 1) std::this_thread::yield();
  std::jthread patient([&] { CHECK(resolver.digest(kImage, {}, soon()) == digest('a')); });
  hasty.join();
  while (registry.asked < 2) std::this_thread::yield();  // the patient one asks anew
  registry.release();
}

TEST_CASE("3.13: two tenants, one private image, 10,000 interleavings: a digest never crosses") {
  FakeRegistry registry;
  registry.tags[{"tenant-a", "v1"}] = digest('a');
  registry.tags[{"tenant-b", "v2"}] = digest('b');
  Resolver resolver(registry, {.fresh = 1ms, .stale = 3ms, .negative = 1ms});
  std::atomic<int> wrong = 0;
  const auto tenant = [&](const std::string& own, char mark, unsigned seed) {
    std::minstd_rand random(seed);
    const std::vector<Credential> mine = {credential(own)};
    for (int i = 0; i < 2'500; ++i) {
      ImageName image = kImage;
      image.tag = random() % 2 == 0 ? "v1" : "v2";
      const std::string expected = (image.tag == "v1") == (mark == 'a') ? digest(mark) : "";
      if (random() % 3 == 0) {
        const auto known = resolver.known_digest(image, mine);
        wrong += known && *known != expected;
      } else {
        wrong += resolver.digest(image, mine, soon()).value_or("") != expected;
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < 4; ++i) {
      threads.emplace_back(tenant, i % 2 == 0 ? "tenant-a" : "tenant-b", i % 2 == 0 ? 'a' : 'b',
                           i + 1);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("the cache holds no more than it may, and lets go what was used least recently") {
  FakeRegistry registry;
  Resolver resolver(registry, {.max_bytes = 256U << 10U});
  for (int i = 0; i < 5'000; ++i) {
    ImageName image = kImage;
    image.tag = "v" + std::to_string(i);
    registry.tags[{"anonymous", image.tag}] = digest('a');
    REQUIRE(resolver.digest(image, {}, soon()));
    CHECK(resolver.figures().bytes <= 256U << 10U);
  }
  CHECK(resolver.figures().evicted > 4'000);
  ImageName last = kImage;
  last.tag = "v4999";
  CHECK(resolver.known_digest(last, {}));
}

TEST_CASE("the cache holds no more entries than it may") {
  FakeRegistry registry;
  Resolver resolver(registry, {.max_entries = 160});
  for (int i = 0; i < 2'000; ++i) {
    ImageName image = kImage;
    image.tag = "v" + std::to_string(i);
    registry.tags[{"anonymous", image.tag}] = digest('a');
    REQUIRE(resolver.digest(image, {}, soon()));
    CHECK(resolver.figures().entries <= 160);
  }
  CHECK(resolver.figures().entries > 100);
}

/// Puts a body into the registry under its digest.
std::string put(FakeRegistry& registry, const std::string& body) {
  const std::string name = digest_of(body);
  registry.bodies[name] = body;
  return name;
}

std::string image(FakeRegistry& registry, const std::string& config) {
  return put(registry, R"({"schemaVersion":2,"config":{"digest":")" + put(registry, config) +
                           R"("},"annotations":{"from":"manifest"}})");
}

TEST_CASE(
    "metadata gathers every platform, and attached artifacts for as long as they are believed") {
  moved_ms = 0;
  FakeRegistry registry;
  const std::string amd = image(
      registry,
      R"({"os":"linux","architecture":"amd64","created":"2026-01-02T03:04:05Z","config":{"Labels":{"a":"1"}}})");
  const std::string arm =
      image(registry, R"({"os":"linux","architecture":"arm64","config":{"Labels":{"a":"2"}}})");
  const auto entry = [](const std::string& name, const char* arch) {
    return R"({"digest":")" + name + R"(","platform":{"os":"linux","architecture":")" + arch +
           "\"}}";
  };
  const std::string index =
      put(registry, R"({"schemaVersion":2,"annotations":{"from":"index"},"manifests":[)" +
                        entry(amd, "amd64") + "," + entry(arm, "arm64") + "]}");
  registry.referrer_list = R"({"manifests":[{"digest":")" + digest('c') +
                           R"(","annotations":{"security":"verified"}}]})";
  Resolver resolver(registry, {.attached = 60s}, &moved_clock);
  ImageName name = kImage;
  name.digest = index;
  CHECK(resolver.known_metadata(name, {}) == nullptr);
  const auto metadata = resolver.metadata(name, {}, soon());
  REQUIRE(metadata);
  REQUIRE((*metadata)->platforms.size() == 2);
  const auto& first = (*metadata)->platforms[0];
  CHECK(first.platform == "linux/amd64");
  CHECK(first.labels == policy::Annotations{{"a", "1"}});
  CHECK(first.annotations == policy::Annotations{{"from", "manifest"}, {"from", "index"}});
  CHECK(first.created == "2026-01-02T03:04:05Z");
  CHECK((*metadata)->attached == policy::Annotations{{"security", "verified"}});

  const int asked = registry.asked;
  CHECK(resolver.known_metadata(name, {}) == *metadata);
  CHECK(resolver.metadata(name, {}, soon()) == *metadata);
  moved_ms = 61'000;
  registry.referrer_list = R"({"manifests":[]})";
  CHECK(resolver.known_metadata(name, {}) == nullptr);
  CHECK((*resolver.metadata(name, {}, soon()))->attached.empty());
  CHECK(registry.asked == asked);  // what belongs to the digest was not asked again
  CHECK(registry.referrers_asked == 2);
  moved_ms = 200'000;
  registry.away = true;
  CHECK_FALSE(resolver.metadata(name, {}, soon()));
}

/// An index of so many platforms, each with a label of that many bytes.
std::string index_of(FakeRegistry& registry, int platforms, std::size_t label_bytes = 1) {
  std::string list;
  for (int i = 0; i < platforms; ++i) {
    const std::string config = R"({"os":"linux","architecture":"a)" + std::to_string(i) +
                               R"(","config":{"Labels":{"n":")" + std::to_string(i) +
                               std::string(label_bytes, 'x') + "\"}}}";
    if (i > 0) list += ",";
    list += R"({"digest":")" + image(registry, config) + "\"}";
  }
  return put(registry, R"({"schemaVersion":2,"manifests":[)" + list + "]}");
}

TEST_CASE("platforms are read side by side, in their order, and those that were read are kept") {
  FakeRegistry registry;
  ImageName name = kImage;
  name.digest = index_of(registry, 40);
  registry.body_takes = 20ms;  // one by one: 81 bodies, 1.6 s
  Resolver resolver(registry, {});
  const auto begin = Clock::now();
  const auto metadata = resolver.metadata(name, {}, soon());
  const auto took = Clock::now() - begin;
  REQUIRE(metadata);
  REQUIRE((*metadata)->platforms.size() == 40);
  for (std::size_t i = 0; i < 40; ++i) {
    CHECK((*metadata)->platforms[i].platform == "linux/a" + std::to_string(i));
    CHECK((*metadata)->platforms[i].labels[0].second == std::to_string(i) + "x");
  }
  CHECK(took < 1'200ms);

  // Too little time for all: the next question goes on where this one ended.
  FakeRegistry slow;
  name.digest = index_of(slow, 40);
  slow.body_takes = 20ms;
  Resolver patient(slow, {});
  int questions = 0;
  for (; questions < 20; ++questions) {
    if (patient.metadata(name, {}, Clock::now() + 150ms)) break;
  }
  CHECK(questions > 0);
  CHECK(questions < 20);
}

TEST_CASE(
    "3.15: an image that says more of itself than is read is an invalid response, not a full "
    "memory") {
  FakeRegistry registry;
  ImageName name = kImage;
  Resolver resolver(registry, {});
  name.digest = index_of(registry, 60, 40'000);
  CHECK(resolver.metadata(name, {}, soon()).error().failure == Failure::kInvalidResponse);
  name.digest = index_of(registry, 1, 2'000'000);
  CHECK(resolver.metadata(name, {}, soon()).error().failure == Failure::kInvalidResponse);
  CHECK(resolver.figures().bytes < 4'000'000);
}

TEST_CASE(
    "3.15: a body that is not the one that was asked for is an invalid response, not metadata") {
  FakeRegistry registry;
  const std::string other = image(registry, R"({"config":{"Labels":{"security":"verified"}}})");
  ImageName name = kImage;
  name.digest = digest('a');
  registry.bodies[name.digest] = registry.bodies[other];
  Resolver resolver(registry, {});
  const auto metadata = resolver.metadata(name, {}, soon());
  REQUIRE_FALSE(metadata);
  CHECK(metadata.error().failure == Failure::kInvalidResponse);
  CHECK(metadata.error().message.find("verified") == std::string::npos);
}

TEST_CASE("an artifact that is listed without annotations is asked for them") {
  FakeRegistry registry;
  ImageName name = kImage;
  name.digest = image(registry, "{}");
  const std::string mark =
      put(registry, R"({"schemaVersion":2,"config":{"digest":")" + digest('d') +
                        R"("},"annotations":{"security":"verified"}})");
  registry.referrer_list =
      R"({"manifests":[{"digest":")" + mark + R"("},{"digest":")" + digest('e') + R"("}]})";
  Resolver resolver(registry, {});
  const auto metadata = resolver.metadata(name, {}, soon());
  REQUIRE(metadata);
  CHECK((*metadata)->attached == policy::Annotations{{"security", "verified"}});
  CHECK((*metadata)->platforms[0].platform.empty());
}

TEST_CASE("metadata of one credential is not shown to another") {
  FakeRegistry registry;
  ImageName name = kImage;
  name.digest = image(registry, "{}");
  Resolver resolver(registry, {});
  REQUIRE(resolver.metadata(name, {credential("a")}, soon()));
  CHECK(resolver.known_metadata(name, {credential("a")}));
  CHECK_FALSE(resolver.known_metadata(name, {credential("b")}));
  CHECK_FALSE(resolver.known_metadata(name, {}));
}

}  // namespace
}  // namespace belay::webhook::registry
