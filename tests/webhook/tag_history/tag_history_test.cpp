// The engine behind both stores, over one in memory that fails as it is told: what is written when,
// and what is told of it.
#include "webhook/tag_history/tag_history.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "tests/support/soon.h"

namespace belay::webhook::tag_history {
namespace {

using namespace std::chrono_literals;
using tests::soon;

policy::TagRecord at(int second) {
  return {"sha256:" + std::string(64, 'a'),
          std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::seconds(second)};
}

/// Two shards: repositories of host "one", and all others.
class MemoryStore final : public Store {
 public:
  StoreShape shape() const override {
    return {.shards = 2, .max_entries = 1'000, .max_bytes = 1'000'000, .look_every = look_every};
  }
  std::size_t shard_of(std::string_view repository) const override {
    return repository.starts_with("one.") ? 0 : 1;
  }
  std::string place() const override { return "memory"; }
  std::string place(std::size_t shard) const override { return "shard " + std::to_string(shard); }

  std::expected<void, std::string> open(StoreReader& told) override {
    if (broken) return std::unexpected("memory: broken");
    reader = &told;
    if (read_at_once) reader->read_whole();
    return {};
  }
  std::optional<StoreFailure> look() override {
    if (!look_fails) return std::nullopt;
    return StoreFailure{.place = place(), .problem = "cannot be read"};
  }
  std::optional<StoreFailure> change(std::size_t shard, const Change& change,
                                     bool ending) override {
    const std::lock_guard lock(mutex);
    tries.push_back(shard);
    ended = ended || ending;
    if (away) return StoreFailure{.place = place(), .problem = "nobody answers", .away = true};
    if (refused.at(shard)) return StoreFailure{.place = place(shard), .problem = "is refused"};
    change(entries.at(shard));
    reader->read(shard, std::make_shared<const RecordMap>(entries.at(shard)));
    return std::nullopt;
  }

  std::size_t written(std::size_t shard) {
    const std::lock_guard lock(mutex);
    return entries.at(shard).size();
  }
  std::size_t tried() {
    const std::lock_guard lock(mutex);
    return tries.size();
  }

  std::chrono::milliseconds look_every{0};
  bool broken = false;
  bool read_at_once = true;
  std::atomic<bool> look_fails = false;
  std::atomic<bool> away = false;
  std::array<std::atomic<bool>, 2> refused{};
  StoreReader* reader = nullptr;

  std::mutex mutex;
  std::array<RecordMap, 2> entries;
  std::vector<std::size_t> tries;  ///< shards, in the order of the calls
  bool ended = false;
};

struct Fixture {
  std::unique_ptr<TagHistory> open() {
    auto opened = TagHistory::open(store, options, [this](const TagHistoryNews& told) {
      const std::lock_guard lock(mutex);
      news.push_back(std::string(told.place) + ": " + std::string(told.what));
    });
    REQUIRE_MESSAGE(opened.has_value(), opened.error());
    return *std::move(opened);
  }
  std::vector<std::string> told() {
    const std::lock_guard lock(mutex);
    return news;
  }

  std::shared_ptr<MemoryStore> store = std::make_shared<MemoryStore>();
  TagHistoryOptions options{.batch = 1ms, .backoff_min = 1ms, .backoff_max = 4ms};
  std::mutex mutex;
  std::vector<std::string> news;
};

using News = std::vector<std::string>;

TEST_CASE("each tag goes into the shard of its repository, and none into another") {
  Fixture f;
  const auto history = f.open();
  history->saw("one.corp/web", "v1", at(1));
  history->saw("two.corp/web", "v1", at(1));
  history->saw("two.corp/web", "v2", at(1));
  CHECK(soon([&] { return f.store->written(0) == 1 && f.store->written(1) == 2; }));
  CHECK(history->first("two.corp/web", "v2") == at(1));
  CHECK(f.told().empty());
}

TEST_CASE("nothing is written, and nothing is said of any tag, before the store was read") {
  Fixture f;
  f.store->read_at_once = false;
  const auto history = f.open();
  history->saw("one.corp/web", "v1", at(1));
  CHECK_FALSE(history->first("one.corp/web", "v1").has_value());
  history->stop();
  CHECK(f.store->tried() == 0);
  f.store->reader->read_whole();
  CHECK(history->first("one.corp/web", "v1") == at(1));
}

TEST_CASE("a shard that is refused holds up no other, and is reported once until it is over") {
  Fixture f;
  f.store->refused[0] = true;
  const auto history = f.open();
  history->saw("one.corp/web", "v1", at(1));
  history->saw("two.corp/web", "v1", at(1));
  CHECK(soon([&] { return f.store->written(1) == 1 && f.store->tried() > 4; }));
  CHECK(f.told() == News{"shard 0: is refused"});
  f.store->refused[0] = false;
  CHECK(soon([&] { return f.store->written(0) == 1; }));
  CHECK(soon([&] { return f.told().size() == 2; }));
  CHECK(f.told().back() == "shard 0: can be read and written again");
}

TEST_CASE("where nobody answers, the other shards are not tried") {
  Fixture f;
  f.store->away = true;
  const auto history = f.open();
  history->saw("one.corp/web", "v1", at(1));
  history->saw("two.corp/web", "v1", at(1));
  CHECK(soon([&] { return f.store->tried() > 3; }));
  history->stop();
  CHECK(std::ranges::count(f.store->tries, 1U) == 0);
  CHECK(f.told() == News{"memory: nobody answers"});
}

TEST_CASE("what waits is written when belay ends, without waiting for the batch") {
  Fixture f;
  f.options.batch = 24h;
  f.open()->saw("one.corp/web", "v1", at(1));
  CHECK(f.store->written(0) == 1);
  CHECK(f.store->ended);
}

TEST_CASE("a store that did not answer lately is not waited for when belay ends") {
  Fixture f;
  f.store->away = true;
  {
    const auto history = f.open();
    history->saw("one.corp/web", "v1", at(1));
    CHECK(soon([&] { return f.store->tried() > 0; }));
  }
  CHECK_FALSE(f.store->ended);
}

TEST_CASE("as many as make a batch are written before its time is over") {
  Fixture f;
  f.options.batch = 24h;
  f.options.batch_size = 3;
  const auto history = f.open();
  for (int i = 0; i < 3; ++i) history->saw("one.corp/web", std::to_string(i), at(i));
  CHECK(soon([&] { return f.store->written(0) == 3; }));
}

TEST_CASE("a look that fails is reported once, and when it is over") {
  Fixture f;
  f.store->look_every = 1ms;
  f.store->look_fails = true;
  const auto history = f.open();
  CHECK(soon([&] { return !f.told().empty(); }));
  f.store->look_fails = false;
  CHECK(soon([&] { return f.told().size() == 2; }));
  CHECK(f.told() == News{"memory: cannot be read", "memory: can be read and written again"});
}

TEST_CASE("a store that can't be used is an error at the start") {
  const auto store = std::make_shared<MemoryStore>();
  store->broken = true;
  const auto opened = TagHistory::open(store, {}, {});
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error() == "memory: broken");
}

}  // namespace
}  // namespace belay::webhook::tag_history
