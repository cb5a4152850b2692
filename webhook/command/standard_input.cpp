#include "webhook/command/standard_input.h"

#include <array>
#include <istream>

namespace belay::webhook::command {

std::expected<std::string, std::string> read_standard_input(std::istream& in) {
  std::string text;
  std::array<char, 1 << 16> buffer;
  // Unlike an iterator over its buffer, a stream turns the buffer's exceptions into its state.
  while (in.read(buffer.data(), buffer.size()), in.gcount() > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(in.gcount()));
  }
  if (in.bad()) return std::unexpected(unreadable_input());
  return text;
}

std::string unreadable_input() {
  return "standard input cannot be read: it is closed, or a directory; give a file, or pipe "
         "something in";
}

}  // namespace belay::webhook::command
