#include "webhook/tag_history/ledger.h"

#include <fmt/format.h>

#include <utility>

namespace belay::webhook::tag_history {

Ledger::Ledger(std::size_t shards, ShardOf shard_of, std::size_t max_waiting)
    : shard_of_(std::move(shard_of)),
      max_waiting_(max_waiting),
      known_(shards, std::make_shared<const RecordMap>()),
      waiting_(shards) {}

/// In all shards: a line that a person put into the wrong one says what it says.
std::optional<policy::TagRecord> Ledger::known(std::string_view key) const {
  std::optional<policy::TagRecord> oldest;
  for (const Entries& entries : known_) {
    const auto found = entries->find(key);
    if (found == entries->end()) continue;
    if (!oldest || found->second.time < oldest->time) oldest = found->second;
  }
  return oldest;
}

std::expected<std::optional<policy::TagRecord>, std::string> Ledger::first(
    std::string_view repository, std::string_view tag) const {
  const std::string key = record_key(repository, tag);
  const std::size_t shard = shard_of_(repository);
  const std::lock_guard lock(mutex_);
  if (!read_) return std::unexpected("belay has not read its tag history yet");
  std::optional<policy::TagRecord> oldest = known(key);
  const auto waits = waiting_[shard].find(key);
  if (waits != waiting_[shard].end() && (!oldest || waits->second.time < oldest->time)) {
    oldest = waits->second;
  }
  return oldest;
}

bool Ledger::saw(std::string_view repository, std::string_view tag,
                 const policy::TagRecord& record) {
  const std::string key = record_key(repository, tag);
  const std::size_t shard = shard_of_(repository);
  const std::lock_guard lock(mutex_);
  const auto there = known(key);
  if (there && there->time <= record.time) return false;
  RecordMap& waiting = waiting_[shard];
  const auto waits = waiting.find(key);
  if (waits != waiting.end()) {
    if (waits->second.time > record.time) waits->second = record;
    return false;
  }
  if (!can_be_written(key, record)) return false;
  if (waiting_count_ >= max_waiting_) {
    ++no_room_;
    return true;
  }
  waiting.emplace(key, record);
  ++waiting_count_;
  return true;
}

std::string Ledger::not_remembered() {
  const std::lock_guard lock(mutex_);
  const std::size_t count = std::exchange(no_room_, 0);
  if (count == 0) return "";
  return fmt::format("{} tags were not recorded: too many wait to be written", count);
}

void Ledger::set(std::size_t shard, Entries entries) {
  const std::lock_guard lock(mutex_);
  waiting_count_ -= std::erase_if(waiting_[shard], [&entries](const auto& waits) {
    const auto found = entries->find(waits.first);
    return found != entries->end() && found->second.time <= waits.second.time;
  });
  known_[shard].swap(entries);  // the old ones go when the lock is given back
}

void Ledger::set_read() {
  const std::lock_guard lock(mutex_);
  read_ = true;
}

bool Ledger::is_read() const {
  const std::lock_guard lock(mutex_);
  return read_;
}

RecordMap Ledger::waiting(std::size_t shard) const {
  const std::lock_guard lock(mutex_);
  return waiting_[shard];
}

void Ledger::written(std::size_t shard, const RecordMap& entries) {
  const std::lock_guard lock(mutex_);
  waiting_count_ -= std::erase_if(waiting_[shard], [&entries](const auto& waits) {
    const auto found = entries.find(waits.first);
    return found != entries.end() && found->second == waits.second;
  });
}

}  // namespace belay::webhook::tag_history
