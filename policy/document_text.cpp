// Reads the text as bytes, before any YAML.
#include "policy/document_text.h"

#include <algorithm>

#include "policy/text/utf8.h"

namespace belay::policy {

std::size_t text_start(std::string_view text) { return text.starts_with("\xEF\xBB\xBF") ? 3 : 0; }

std::size_t break_length(std::string_view text, std::size_t offset) {
  const std::string_view rest = text.substr(std::min(offset, text.size()));
  if (rest.starts_with("\r\n")) return 2;
  const Utf8Character character = first_character(rest);
  return is_line_break(character.code) ? character.length : 0;
}

std::size_t find_break(std::string_view text, std::size_t offset) {
  constexpr std::string_view kStarts = "\n\r\xC2\xE2";
  while ((offset = text.find_first_of(kStarts, offset)) != std::string_view::npos) {
    if (break_length(text, offset) > 0) return offset;
    ++offset;
  }
  return text.size();
}

TextWalk::TextWalk(std::string_view text) : text_(text), at_(text_start(text)), line_start_(at_) {}

Position TextWalk::to_character(std::size_t count) {
  if (count < characters_) *this = TextWalk(text_);
  while (characters_ < count && at_ < text_.size()) step();
  return here();
}

Position TextWalk::to_byte(std::size_t offset) {
  if (offset < at_) *this = TextWalk(text_);
  while (at_ < offset && at_ < text_.size()) step();
  return here();
}

/// Over one character. "\r\n" is two, the second of which ends the line.
void TextWalk::step() {
  const char c = text_[at_++];
  while (at_ < text_.size() && (static_cast<unsigned char>(text_[at_]) & 0xC0U) == 0x80U) ++at_;
  ++characters_;
  if (c == '\n' || (c == '\r' && !text_.substr(at_).starts_with('\n'))) {
    ++line_;
    line_start_ = at_;
  }
}

Position TextWalk::here() const {
  return {at_, line_, static_cast<std::uint32_t>(at_ - line_start_) + 1};
}

namespace {

DocumentError bad_character(std::string_view text, std::size_t offset, char32_t code) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string message = is_control(code) ? "a control character (U+" : "an invalid character (U+";
  for (const unsigned shift : {12U, 8U, 4U, 0U}) message += kHex[(code >> shift) & 0xFU];
  message += ")";
  return {TextWalk(text).to_byte(offset), std::move(message)};
}

/// Whether this character is never allowed.
bool is_forbidden(char32_t code) {
  return is_noncharacter(code) || (is_control(code) && code != '\t' && !is_line_break(code));
}

}  // namespace

std::optional<DocumentError> find_bad_byte(std::string_view text) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    return DocumentError{{}, "is UTF-16, not UTF-8; save it as UTF-8"};
  }
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte < 0x7F) {  // nearly all of nearly every text
      ++i;
      continue;
    }
    if (byte == 0) {
      return DocumentError{TextWalk(text).to_byte(i), "a NUL byte; is this a text file?"};
    }
    const Utf8Character character = first_character(text.substr(i));
    if (character.length == 0) {
      return DocumentError{TextWalk(text).to_byte(i), "a byte that is not UTF-8"};
    }
    if (is_forbidden(character.code)) return bad_character(text, i, character.code);
    i += character.length;
  }
  return std::nullopt;
}

std::optional<DocumentError> find_many_directives(std::string_view text) {
  constexpr std::size_t kMost = 100;
  constexpr std::string_view kDirective = "%TAG";
  std::size_t count = 0;
  for (auto at = text.find(kDirective); at != std::string_view::npos;
       at = text.find(kDirective, at + 1)) {
    if (at > 0 && text[at - 1] != '\n' && text[at - 1] != '\r') continue;
    if (++count > kMost) {
      return DocumentError{TextWalk(text).to_byte(at),
                           "more than " + std::to_string(kMost) + " %TAG directives"};
    }
  }
  return std::nullopt;
}

}  // namespace belay::policy
