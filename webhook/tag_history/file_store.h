// The tag history in a file, for a belay outside a cluster (history_file.h has the file itself).
// What other programs write is taken up: `belay tag-history clear`, a second belay, an editor.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "webhook/tag_history/history_file.h"
#include "webhook/tag_history/store.h"
#include "webhook/tag_history/tag_history.h"

namespace belay::webhook::tag_history {

struct FileStoreOptions {
  std::size_t max_entries = 100'000;      ///< the oldest go first
  std::chrono::milliseconds look{1'000};  ///< from one look at the file to the next
};

/// A file is written whole, so many tags at once are no reason to write it sooner.
TagHistoryOptions options_for_file();

/// One shard. A file that is not there is an empty history, and is written with the first tag.
class FileStore final : public Store {
 public:
  explicit FileStore(std::string path, const FileStoreOptions& options = {});

  StoreShape shape() const override;
  std::size_t shard_of(std::string_view /*repository*/) const override { return 0; }
  std::string place() const override { return path_; }
  std::string place(std::size_t /*shard*/) const override { return path_; }
  std::expected<void, std::string> open(StoreReader& reader) override;
  std::optional<StoreFailure> look() override;
  std::optional<StoreFailure> change(std::size_t shard, const Change& change, bool ending) override;

 private:
  void take(HistoryFile file);

  const std::string path_;
  const FileStoreOptions options_;
  StoreReader* reader_ = nullptr;
  FileState state_;  ///< that was read last
};

}  // namespace belay::webhook::tag_history
