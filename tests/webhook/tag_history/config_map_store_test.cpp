// The tag history in ConfigMaps: what replicas learn of each other, and that nothing which was
// removed comes back, nothing which was seen is lost.
#include "webhook/tag_history/config_map_store.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fake_api.h"
#include "tests/support/soon.h"
#include "webhook/tag_history/tag_history.h"

namespace belay::webhook::tag_history {
namespace {

using namespace std::chrono_literals;
using Kind = kube::ApiError::Kind;
using tests::soon;

const std::string kAll = "/api/v1/namespaces/belay-system/configmaps";
const std::string kRepository = "docker.io/library/nginx";
const std::string kTag = kRepository + ":1.27";
const std::string kOld = "sha256:" + std::string(64, 'a');
const std::string kNew = "sha256:" + std::string(64, 'b');

std::string path_of(std::string_view repository) {
  return kAll + "/" + shard_name(shard_of(repository));
}
const std::string kPath = path_of(kRepository);

policy::TagRecord at(int second, const std::string& digest = kOld) {
  return {digest,
          std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::seconds(second)};
}

/// What a ConfigMap in the API server in memory says.
RecordMap written(const kube::FakeApi& api, const std::string& path = kPath) {
  const auto object = api.at(path);
  if (object.is_null()) return {};
  return read_records(object["data"]["tags"].get<std::string>()).entries;
}

kube::Object object_at(const kube::FakeApi& api, const std::string& path = kPath) {
  auto object = kube::read_object(api.at(path).dump());
  REQUIRE(object.has_value());
  return *object;
}

/// A replica; its watch is the test.
struct Replica {
  explicit Replica(kube::FakeApi& shared, TagHistoryOptions options = {},
                   ConfigMapStoreOptions maps = {})
      : api(shared) {
    maps.own_namespace = "belay-system";
    if (options.batch == 1s) options.batch = 1ms;
    options.backoff_min = 2ms;
    options.backoff_max = 10ms;
    store = std::make_shared<ConfigMapStore>(api, maps);
    history = *TagHistory::open(store, options, [this](const TagHistoryNews& told) {
      const std::lock_guard lock(mutex);
      news.push_back(std::string(told.place) + ": " + std::string(told.what));
    });
  }
  void list() {
    std::vector<kube::Object> objects;
    for (const auto& object : api.below(kAll)) objects.push_back(*kube::read_object(object.dump()));
    store->replaced(std::move(objects));
  }
  auto first(const std::string& tag = "1.27", const std::string& repository = kRepository) const {
    return history->first(repository, tag);
  }
  void saw(const std::string& tag, const policy::TagRecord& record,
           const std::string& repository = kRepository) const {
    history->saw(repository, tag, record);
  }
  bool heard(std::string_view part) {
    const std::lock_guard lock(mutex);
    return std::ranges::any_of(
        news, [part](const std::string& one) { return one.find(part) != std::string::npos; });
  }

