// The tag history as one process has it: what is written down (by shard: one for a file, one a
// ConfigMap), and what it saw and has not written yet. Stands between first() and saw(), which
// never wait, and the thread that reads and writes.
//
// What is written down is taken as it is read: an entry that somebody removed is forgotten, and
// nothing brings it back but a new record. Thread-safe; locks are held for a look-up, never while
// something is read, written or compared as a whole.
#pragma once

#include <atomic>
#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/tag_history/tag_record.h"

namespace belay::webhook::tag_history {

class Ledger {
 public:
  using Entries = std::shared_ptr<const RecordMap>;
  using ShardOf = std::function<std::size_t(std::string_view repository)>;  ///< below `shards`

  /// \param max_waiting  records that may wait to be written; further ones are not remembered
  Ledger(std::size_t shards, ShardOf shard_of, std::size_t max_waiting);

  /// As TagRecords::first(). What waits counts; of two records the older one.
  std::expected<std::optional<policy::TagRecord>, std::string> first(std::string_view repository,
                                                                     std::string_view tag) const;
  /// \return whether there is something new for who writes: a record that waits, or one that
  ///     found no room. Not one that is known, waits already, or can't be written down.
  bool saw(std::string_view repository, std::string_view tag, const policy::TagRecord& record);
  /// A sentence on those that found no room since the last call; "" where all of them did.
  std::string not_remembered();

  /// What a shard says now. What waits and is confirmed by it waits no longer: should it be removed
  /// a moment later, it stays removed.
  void set(std::size_t shard, Entries entries);
  /// From now on first() knows. Called when every shard was set once.
  void set_read();
  bool is_read() const;

  RecordMap waiting(std::size_t shard) const;
  std::size_t waiting() const { return waiting_count_; }
  /// These were written: they wait no longer, unless an older record took their place.
  void written(std::size_t shard, const RecordMap& entries);

 private:
  std::optional<policy::TagRecord> known(std::string_view key) const;

  const ShardOf shard_of_;
  const std::size_t max_waiting_;
  mutable std::mutex mutex_;
  bool read_ = false;
  std::vector<Entries> known_;      ///< by shard; never nullptr
  std::vector<RecordMap> waiting_;  ///< by shard
  std::atomic<std::size_t> waiting_count_ = 0;
  std::size_t no_room_ = 0;
};

}  // namespace belay::webhook::tag_history
