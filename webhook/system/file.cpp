#include "webhook/system/file.h"

#include <fcntl.h>

#include <array>
#include <cerrno>

namespace belay::webhook {

std::expected<std::string, int> read_file(int directory, const std::string& path,
                                          std::size_t max_bytes) {
  const Descriptor file(::openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return std::unexpected(errno);
  std::string text;
  std::array<char, 1 << 14> buffer{};
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(errno);
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > max_bytes) return std::unexpected(EFBIG);
  }
}

int write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace belay::webhook
