// Two threads change what is known: the watch's, and the writer with the answers to its writes. The
// resource version tells which of the two is later.
#include "webhook/tag_history/sighting_maps.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "webhook/tag_history/sighting_ledger.h"

namespace belay::webhook::tag_history {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLastDeadline{2'000};  // of a request while belay ends

std::optional<std::size_t> shard_named(std::string_view name) {
  for (std::size_t shard = 0; shard < kSightingShards; ++shard) {
    if (name == sighting_shard_name(shard)) return shard;
  }
  return std::nullopt;
}

bool is_away(const kube::ApiError& error) {
  return error.kind == kube::ApiError::Kind::kUnreachable ||
         error.kind == kube::ApiError::Kind::kTimeout;
}

}  // namespace

kube::WatchOptions watch_of_sightings(const std::string& own_namespace) {
  kube::WatchOptions options;
  options.name = kube::WatchName::kTagHistory;
  options.path = fmt::format("/api/v1/namespaces/{}/configmaps", own_namespace);
  options.label_selector = fmt::format("{}=true", kSightingsLabel);
  options.page = kShardPage;
  return options;
}

class SightingMaps::Impl {
 public:
  Impl(kube::Api& api, SightingMapsOptions options, registry::SightingsReport report)
      : api_(api), options_(std::move(options)), report_(std::move(report)) {
    thread_ = std::thread([this] { run(); });
  }
  ~Impl() { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    const std::lock_guard joining(joining_);
    if (thread_.joinable()) thread_.join();
  }

  /// A list is the truth, whatever came before: the cluster may have been restored from a backup.
  void replaced(const std::vector<kube::Object>& objects) {
    std::array<std::optional<SightingShard>, kSightingShards> listed;
    for (const kube::Object& object : objects) {
      const auto shard = shard_named(object.name);
      if (shard) listed[*shard] = read_sighting_shard(object);
      if (!shard) tell(place_of(object.name), "has the label but none of the names; it is ignored");
    }
    for (std::size_t shard = 0; shard < kSightingShards; ++shard) {
      take(shard, listed[shard] ? std::move(*listed[shard]) : absent(shard), true);
    }
    ledger_.set_read();
    {
      const std::lock_guard lock(mutex_);
      listed_ = true;
    }
    wake_.notify_all();
  }

  void changed(const kube::Object& object) {
    if (const auto shard = shard_named(object.name)) take(*shard, read_sighting_shard(object));
  }

  void deleted(const kube::Object& object) {
    const auto shard = shard_named(object.name);
    if (!shard) return;
    const std::lock_guard lock(shards_mutex_);
    Shard& known = shards_[*shard];
    if (kube::older(object.resource_version, known.resource_version)) return;
    known = {};
    ledger_.set(*shard, known.entries);
  }

  std::expected<std::optional<policy::TagRecord>, std::string> first(std::string_view repository,
                                                                     std::string_view tag) const {
    return ledger_.first(repository, tag);
  }

  void saw(std::string_view repository, std::string_view tag, const policy::TagRecord& sighting) {
    if (!ledger_.saw(repository, tag, sighting)) return;
    {
      const std::lock_guard lock(mutex_);
    }  // who has looked and is about to wait waits by now
    wake_.notify_all();
  }

 private:
  /// A ConfigMap as it was last heard of.
  struct Shard {
    std::string uid = {}, resource_version = {};
    SightingLedger::Entries entries = std::make_shared<const SightingMap>();
    std::vector<std::string> problems = {};
  };

  static SightingShard absent(std::size_t shard) {
    return {.name = sighting_shard_name(shard),
            .uid = {},
            .resource_version = {},
            .entries = {},
            .problems = {}};
  }

  void take(std::size_t index, SightingShard read, bool whatever_came_before = false) {
    auto entries = std::make_shared<const SightingMap>(std::move(read.entries));
    std::vector<std::string> problems;
    {
      const std::lock_guard lock(shards_mutex_);
      Shard& known = shards_[index];
      if (!whatever_came_before && kube::older(read.resource_version, known.resource_version))
        return;
      if (known.problems != read.problems) problems = read.problems;
      known = {.uid = std::move(read.uid),
               .resource_version = std::move(read.resource_version),
               .entries = entries,
               .problems = std::move(read.problems)};
      ledger_.set(index, std::move(entries));
    }
    for (const std::string& problem : problems) tell(place_of(read.name), problem);
  }

