// Files as descriptors: one that closes itself, reading to the end within a limit, and writing all
// there is. Stateless; thread-safe but for errno, which is the calling thread's own.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

namespace belay::webhook {

/// Owns an open descriptor, or none (negative, as open() failed).
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (valid()) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return number_; }
  bool valid() const { return number_ >= 0; }

 private:
  int number_;
};

/// \param directory  from which a relative `path` is looked up, or AT_FDCWD
/// \return the text of a file, or an errno; EFBIG where it has more than `max_bytes` bytes
std::expected<std::string, int> read_file(int directory, const std::string& path,
                                          std::size_t max_bytes);

/// Writes all of the text where the descriptor stands. \return 0 or an errno
int write_all(int file, std::string_view text);

}  // namespace belay::webhook
