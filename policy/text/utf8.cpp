// UTF-8 by the table of RFC 3629 section 4: the lead byte says how many bytes follow and in which
// range the first of them must lie.
#include "policy/text/utf8.h"

#include <cstdint>
#include <cstring>

namespace belay::policy {
namespace {

struct Tail {
  unsigned count;  ///< bytes after the lead byte; 0: not a lead byte
  unsigned char low, high;
};

Tail tail_of(unsigned char lead) {
  if (lead >= 0xC2 && lead <= 0xDF) return {1, 0x80, 0xBF};
  if (lead == 0xE0) return {2, 0xA0, 0xBF};
  if (lead == 0xED) return {2, 0x80, 0x9F};
  if (lead >= 0xE1 && lead <= 0xEF) return {2, 0x80, 0xBF};
  if (lead == 0xF0) return {3, 0x90, 0xBF};
  if (lead >= 0xF1 && lead <= 0xF3) return {3, 0x80, 0xBF};
  if (lead == 0xF4) return {3, 0x80, 0x8F};
  return {0, 0, 0};
}

/// Of the sequence of several bytes that starts at `at`; 0 where there is none.
std::size_t length_at(const unsigned char* at, const unsigned char* end) {
  const Tail tail = tail_of(*at);
  if (tail.count == 0 || static_cast<std::size_t>(end - at) <= tail.count) return 0;
  if (at[1] < tail.low || at[1] > tail.high) return 0;
  for (unsigned i = 2; i <= tail.count; ++i) {
    if ((at[i] & 0xC0U) != 0x80U) return 0;
  }
  return tail.count + 1;
}

}  // namespace

Utf8Character first_character(std::string_view text) {
  if (text.empty()) return {};
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  if (*at < 0x80) return {1, *at};
  const std::size_t length = length_at(at, at + text.size());
  if (length == 0) return {};
  char32_t code = *at & (0xFFU >> (length + 1));  // behind as many ones as bytes, and a zero
  for (std::size_t i = 1; i < length; ++i) code = (code << 6U) | (at[i] & 0x3FU);
  return {length, code};
}

bool is_utf8(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080U;
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* const end = at + text.size();
  while (at != end) {
    while (end - at >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, sizeof word);
      if ((word & kHighBits) != 0) break;
      at += 8;
    }
    if (at == end) break;
    if (*at < 0x80) {
      ++at;
      continue;
    }
    const std::size_t length = length_at(at, end);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

}  // namespace belay::policy
