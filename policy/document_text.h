// The bytes of a YAML or JSON text: which are not allowed, and the position of a byte. Used by
// document.cpp alone, before and beside the parser. Pure and thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "policy/document.h"

namespace belay::policy {

/// Offset of the first byte after a byte order mark.
std::size_t text_start(std::string_view text);

/// Bytes of the line break at `offset`, 0 where there is none. Besides "\n", "\r" and both,
/// U+0085, U+2028 and U+2029 are breaks, as libyaml has them (YAML 1.1, production b-char).
std::size_t break_length(std::string_view text, std::size_t offset);

/// Offset of the first such line break from `offset` on, or the text's end.
std::size_t find_break(std::string_view text, std::size_t offset);

/// Walks over a text and says where it is. A walk in the order of the text sees each byte once; a
/// step back starts again.
class TextWalk {
 public:
  /// \param text  UTF-8; outlives the walk
  explicit TextWalk(std::string_view text);

  /// \param count  of characters in front, not counting a byte order mark
  /// \return the place behind them, or the text's end
  Position to_character(std::size_t count);
  /// \param offset  the first byte of a character
  Position to_byte(std::size_t offset);

 private:
  void step();
  Position here() const;

  std::string_view text_;
  std::size_t at_;
  std::size_t characters_ = 0;
  std::size_t line_start_;
  std::uint32_t line_ = 1;
};

/// \return the first thing that is not allowed: bytes that are not UTF-8, control characters other
/// than tab and line break, U+FFFE and U+FFFF (YAML 1.2.2, production c-printable).
std::optional<DocumentError> find_bad_byte(std::string_view text);

/// \return an error where a text has so many %TAG directives that libyaml, which compares each with
/// each, would take long over them
std::optional<DocumentError> find_many_directives(std::string_view text);

}  // namespace belay::policy
