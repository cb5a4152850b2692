// Reading and replacing the file, under the lock of its directory.
#include "webhook/tag_history/history_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

#include "webhook/system/file.h"

namespace belay::webhook::tag_history {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLockDeadline{5'000};
constexpr milliseconds kLockPause{10};
constexpr int kReadingTries = 3;

std::unexpected<std::string> failure(const std::string& path, std::string_view what, int error) {
  return std::unexpected(
      fmt::format("{}: {}: {}", path, what, std::generic_category().message(error)));
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

FileState state_of(const struct stat& info) {
  return {.there = true, .inode = info.st_ino, .size = info.st_size, .written = info.st_mtim};
}

/// The text together with the state that it belongs to; no text where there is no file.
struct FileText {
  std::string text;
  FileState state;
};

std::expected<FileText, int> read_whole(const std::string& path) {
  for (int i = 0;; ++i) {
    const FileState before = file_state(path);
    auto text = read_file(AT_FDCWD, path, kMaxFileBytes);
    if (!text && text.error() != ENOENT) return std::unexpected(text.error());
    FileState after = file_state(path);
    if (before != after && i < kReadingTries) continue;
    // A state that never holds still belongs to no text: the next look reads again.
    if (before != after) after = {.there = true, .inode = 0, .size = -1, .written = {}};
    return FileText{.text = text ? *std::move(text) : std::string(), .state = after};
  }
}

/// Held from its construction to its end; nothing is left behind where a process ends with it.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& directory)
      : descriptor_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    const auto deadline = Clock::now() + kLockDeadline;
    error_ = descriptor_.valid() ? 0 : errno;
    while (error_ == 0 && ::flock(descriptor_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) error_ = errno;
      if (Clock::now() >= deadline) error_ = ETIMEDOUT;
      if (error_ == 0) std::this_thread::sleep_for(kLockPause);
    }
  }
  int error() const { return error_; }
  int directory() const { return descriptor_.get(); }

 private:
  Descriptor descriptor_;
  int error_ = 0;
};

/// The file stays its owner's: who clears a tag as root takes it from no server.
/// \return an errno, or 0
int keep_owner(int file, const std::string& of) {
  struct stat had{};
  struct stat has{};
  if (::stat(of.c_str(), &had) != 0) return errno == ENOENT ? 0 : errno;
  if (::fstat(file, &has) != 0) return errno;
  if (has.st_uid == had.st_uid && has.st_gid == had.st_gid) return 0;
  return ::fchown(file, had.st_uid, had.st_gid) == 0 ? 0 : errno;
}

/// \param of  the file that it is to replace
/// \return its state, which stays the same when it is renamed; or an errno
std::expected<FileState, int> write_and_sync(const std::string& path, const std::string& of,
                                             std::string_view text) {
  // What a crash left behind goes, and a link that somebody put there leads nowhere.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return std::unexpected(errno);
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) return std::unexpected(errno);
  if (const int error = keep_owner(file.get(), of); error != 0) return std::unexpected(error);
  if (const int error = write_all(file.get(), text); error != 0) return std::unexpected(error);
  if (::fsync(file.get()) != 0) return std::unexpected(errno);
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return std::unexpected(errno);
  return state_of(info);
}

}  // namespace

bool operator==(const FileState& a, const FileState& b) {
  return a.there == b.there && a.inode == b.inode && a.size == b.size &&
         a.written.tv_sec == b.written.tv_sec && a.written.tv_nsec == b.written.tv_nsec;
}

FileState file_state(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? state_of(info) : FileState{};
}

std::expected<void, std::string> check_history_directory(const std::string& path) {
  const std::string directory = directory_of(path);
  if (::access(directory.c_str(), W_OK | X_OK) == 0) return {};
  return failure(directory, "nothing can be written there", errno);
}

std::expected<ReadRecords, std::string> read_history_file(const std::string& path) {
  auto text = read_file(AT_FDCWD, path, kMaxFileBytes);
  if (!text) return failure(path, "cannot be read", text.error());
  return read_records(*text);
}

std::expected<HistoryFile, std::string> load_history_file(const std::string& path) {
  auto file = read_whole(path);
  if (!file) return failure(path, "cannot be read", file.error());
  return HistoryFile{read_records(file->text), file->state};
}

std::expected<HistoryFile, std::string> change_history_file(
    const std::string& path, const std::function<bool(RecordMap&)>& change) {
  const DirectoryLock lock(directory_of(path));
  if (lock.error() != 0) return failure(path, "cannot lock its directory", lock.error());
  auto file = load_history_file(path);
  if (!file || !change(file->read.entries)) return file;
  const std::string fresh = path + ".new";
  const auto written = write_and_sync(fresh, path, write_records(file->read.entries));
  if (!written) return failure(fresh, "cannot be written", written.error());
  if (::rename(fresh.c_str(), path.c_str()) != 0) return failure(path, "cannot be replaced", errno);
  if (::fsync(lock.directory()) != 0) return failure(path, "its directory cannot be synced", errno);
  file->state = *written;
  return file;
}

}  // namespace belay::webhook::tag_history
