// One shard, read where its state is another than it was.
#include "webhook/tag_history/file_store.h"

#include <limits>
#include <memory>
#include <utility>

namespace belay::webhook::tag_history {

TagHistoryOptions options_for_file() {
  TagHistoryOptions options;
  options.batch_size = std::numeric_limits<std::size_t>::max();
  return options;
}

FileStore::FileStore(std::string path, const FileStoreOptions& options)
    : path_(std::move(path)), options_(options) {}

StoreShape FileStore::shape() const {
  return {.shards = 1,
          .max_entries = options_.max_entries,
          .max_bytes = kMaxFileBytes,
          .look_every = options_.look};
}

std::expected<void, std::string> FileStore::open(StoreReader& reader) {
  reader_ = &reader;
  if (auto writable = check_history_directory(path_); !writable) return writable;
  if (auto failed = look()) return std::unexpected(std::move(failed->problem));
  reader_->read_whole();
  return {};
}

std::optional<StoreFailure> FileStore::look() {
  if (file_state(path_) == state_) return std::nullopt;
  auto file = load_history_file(path_);
  if (!file) return StoreFailure{.place = path_, .problem = std::move(file.error())};
  take(*std::move(file));
  return std::nullopt;
}

std::optional<StoreFailure> FileStore::change(std::size_t /*shard*/, const Change& change,
                                              bool /*ending*/) {
  auto file = change_history_file(path_, change);
  if (!file) return StoreFailure{.place = path_, .problem = std::move(file.error())};
  take(*std::move(file));
  return std::nullopt;
}

void FileStore::take(HistoryFile file) {
  state_ = file.state;
  for (const std::string& problem : file.read.problems) reader_->problem(path_, problem);
  reader_->read(0, std::make_shared<const RecordMap>(std::move(file.read.entries)));
}

}  // namespace belay::webhook::tag_history