  void run() {
    std::unique_lock lock(mutex_);
    milliseconds backoff{0};
    while (!stopping_) {
      wake_.wait(lock, [this] { return stopping_ || (listed_ && ledger_.waiting() > 0); });
      wake_.wait_for(lock, std::max(options_.batch, backoff), [this, backoff] {
        return stopping_ || (backoff.count() == 0 && ledger_.waiting() >= options_.batch_size);
      });
      if (stopping_) break;
      lock.unlock();
      if (const std::string problem = ledger_.not_remembered(); !problem.empty()) {
        tell(place_of(""), problem);
      }
      const auto failed = write_all(options_.deadline);
      if (failed) {
        backoff = std::clamp(backoff * 2, options_.backoff_min, options_.backoff_max);
        backoff =
            std::max(backoff, std::min<milliseconds>(failed->retry_after, options_.backoff_max));
      } else {
        backoff = milliseconds{0};
      }
      lock.lock();
    }
    const bool worth_it = listed_ && backoff.count() == 0;
    lock.unlock();
    if (worth_it) write_all(std::min(options_.deadline, kLastDeadline));
  }

  /// \return the failure, of several the last
  std::optional<kube::ApiError> write_all(milliseconds deadline) {
    std::optional<kube::ApiError> failed;
    for (std::size_t shard = 0; shard < kSightingShards; ++shard) {
      if (ledger_.waiting(shard).empty()) continue;
      auto error = write(shard, deadline);
      if (!error) continue;
      failed = std::move(error);
      if (is_away(*failed)) break;
    }
    return failed;
  }

  std::optional<kube::ApiError> write(std::size_t index, milliseconds deadline) {
    SightingShard known = absent(index);
    SightingLedger::Entries known_entries;
    {
      const std::lock_guard lock(shards_mutex_);
      known.uid = shards_[index].uid;
      known.resource_version = shards_[index].resource_version;
      known_entries = shards_[index].entries;
    }
    known.entries = *known_entries;
    const std::string place = place_of(known.name);
    SightingMap waiting;
    std::size_t forgotten = 0;
    auto written = change_sighting_shard(
        api_, options_.own_namespace, std::move(known),
        [&](SightingMap& entries) {
          // Anew each time: what the watch has confirmed since may have been removed since, too.
          waiting = ledger_.waiting(index);
          bool news = false;
          for (const auto& [key, sighting] : waiting) {
            news = keep_older(entries, key, sighting) || news;
          }
          forgotten = forget_oldest(entries, kNoLimit, options_.max_shard_bytes);
          return news || forgotten > 0;
        },
        deadline);
    if (!written) {
      const bool away = is_away(written.error());
      if (!std::exchange(away ? away_ : failing_[index], true)) {
        tell(away ? place_of("") : place,
             fmt::format("tags cannot be written: {}", written.error().message));
      }
      return std::move(written.error());
    }
    if (std::exchange(away_, false)) tell(place_of(""), "tags are written again", true);
    if (std::exchange(failing_[index], false)) tell(place, "tags are written again", true);
    if (!written->resource_version.empty()) take(index, *std::move(written));
    ledger_.written(index, waiting);
    if (forgotten > 0) {
      tell(place, fmt::format("the {} oldest tags were removed: it is full", forgotten));
    }
    return std::nullopt;
  }

  std::string place_of(std::string_view name) const {
    return name.empty() ? fmt::format("namespace {}", options_.own_namespace)
                        : fmt::format("ConfigMap {}/{}", options_.own_namespace, name);
  }

  void tell(std::string_view place, std::string_view what, bool good = false) const {
    if (report_) report_({.good = good, .place = place, .what = what});
  }

  static constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);

  kube::Api& api_;
  const SightingMapsOptions options_;
  const registry::SightingsReport report_;
  SightingLedger ledger_{kSightingShards, &sighting_shard_of, options_.max_waiting};
  std::mutex shards_mutex_;  ///< never held while anybody is asked
  std::array<Shard, kSightingShards> shards_;
  bool away_ = false;                            ///< the writer's; the API server is
  std::array<bool, kSightingShards> failing_{};  ///< the writer's; refused for one ConfigMap
  std::mutex mutex_;
  std::condition_variable wake_;
  bool listed_ = false;
  bool stopping_ = false;
  std::mutex joining_;
  std::thread thread_;
};

SightingMaps::SightingMaps(kube::Api& api, SightingMapsOptions options,
                           registry::SightingsReport report)
    : impl_(std::make_unique<Impl>(api, std::move(options), std::move(report))) {}
SightingMaps::~SightingMaps() = default;

void SightingMaps::replaced(std::vector<kube::Object> objects) { impl_->replaced(objects); }
void SightingMaps::changed(kube::Object object) { impl_->changed(object); }
void SightingMaps::deleted(const kube::Object& object) { impl_->deleted(object); }

std::expected<std::optional<policy::TagRecord>, std::string> SightingMaps::first(
    std::string_view repository, std::string_view tag) const {
  return impl_->first(repository, tag);
}
void SightingMaps::saw(std::string_view repository, std::string_view tag,
                       const policy::TagRecord& sighting) {
  impl_->saw(repository, tag, sighting);
}
void SightingMaps::stop() { impl_->stop(); }

}  // namespace belay::webhook::tag_history
