// Whether bytes are UTF-8, and which characters they are: of admission reviews and of policies and
// manifests. Pure, thread-safe.
#pragma once

#include <cstddef>
#include <string_view>

namespace belay::policy {

/// Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
/// Text that is all ASCII, as nearly every text is, is skipped eight bytes at a time.
bool is_utf8(std::string_view text);

/// A character and the bytes that it takes.
struct Utf8Character {
  std::size_t length = 0;
  char32_t code = 0;
};

/// \return the character that the text starts with; of length 0 where it starts with none.
Utf8Character first_character(std::string_view text);

/// C0 and C1 control characters and DEL (Unicode general category Cc).
constexpr bool is_control(char32_t code) { return code < 0x20 || (code >= 0x7F && code < 0xA0); }

/// The two of Unicode's noncharacters that YAML forbids (YAML 1.2.2, production c-printable).
constexpr bool is_noncharacter(char32_t code) { return code == 0xFFFE || code == 0xFFFF; }

/// What ends a line of YAML 1.1 (production b-char), the "\r\n" of two aside.
constexpr bool is_line_break(char32_t code) {
  return code == '\n' || code == '\r' || code == 0x85 || code == 0x2028 || code == 0x2029;
}

}  // namespace belay::policy