  kube::FakeApi& api;
  std::mutex mutex;
  std::vector<std::string> news;
  std::shared_ptr<ConfigMapStore> store;
  std::unique_ptr<TagHistory> history;
};

void put(kube::FakeApi& api, const RecordMap& entries, const std::string& path = kPath) {
  api.put(path, {{"apiVersion", "v1"},
                 {"kind", "ConfigMap"},
                 {"metadata",
                  {{"name", path.substr(kAll.size() + 1)},
                   {"namespace", "belay-system"},
                   {"labels", {{"belay.dev/tag-history", "true"}}}}},
                 {"data", {{"tags", write_records(entries)}}}});
}

TEST_CASE("nothing can be said before the first list, and all of it after") {
  kube::FakeApi api;
  put(api, {{kTag, at(1)}});
  Replica replica(api);
  REQUIRE_FALSE(replica.first().has_value());
  CHECK(replica.first().error() == "belay has not read its tag history yet");
  replica.saw("1.28", at(2));
  replica.list();
  CHECK(replica.first() == at(1));
  CHECK(replica.first("1.28") == at(2));
  CHECK(replica.first("1.29") == std::nullopt);
  CHECK(soon([&] { return written(api).size() == 2; }));
}

TEST_CASE("what a replica saw is written for people to read, and other replicas learn it") {
  kube::FakeApi api;
  Replica one(api);
  Replica two(api);
  one.list();
  two.list();
  one.saw("1.27", at(1));
  CHECK(one.first() == at(1));
  REQUIRE(soon([&] { return !api.at(kPath).is_null(); }));
  const auto object = api.at(kPath);
  CHECK(object["kind"] == "ConfigMap");
  CHECK(object["metadata"]["labels"]["belay.dev/tag-history"] == "true");
  CHECK(object["data"]["tags"].get<std::string>().ends_with("\n" + kTag + " " + kOld +
                                                            " 2026-11-22T00:00:01Z\n"));
  two.store->changed(object_at(api));
  CHECK(two.first() == at(1));
  two.saw("1.27", at(5, kNew));
  CHECK(two.first() == at(1));
}

TEST_CASE("what others wrote into a ConfigMap stays there") {
  kube::FakeApi api;
  put(api, {{kTag, at(1)}});
  auto object = api.at(kPath);
  object["metadata"]["annotations"]["team"] = "platform";
  object["data"]["README"] = "do not touch";
  api.put(kPath, object);
  Replica replica(api);
  replica.list();
  replica.saw("1.28", at(2));
  REQUIRE(soon([&] { return written(api).size() == 2; }));
  CHECK(api.at(kPath)["metadata"]["annotations"]["team"] == "platform");
  CHECK(api.at(kPath)["data"]["README"] == "do not touch");
}

TEST_CASE("replicas that write at once lose nothing, and of two records the older one stays") {
  kube::FakeApi api;
  constexpr int kEach = 150;
  Replica one(api);
  Replica two(api);
  one.list();
  two.list();
  const auto fill = [](const Replica& replica, const std::string& prefix, int time) {
    for (int i = 0; i < kEach; ++i) {
      replica.saw(prefix + std::to_string(i), at(i));
      replica.saw("both" + std::to_string(i), at(time, time == 1 ? kOld : kNew));
    }
  };
  {
    const std::jthread left([&] { fill(one, "left", 2); });
    const std::jthread right([&] { fill(two, "right", 1); });
  }
  one.history->stop();
  two.history->stop();
  const auto entries = written(api);
  CHECK(entries.size() == 3 * kEach);
  for (int i = 0; i < kEach; ++i) {
    CHECK(entries.at(kRepository + ":both" + std::to_string(i)) == at(1));
  }
}

TEST_CASE("an older record of another replica wins over one that waits, and a newer one loses") {
  kube::FakeApi api;
  Replica replica(api);
  replica.list();
  api.before = [](const kube::FakeApi::Call&) { return kube::FakeApi::error(Kind::kUnreachable); };
  replica.saw("1.27", at(5, kNew));
  replica.saw("1.28", at(5, kNew));
  put(api, {{kTag, at(1)}, {kRepository + ":1.28", at(9)}});
  replica.store->changed(object_at(api));
  CHECK(replica.first("1.27") == at(1));
  CHECK(replica.first("1.28") == at(5, kNew));
  replica.history->stop();
}

TEST_CASE("what is removed is dropped by all replicas and written back by none") {
  kube::FakeApi api;
  Replica one(api);
  Replica two(api);
  one.list();
  two.list();
  one.saw("1.27", at(1));
  one.saw("1.28", at(1));
  REQUIRE(soon([&] { return written(api).size() == 2; }));
  two.store->changed(object_at(api));
  one.store->changed(object_at(api));

  const auto cleared = change_shard(
      api, "belay-system", read_shard(object_at(api)),
      [](RecordMap& entries) { return entries.erase(kTag) > 0; }, 1s);
  REQUIRE(cleared.has_value());
  CHECK(cleared->entries.size() == 1);
  one.store->changed(object_at(api));
  two.store->changed(object_at(api));
  CHECK(one.first() == std::nullopt);
  CHECK(two.first() == std::nullopt);
  CHECK(two.first("1.28") == at(1));

  // both go on writing into the same ConfigMap, one of them not having heard of the change
  one.saw("2.0", at(5));
  REQUIRE(soon([&] { return written(api).contains(kRepository + ":2.0"); }));
  two.saw("2.1", at(5));
  REQUIRE(soon([&] { return written(api).contains(kRepository + ":2.1"); }));
  CHECK(written(api).contains(kRepository + ":2.0"));
  CHECK_FALSE(written(api).contains(kTag));

  // with the ConfigMap goes all of it, and a new one holds only what is new
  const kube::Object gone = object_at(api);
  api.remove(kPath);
  one.store->deleted(gone);
  CHECK(one.first("1.28") == std::nullopt);
  two.saw("3.0", at(9));
  REQUIRE(soon([&] { return written(api).size() == 1; }));
  CHECK(written(api).contains(kRepository + ":3.0"));
}

TEST_CASE("a write whose answer was lost does not bring back what was removed since") {
  kube::FakeApi api;
  Replica replica(api);
  replica.list();
  std::atomic<bool> lose = true;
  api.before = [&](const kube::FakeApi::Call& call) -> std::optional<kube::ApiError> {
    if (!lose) return std::nullopt;
    // the server did it; only its answer is lost
    if (call.verb == "create" && api.at(kPath).is_null()) api.put(kPath, call.body);
    return kube::FakeApi::error(Kind::kTimeout);
  };
  replica.saw("1.27", at(1));
  REQUIRE(soon([&] { return written(api).contains(kTag); }));
  replica.store->changed(object_at(api));
  put(api, {});
  replica.store->changed(object_at(api));
  CHECK(replica.first() == std::nullopt);
  lose = false;
  replica.saw("1.28", at(2));
  REQUIRE(soon([&] { return written(api).contains(kRepository + ":1.28"); }));
  CHECK_FALSE(written(api).contains(kTag));
}

TEST_CASE("an event that is older than what was written changes nothing") {
  kube::FakeApi api;
  Replica replica(api);
  replica.list();
  put(api, {});
  const kube::Object before = object_at(api);
  replica.store->changed(before);
  replica.saw("1.27", at(1));
  REQUIRE(soon([&] { return written(api).size() == 1; }));
  replica.saw("1.28", at(1));
  REQUIRE(soon([&] { return written(api).size() == 2; }));
  replica.store->changed(before);
  CHECK(replica.first() == at(1));
  replica.store->deleted(before);
  CHECK(replica.first() == at(1));
}

TEST_CASE("while the API server is away nothing is lost, and it is reported once") {
  kube::FakeApi api;
  std::atomic<bool> away = true;
  std::atomic<int> asked = 0;
  api.before = [&](const kube::FakeApi::Call&) -> std::optional<kube::ApiError> {
    ++asked;
    if (away) return kube::FakeApi::error(Kind::kUnreachable);
    return std::nullopt;
  };
  Replica replica(api);
  replica.list();
  for (int i = 0; i < 300; ++i) {
    replica.saw("v1", at(i), "registry.corp/app" + std::to_string(i));
  }
  REQUIRE(soon([&] { return asked > 5; }));
  CHECK(replica.first("v1", "registry.corp/app299") == at(299));
  CHECK(api.below(kAll).empty());
  away = false;
  REQUIRE(soon([&] {
    std::size_t count = 0;
    for (std::size_t i = 0; i < kShards; ++i) {
      count += written(api, kAll + "/" + shard_name(i)).size();
    }
    return count == 300;
  }));
  CHECK(api.below(kAll).size() == kShards);
  CHECK(
      soon([&] { return replica.heard("namespace belay-system: can be read and written again"); }));
  const std::lock_guard lock(replica.mutex);
  CHECK(replica.news.size() == 2);
}

TEST_CASE("one ConfigMap that can't be written does not hold up the others") {
  kube::FakeApi api;
  api.before = [](const kube::FakeApi::Call& call) -> std::optional<kube::ApiError> {
    if (call.body.is_object() && call.body["metadata"]["name"] == kPath.substr(kAll.size() + 1)) {
      return kube::FakeApi::error(Kind::kForbidden, 403);
    }
    return std::nullopt;
  };
  Replica replica(api);
  replica.list();
  replica.saw("1.27", at(1));
  std::string other = "registry.corp/app";
  while (path_of(other) == kPath) other += "x";
  replica.saw("v1", at(1), other);
  CHECK(soon([&] { return written(api, path_of(other)).size() == 1; }));
  CHECK(soon([&] { return replica.heard("ConfigMap belay-system/belay-tag-history-"); }));
  CHECK(replica.first() == at(1));
}

TEST_CASE("more records than may wait are not recorded, and it is reported") {
  kube::FakeApi api;
  api.before = [](const kube::FakeApi::Call&) { return kube::FakeApi::error(Kind::kServer, 503); };
  Replica replica(api, {.max_waiting = 5});
  replica.list();
  for (int i = 0; i < 8; ++i) replica.saw(std::to_string(i), at(i));
  CHECK(replica.first("4") == at(4));
  CHECK(replica.first("5") == std::nullopt);
  CHECK(soon([&] { return replica.heard("3 tags were not recorded"); }));
}

TEST_CASE("a ConfigMap that is full removes its oldest tags, and it is reported") {
  kube::FakeApi api;
  Replica replica(api, {.batch = 50ms}, {.own_namespace = "", .max_shard_bytes = 5'000});
  replica.list();
  for (int i = 0; i < 60; ++i) replica.saw(std::to_string(i), at(i));
  REQUIRE(soon([&] { return !written(api).empty(); }));
  replica.history->stop();
  CHECK(api.at(kPath)["data"]["tags"].get<std::string>().size() <= 5'000);
  CHECK(written(api).contains(kRepository + ":59"));
  CHECK_FALSE(written(api).contains(kRepository + ":0"));
  CHECK(replica.heard("oldest tags were removed: it is full"));
  CHECK(replica.first("0") == std::nullopt);
}

TEST_CASE("a list after 410 Gone is the truth, even one of a restored backup") {
  kube::FakeApi api;
  put(api, {{kTag, at(1)}});
  Replica replica(api);
  replica.list();
  kube::Object restored = object_at(api);
  restored.resource_version = "7";
  restored.data["tags"] = write_records({{kRepository + ":1.20", at(0)}});
  replica.store->replaced({restored});
  CHECK(replica.first() == std::nullopt);
  CHECK(replica.first("1.20") == at(0));
  replica.store->replaced({});
  CHECK(replica.first("1.20") == std::nullopt);
}

TEST_CASE("broken lines are reported once, a ConfigMap of another name is skipped") {
  kube::FakeApi api;
  put(api, {{kTag, at(1)}});
  Replica replica(api);
  kube::Object broken = object_at(api);
  broken.data["tags"] += "nonsense\n";
  kube::Object other = broken;
  other.name = "belay-tag-history-old";
  replica.store->replaced({broken, other});
  replica.store->changed(broken);
  CHECK(replica.first() == at(1));
  const std::lock_guard lock(replica.mutex);
  REQUIRE(replica.news.size() == 2);
  CHECK(replica.news[0].starts_with("ConfigMap belay-system/belay-tag-history-old: "));
  CHECK(
      replica.news[1].ends_with(": line 3 is not a tag, a digest and a time, separated by spaces"));
}

TEST_CASE("many records are written together, and what waits is written when belay ends") {
  kube::FakeApi api;
  Replica replica(api, {.batch = 60s, .batch_size = 100});
  replica.list();
  for (int i = 0; i < 99; ++i) replica.saw(std::to_string(i), at(i));
  CHECK(api.calls().empty());
  replica.saw("99", at(99));
  CHECK(soon([&] { return written(api).size() == 100; }));
  CHECK(api.calls().size() == 1);
  replica.saw("last", at(100));
  replica.history->stop();
  CHECK(written(api).size() == 101);
}

TEST_CASE("what belay tag-history asks for carries the label that replicas write") {
  kube::FakeApi api;
  (void)list_shards(api, "belay-system", 1s);
  REQUIRE(!api.calls().empty());
  CHECK(api.calls().back().query.find("labelSelector=belay.dev/tag-history%3Dtrue&") == 0);
}

TEST_CASE("a repository belongs to one of sixteen ConfigMaps, for good") {
  // printf %s docker.io/library/nginx | sha256sum
  CHECK(shard_name(shard_of("docker.io/library/nginx")) == "belay-tag-history-7");
  CHECK(shard_name(15) == "belay-tag-history-f");
}

}  // namespace
}  // namespace belay::webhook::tag_history
