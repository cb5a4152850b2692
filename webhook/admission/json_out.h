// Appending JSON to a string: commas and escapes are looked after, nesting is the caller's. No
// library for this: RapidJSON's Writer adds to a null pointer before its first value (undefined
// behaviour in Debian's 1.1.0), and nlohmann would build a tree for every answer.
// Not thread-safe; one a string.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace belay::webhook::admission {

class JsonOut {
 public:
  /// Appends to `out`, which must end where a value may begin.
  explicit JsonOut(std::string& out) : out_(out) {}

  void open_object() { begin_value() += '{'; }
  void close_object() { out_ += '}'; }
  void open_list() { begin_value() += '['; }
  void close_list() { out_ += ']'; }
  void key(std::string_view name) {
    text(name);
    out_ += ':';
  }
  void boolean(bool value) { begin_value() += value ? "true" : "false"; }
  void number(int value) { begin_value() += std::to_string(value); }
  /// UTF-8; quotes, backslashes and control characters are escaped (RFC 8259, section 7).
  void text(std::string_view value) {
    begin_value() += '"';
    for (;;) {
      const std::size_t plain = plain_size(value);
      out_.append(value.substr(0, plain));
      if (plain == value.size()) break;
      append_escaped(value[plain]);
      value.remove_prefix(plain + 1);
    }
    out_ += '"';
  }
  /// Several values and keys that are written already.
  void raw(std::string_view json) { begin_value().append(json); }
  /// A text that is known to need no escape.
  void literal(std::string_view value) {
    std::string& out = begin_value();
    out.reserve(out.size() + value.size() + 2);
    out.append(1, '"').append(value).append(1, '"');
  }
  void member(std::string_view name, std::string_view value) {
    key(name);
    text(value);
  }

 private:
  std::string& begin_value() {
    if (!out_.empty() && out_.back() != '{' && out_.back() != '[' && out_.back() != ':') {
      out_ += ',';
    }
    return out_;
  }
  /// How many bytes at the front need no escape; eight are looked at together.
  static std::size_t plain_size(std::string_view value) {
    constexpr std::uint64_t kEach = 0x0101010101010101U;
    constexpr std::uint64_t kHigh = 0x80U * kEach;
    const auto below = [](std::uint64_t word, std::uint64_t limit) {
      return (word - limit * kEach) & ~word & kHigh;  // of bytes below 0x80
    };
    std::size_t size = 0;
    for (std::uint64_t word = 0; value.size() - size >= sizeof word; size += sizeof word) {
      std::memcpy(&word, value.data() + size, sizeof word);
      if ((below(word, 0x20) | below(word ^ ('"' * kEach), 1) | below(word ^ ('\\' * kEach), 1)) !=
          0) {
        break;  // maybe one of these: the bytes say which
      }
    }
    while (size < value.size() && static_cast<unsigned char>(value[size]) >= 0x20 &&
           value[size] != '"' && value[size] != '\\') {
      ++size;
    }
    return size;
  }
  void append_escaped(char c) {
    constexpr std::string_view kHex = "0123456789abcdef";
    if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
      return;
    }
    if (c == '\n') {
      out_ += "\\n";
      return;
    }
    out_ += "\\u00";
    out_ += kHex[static_cast<unsigned char>(c) >> 4U];
    out_ += kHex[static_cast<unsigned char>(c) & 0xFU];
  }

  std::string& out_;
};

}  // namespace belay::webhook::admission
