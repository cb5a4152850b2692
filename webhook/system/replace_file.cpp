// A new file beside the old one, then rename(2).
#include "webhook/system/replace_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "webhook/system/file.h"

namespace belay::webhook {
namespace {

std::unexpected<std::string> system_problem(std::string_view what) {
  return std::unexpected(fmt::format("{}: {}", what, std::strerror(errno)));
}

/// Removes a file that did not come to its name.
class Temporary {
 public:
  explicit Temporary(std::string path) : path_(std::move(path)) {}
  ~Temporary() {
    if (!path_.empty()) (void)::unlink(path_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  const char* path() const { return path_.c_str(); }
  void keep() { path_.clear(); }

 private:
  std::string path_;
};

}  // namespace

std::expected<void, std::string> replace_file(const std::string& path, std::string_view before,
                                              std::string_view text) {
  std::error_code error;
  const std::string target = std::filesystem::canonical(path, error).string();
  if (error) return std::unexpected(error.message());
  const auto now = read_file(AT_FDCWD, target, before.size());
  if (!now && now.error() != EFBIG) return std::unexpected(std::string(std::strerror(now.error())));
  if (!now || *now != before)
    return std::unexpected("another program changed it; nothing was written");
  struct stat status{};
  if (::stat(target.c_str(), &status) != 0) return system_problem("cannot be inspected");
  if (::access(target.c_str(), W_OK) != 0) return system_problem("cannot be written");

  Temporary temporary(fmt::format("{}.{}.tmp", target, ::getpid()));
  const Descriptor file(::open(
      temporary.path(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
  if (!file.valid()) {
    const auto problem = system_problem("its directory cannot be written");
    if (errno == EEXIST) temporary.keep();
    return problem;
  }
  // Another's file becomes ours where we may not give it away, as with every editor. The owner
  // comes first: a change of owner clears bits of the mode.
  if (status.st_uid != ::geteuid() || status.st_gid != ::getegid()) {
    (void)!::fchown(file.get(), status.st_uid, status.st_gid);
  }
  if (write_all(file.get(), text) != 0 || ::fchmod(file.get(), status.st_mode & 07777U) != 0 ||
      ::fsync(file.get()) != 0 || ::rename(temporary.path(), target.c_str()) != 0) {
    return system_problem("cannot be written");
  }
  temporary.keep();
  return {};
}

}  // namespace belay::webhook
