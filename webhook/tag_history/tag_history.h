// The tag history of one process: knows what its store says and what was seen since, and writes
// that down behind the requests, a little later and many at once. The store is a file or ConfigMaps
// (store.h); all the rest is here.
//
// - Of two records of one tag the older one stays, whoever wrote it.
// - What somebody removes from the store is forgotten. Nothing is written back from memory: only
//   what was seen and never written yet.
// - While the store can't be written, what was seen counts here and waits; the report tells of the
//   first failure, and when it is over.
// - A shard that is full forgets its oldest tags, and the report tells.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "webhook/registry/tag_records.h"
#include "webhook/tag_history/store.h"

namespace belay::webhook::tag_history {

struct TagHistoryOptions {
  std::size_t max_waiting = 10'000;  ///< that wait to be written; further ones are not remembered
  std::chrono::milliseconds batch{1'000};        ///< that a record waits for others to come along …
  std::size_t batch_size = 100;                  ///< … or until so many wait
  std::chrono::milliseconds backoff_min{1'000};  ///< doubled with each failure in a row
  std::chrono::milliseconds backoff_max{30'000};
};

/// What befell the tag history, for the log.
struct TagHistoryNews {
  bool good = false;       ///< what went wrong before goes well again
  std::string_view place;  ///< a file, or "ConfigMap belay-system/belay-tag-history-3"
  std::string_view what;   ///< a clause for people, without any tag
};
/// Must be thread-safe; called on writing threads.
using TagHistoryReport = std::function<void(const TagHistoryNews&)>;

/// Thread-safe.
class TagHistory final : public registry::TagRecords {
 public:
  /// Opens the store and starts to write.
  /// \param store   nobody else's; ends with this, or later where the caller holds it too
  /// \param report  told of problems in the store, of what was forgotten and of what could not be
  ///        written; may be empty
  /// \return why the store can't be used, as a sentence
  static std::expected<std::unique_ptr<TagHistory>, std::string> open(
      std::shared_ptr<Store> store, const TagHistoryOptions& options, TagHistoryReport report);
  ~TagHistory() override;  ///< stops
  TagHistory(const TagHistory&) = delete;
  TagHistory& operator=(const TagHistory&) = delete;

  std::expected<std::optional<policy::TagRecord>, std::string> first(
      std::string_view repository, std::string_view tag) const override;
  void saw(std::string_view repository, std::string_view tag,
           const policy::TagRecord& record) override;

  /// Writes what still waits, unless the store did not answer lately, and ends the writing thread.
  void stop();

 private:
  class Impl;
  explicit TagHistory(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::tag_history
