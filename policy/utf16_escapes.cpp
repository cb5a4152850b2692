// The replacement is a character for private use, twice, that the text does not contain; so it is
// recognised when it comes back, decoded or not.
#include "policy/utf16_escapes.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "policy/text/ascii.h"

namespace belay::policy {
namespace {

constexpr std::size_t kHalf = 6;  ///< bytes of "\ud83d"

/// The code after "\u" where the text starts with such an escape.
std::optional<std::uint32_t> escape_code(std::string_view text) {
  if (text.size() < kHalf || !text.starts_with("\\u")) return std::nullopt;
  std::uint32_t code = 0;
  const auto read = std::from_chars(text.data() + 2, text.data() + kHalf, code, 16);
  if (read.ec != std::errc() || read.ptr != text.data() + kHalf) return std::nullopt;
  return code;
}

/// The character that the text starts with in two halves (RFC 8259, section 7).
std::optional<std::uint32_t> pair_code(std::string_view text) {
  const auto high = escape_code(text);
  if (!high || *high < 0xD800 || *high > 0xDBFF) return std::nullopt;
  const auto low = escape_code(text.substr(kHalf));
  if (!low || *low < 0xDC00 || *low > 0xDFFF) return std::nullopt;
  return 0x10000 + ((*high - 0xD800) << 10U) + (*low - 0xDC00);
}

/// UTF-8 of a character beyond U+FFFF.
std::string four_bytes(std::uint32_t code) {
  const auto tail = [&](unsigned shift) {
    return static_cast<char>(0x80U | ((code >> shift) & 0x3FU));
  };
  return {static_cast<char>(0xF0U | (code >> 18U)), tail(12), tail(6), tail(0)};
}

/// UTF-8 of U+E000 + number, number < 64.
std::string private_character(unsigned number) {
  return {'\xEE', '\x80', static_cast<char>(0x80U + number)};
}

}  // namespace

Utf16Escapes::Utf16Escapes(std::string_view text) : text_(text) {
  std::vector<std::size_t> offsets;
  for (auto at = text.find("\\u"); at != std::string_view::npos; at = text.find("\\u", at)) {
    const bool pair = pair_code(text.substr(at)).has_value();
    if (pair) offsets.push_back(at);
    at += pair ? 2 * kHalf : 2;
  }
  if (offsets.empty()) return;
  for (unsigned number = 0; number < 10; ++number) {
    const std::string digits = "E00" + std::to_string(number);
    const std::string value = private_character(number);
    const auto holds = [&](std::string_view word) { return text.find(word) != text.npos; };
    if (holds(value) || holds(digits) || holds(lower_case(digits))) continue;
    stand_in_.append("\\u").append(digits).append("\\u").append(digits);
    stand_in_value_ = value + value;
    offsets_ = std::move(offsets);
    copy_ = text;
    for (const std::size_t at : offsets_) copy_.replace(at, 2 * kHalf, stand_in_);
    return;
  }
}

bool Utf16Escapes::restore(std::size_t begin, std::size_t end, std::string& value) const {
  auto at = std::ranges::lower_bound(offsets_, begin);
  if (at == offsets_.end() || *at >= end) return true;
  std::string out;
  std::size_t from = 0;
  std::size_t written = value.find(stand_in_);
  std::size_t read = value.find(stand_in_value_);
  for (; at != offsets_.end() && *at < end; ++at) {
    if (written < from) written = value.find(stand_in_, from);
    if (read < from) read = value.find(stand_in_value_, from);
    if (written == read) return false;  // neither is there
    const std::string_view pair = text_.substr(*at, 2 * kHalf);
    const std::size_t next = std::min(written, read);
    out.append(value, from, next - from);
    out += written < read ? std::string(pair) : four_bytes(*pair_code(pair));
    from = next + (written < read ? stand_in_.size() : stand_in_value_.size());
  }
  value = out.append(value, from);
  return true;
}

}  // namespace belay::policy
