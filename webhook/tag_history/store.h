// Where a tag history is written down: what its keeper (tag_history.h) asks of a file, or of
// ConfigMaps. A store has one or more shards, which are read and written each as a whole, and which
// others may change at any time.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "webhook/tag_history/tag_record.h"

namespace belay::webhook::tag_history {

/// What a store is made of, the same for as long as it lives.
struct StoreShape {
  std::size_t shards = 1;
  std::size_t max_entries = 0;  ///< of a shard; the oldest go first
  std::size_t max_bytes = 0;    ///< of a shard's text; the same
  /// From one look() to the next; 0 for a store that is told of what others change.
  std::chrono::milliseconds look_every{0};
};

/// Why a store could not be read or written, until the next try.
struct StoreFailure {
  std::string place;    ///< what failed: place(), or that of a shard
  std::string problem;  ///< a clause for people, without any tag
  bool away = false;    ///< nobody answers: the other shards would fare no better
  std::chrono::milliseconds retry_after{0};  ///< asked for by who refused
};

/// Who is told what a store reads. Thread-safe.
class StoreReader {
 public:
  using Entries = std::shared_ptr<const RecordMap>;

  virtual ~StoreReader() = default;
  /// What a shard says now. May be called under a lock of the store's.
  virtual void read(std::size_t shard, Entries entries) = 0;
  /// Every shard was read since the start: what is not there was never seen.
  virtual void read_whole() = 0;
  /// Something in it is not as it should be, a line or a name. Never called under a lock.
  virtual void problem(std::string_view place, std::string_view problem) = 0;
};

class Store {
 public:
  /// Gets what a shard says, changes it, and returns whether that is to be written. May be called
  /// several times, where others were first.
  using Change = std::function<bool(RecordMap&)>;

  virtual ~Store() = default;
  virtual StoreShape shape() const = 0;
  virtual std::size_t shard_of(std::string_view repository) const = 0;
  /// How the store, or a shard of it, is called in reports.
  virtual std::string place() const = 0;
  virtual std::string place(std::size_t shard) const = 0;

  /// Begins to read. \param reader  outlives all further calls
  /// \return why the store can't be used, as a sentence
  virtual std::expected<void, std::string> open(StoreReader& reader) = 0;
  /// Reads what others have changed since. By one thread, as change().
  virtual std::optional<StoreFailure> look() { return std::nullopt; }
  /// Changes a shard without losing what others write, and has the reader told what it says then.
  /// \param ending  belay ends: a network is not waited for as long as usually
  virtual std::optional<StoreFailure> change(std::size_t shard, const Change& change,
                                             bool ending) = 0;
};

}  // namespace belay::webhook::tag_history
