#include "webhook/tag_history/sighting_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "webhook/system/file.h"
#include "webhook/tag_history/sighting_ledger.h"

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

/// Tells one state of a file from another; a value-initialized one is "not there".
struct FileState {
  bool there = false;
  ino_t inode = 0;
  off_t size = 0;
  timespec written{};
  friend bool operator==(const FileState& a, const FileState& b) {
    return a.there == b.there && a.inode == b.inode && a.size == b.size &&
           a.written.tv_sec == b.written.tv_sec && a.written.tv_nsec == b.written.tv_nsec;
  }
};

FileState state_of(const struct stat& info) {
  return {.there = true, .inode = info.st_ino, .size = info.st_size, .written = info.st_mtim};
}

FileState state_of(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? state_of(info) : FileState{};
}

/// The text together with the state that it belongs to; no text where there is no file.
struct FileText {
  std::string text;
  FileState state;
};

std::expected<FileText, int> read_whole(const std::string& path) {
  for (int i = 0;; ++i) {
    const FileState before = state_of(path);
    auto text = read_file(AT_FDCWD, path, kMaxSightingFile);
    if (!text && text.error() != ENOENT) return std::unexpected(text.error());
    FileState after = state_of(path);
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

/// What a change made of the file.
struct Changed {
  ReadSightings now;
  FileState state;
};

std::expected<Changed, std::string> change_file(const std::string& path,
                                                const std::function<bool(SightingMap&)>& change) {
  const DirectoryLock lock(directory_of(path));
  if (lock.error() != 0) return failure(path, "cannot lock its directory", lock.error());
  auto file = read_whole(path);
  if (!file) return failure(path, "cannot be read", file.error());
  ReadSightings read = read_sightings(file->text);
  if (!change(read.entries)) return Changed{std::move(read), file->state};
  const std::string fresh = path + ".new";
  const auto written = write_and_sync(fresh, path, write_sightings(read.entries));
  if (!written) return failure(fresh, "cannot be written", written.error());
  if (::rename(fresh.c_str(), path.c_str()) != 0) return failure(path, "cannot be replaced", errno);
  if (::fsync(lock.directory()) != 0) return failure(path, "its directory cannot be synced", errno);
  return Changed{std::move(read), *written};
}

}  // namespace

std::expected<ReadSightings, std::string> read_sighting_file(const std::string& path) {
  auto text = read_file(AT_FDCWD, path, kMaxSightingFile);
  if (!text) return failure(path, "cannot be read", text.error());
  return read_sightings(*text);
}

std::expected<ReadSightings, std::string> change_sighting_file(
    const std::string& path, const std::function<bool(SightingMap&)>& change) {
  auto changed = change_file(path, change);
  if (!changed) return std::unexpected(std::move(changed.error()));
  return std::move(changed->now);
}

class SightingFile::Impl {
 public:
  Impl(std::string path, const SightingFileOptions& options, registry::SightingsReport report)
      : path_(std::move(path)), options_(options), report_(std::move(report)) {}
  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::expected<void, std::string> start() {
    const std::string directory = directory_of(path_);
    if (::access(directory.c_str(), W_OK | X_OK) != 0) {
      return failure(directory, "nothing can be written there", errno);
    }
    if (const int error = look(); error != 0) return failure(path_, "cannot be read", error);
    ledger_.set_read();
    thread_ = std::thread([this] { run(); });
    return {};
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
  void run() {
    std::unique_lock lock(mutex_);
    milliseconds backoff{0};
    while (!stopping_) {
      wake_.wait_for(lock, options_.look, [this] { return stopping_ || ledger_.waiting() > 0; });
      const milliseconds pause = std::max(options_.batch, backoff);
      if (ledger_.waiting() > 0) wake_.wait_for(lock, pause, [this] { return stopping_; });
      lock.unlock();
      if (const std::string problem = ledger_.not_remembered(); !problem.empty()) {
        tell(problem);
      }
      const bool done = ledger_.waiting() > 0 ? write() : look_and_tell();
      backoff = done ? milliseconds{0}
                     : std::min(std::max(options_.batch, backoff * 2), options_.backoff_max);
      lock.lock();
    }
    lock.unlock();
    if (ledger_.waiting() > 0) write();
  }

  /// Reads what has changed. \return an errno, or 0
  int look() {
    if (state_of(path_) == state_) return 0;
    auto file = read_whole(path_);
    if (!file) return file.error();
    take(read_sightings(file->text), file->state);
    return 0;
  }

  bool look_and_tell() {
    const int error = look();
    outcome(error == 0, error == 0 ? "" : failure(path_, "cannot be read", error).error());
    return error == 0;
  }

  bool write() {
    const SightingMap waiting = ledger_.waiting(0);
    std::size_t forgotten = 0;
    auto changed = change_file(path_, [&](SightingMap& entries) {
      bool news = false;
      for (const auto& [key, sighting] : waiting) {
        news = keep_older(entries, key, sighting) || news;
      }
      forgotten = forget_oldest(entries, options_.max_entries, kMaxSightingFile);
      return news || forgotten > 0;
    });
    outcome(changed.has_value(), changed ? std::string_view() : changed.error());
    if (!changed) return false;
    take(std::move(changed->now), changed->state);
    ledger_.written(0, waiting);
    if (forgotten > 0) {
      tell(fmt::format("the {} oldest tags were removed: it is full with {}", forgotten,
                       options_.max_entries));
    }
    return true;
  }

  void take(ReadSightings read, const FileState& state) {
    state_ = state;
    for (const std::string& problem : read.problems) tell(problem);
    ledger_.set(0, std::make_shared<const SightingMap>(std::move(read.entries)));
  }

  /// Tells of the first failure in a row, and when it is over.
  void outcome(bool good, std::string_view problem) {
    if (good && std::exchange(failing_, false)) tell("is read and written again", true);
    if (!good && !std::exchange(failing_, true)) tell(problem);
  }

  void tell(std::string_view what, bool good = false) const {
    if (report_) report_({.good = good, .place = path_, .what = what});
  }

  const std::string path_;
  const SightingFileOptions options_;
  const registry::SightingsReport report_;
  SightingLedger ledger_{1, [](std::string_view) { return std::size_t{0}; }, options_.max_waiting};
  FileState state_;       ///< the thread's, once it runs
  bool failing_ = false;  ///< the thread's
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

std::expected<std::unique_ptr<SightingFile>, std::string> SightingFile::open(
    const std::string& path, const SightingFileOptions& options, registry::SightingsReport report) {
  auto impl = std::make_unique<Impl>(path, options, std::move(report));
  if (auto started = impl->start(); !started) return std::unexpected(std::move(started.error()));
  return std::unique_ptr<SightingFile>(new SightingFile(std::move(impl)));
}

SightingFile::SightingFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SightingFile::~SightingFile() = default;

std::expected<std::optional<policy::TagRecord>, std::string> SightingFile::first(
    std::string_view repository, std::string_view tag) const {
  return impl_->first(repository, tag);
}
void SightingFile::saw(std::string_view repository, std::string_view tag,
                       const policy::TagRecord& sighting) {
  impl_->saw(repository, tag, sighting);
}

}  // namespace belay::webhook::tag_history
