// The file of a tag history (--tag-history PATH): the text of tag_record.h, written anew and whole:
// into PATH.new (mode 0600), fsync, then rename, so that whoever reads it finds the old text or the
// new one.
//
// Who changes the file holds a lock on its directory, so that no two changes lose each other's
// lines; an editor knows of no lock, and of two who save at once the later wins. Stateless;
// thread-safe, between processes too.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <ctime>
#include <expected>
#include <functional>
#include <string>

#include "webhook/tag_history/tag_record.h"

namespace belay::webhook::tag_history {

inline constexpr std::size_t kMaxFileBytes = std::size_t{64} << 20U;  ///< bytes that are read

/// Tells one state of a file from another; a value-initialized one is "not there".
struct FileState {
  bool there = false;
  ino_t inode = 0;
  off_t size = 0;
  timespec written{};
  friend bool operator==(const FileState& a, const FileState& b);
};
FileState file_state(const std::string& path);

/// What a file says, and the state in which it said so.
struct HistoryFile {
  ReadRecords read;
  FileState state;
};

/// \return the file's lines; or why it can't be read, as a sentence that names it
std::expected<ReadRecords, std::string> read_history_file(const std::string& path);
/// The same for who writes it: a file that is not there yet says nothing, and is no error.
std::expected<HistoryFile, std::string> load_history_file(const std::string& path);

/// \return why no file can be written at this path, as a sentence
std::expected<void, std::string> check_history_directory(const std::string& path);

/// Changes the file under the lock: `change` gets what it says (nothing where there is no file) and
/// returns whether that is to be written. Waits for the lock 5 s at most. Lines that did not read
/// are lost when the file is written.
/// \return what the file says now
std::expected<HistoryFile, std::string> change_history_file(
    const std::string& path, const std::function<bool(RecordMap&)>& change);

}  // namespace belay::webhook::tag_history
