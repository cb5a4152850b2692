// Two threads change what is known: the watch's, and the writer's with the answers to its writes.
// The resource version tells which of the two is later.
#include "webhook/tag_history/config_map_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

namespace belay::webhook::tag_history {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLastDeadline{2'000};  // of a request while belay ends

std::optional<std::size_t> shard_named(std::string_view name) {
  for (std::size_t shard = 0; shard < kShards; ++shard) {
    if (name == shard_name(shard)) return shard;
  }
  return std::nullopt;
}

bool is_away(const kube::ApiError& error) {
  return error.kind == kube::ApiError::Kind::kUnreachable ||
         error.kind == kube::ApiError::Kind::kTimeout;
}

Shard absent(std::size_t shard) {
  return {
      .name = shard_name(shard), .uid = {}, .resource_version = {}, .entries = {}, .problems = {}};
}

}  // namespace

kube::WatchOptions tag_history_watch(const std::string& own_namespace) {
  kube::WatchOptions options;
  options.name = kube::WatchName::kTagHistory;
  options.path = fmt::format("/api/v1/namespaces/{}/configmaps", own_namespace);
  options.label_selector = fmt::format("{}=true", kTagHistoryLabel);
  options.page = kShardPage;
  return options;
}

ConfigMapStore::ConfigMapStore(kube::Api& api, ConfigMapStoreOptions options)
    : api_(api), options_(std::move(options)) {}

StoreShape ConfigMapStore::shape() const {
  return {.shards = kShards,
          .max_entries = std::numeric_limits<std::size_t>::max(),
          .max_bytes = options_.max_shard_bytes,
          .look_every = milliseconds(0)};
}

std::size_t ConfigMapStore::shard_of(std::string_view repository) const {
  return tag_history::shard_of(repository);
}

std::string ConfigMapStore::place() const {
  return fmt::format("namespace {}", options_.own_namespace);
}
std::string ConfigMapStore::place(std::size_t shard) const {
  return place_named(shard_name(shard));
}
std::string ConfigMapStore::place_named(std::string_view config_map) const {
  return fmt::format("ConfigMap {}/{}", options_.own_namespace, config_map);
}

std::expected<void, std::string> ConfigMapStore::open(StoreReader& reader) {
  reader_ = &reader;
  return {};
}

std::optional<StoreFailure> ConfigMapStore::change(std::size_t shard, const Change& change,
                                                   bool ending) {
  Shard known = absent(shard);
  StoreReader::Entries entries;
  {
    const std::lock_guard lock(mutex_);
    known.uid = known_[shard].uid;
    known.resource_version = known_[shard].resource_version;
    entries = known_[shard].entries;
  }
  known.entries = *entries;
  auto written =
      change_shard(api_, options_.own_namespace, std::move(known), change,
                   ending ? std::min(options_.deadline, kLastDeadline) : options_.deadline);
  if (!written) {
    const kube::ApiError& error = written.error();
    return StoreFailure{.place = is_away(error) ? place() : place(shard),
                        .problem = fmt::format("tags cannot be written: {}", error.message),
                        .away = is_away(error),
                        .retry_after = error.retry_after};
  }
  if (!written->resource_version.empty()) take(shard, *std::move(written));
  return std::nullopt;
}

/// A list is the truth, whatever came before: the cluster may have been restored from a backup.
void ConfigMapStore::replaced(std::vector<kube::Object> objects) {
  std::array<std::optional<Shard>, kShards> listed;
  for (const kube::Object& object : objects) {
    const auto shard = shard_named(object.name);
    if (shard) listed[*shard] = read_shard(object);
    if (!shard) {
      reader_->problem(place_named(object.name),
                       "has the label but none of the names; it is ignored");
    }
  }
  for (std::size_t shard = 0; shard < kShards; ++shard) {
    take(shard, listed[shard] ? std::move(*listed[shard]) : absent(shard), true);
  }
  reader_->read_whole();
}

void ConfigMapStore::changed(kube::Object object) {
  if (const auto shard = shard_named(object.name)) take(*shard, read_shard(object));
}

void ConfigMapStore::deleted(const kube::Object& object) {
  const auto shard = shard_named(object.name);
  if (!shard) return;
  const std::lock_guard lock(mutex_);
  Known& known = known_[*shard];
  if (kube::older(object.resource_version, known.resource_version)) return;
  known = {};
  reader_->read(*shard, known.entries);
}

void ConfigMapStore::take(std::size_t shard, Shard read, bool whatever_came_before) {
  auto entries = std::make_shared<const RecordMap>(std::move(read.entries));
  std::vector<std::string> problems;
  {
    const std::lock_guard lock(mutex_);
    Known& known = known_[shard];
    if (!whatever_came_before && kube::older(read.resource_version, known.resource_version)) return;
    if (known.problems != read.problems) problems = read.problems;
    known = {.uid = std::move(read.uid),
             .resource_version = std::move(read.resource_version),
             .entries = entries,
             .problems = std::move(read.problems)};
    reader_->read(shard, std::move(entries));
  }
  for (const std::string& problem : problems) reader_->problem(place_named(read.name), problem);
}

}  // namespace belay::webhook::tag_history
