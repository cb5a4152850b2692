#include "policy/scalar.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

#include "policy/document.h"
#include "policy/text/ascii.h"
#include "policy/text/utf8.h"

namespace belay::policy {
namespace {

constexpr std::string_view kTrue[] = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                      "True", "TRUE", "on",  "On",  "ON"};
constexpr std::string_view kFalse[] = {"n",     "N",     "no",  "No",  "NO", "false",
                                       "False", "FALSE", "off", "Off", "OFF"};
constexpr std::string_view kNull[] = {"", "~", "null", "Null", "NULL"};
constexpr std::string_view kNoNumber[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf", "+.INF",
                                          "-.inf", "-.Inf", "-.INF", ".nan",  ".NaN",  ".NAN"};

template <std::size_t N>
bool among(const std::string_view (&words)[N], std::string_view text) {
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

/// sign, base and digits of an integer in Go's base-0 notation.
struct Integer {
  bool negative = false;
  int base = 10;
  std::string digits;
};

/// \return whether the text is an integer; fills `out`.
bool parse_integer(std::string_view text, Integer& out) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    out.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text.empty() || !is_digit(text[0])) return false;
  if (text.size() > 1 && text[0] == '0') {
    const char mark = text[1];
    out.base = mark == 'x' || mark == 'X' ? 16 : mark == 'b' || mark == 'B' ? 2 : 8;
    const bool letter = out.base != 8 || mark == 'o' || mark == 'O';
    text.remove_prefix(letter ? 2 : 1);
  }
  for (const char c : text) {
    if (c == '_') continue;
    const int value = is_digit(c)              ? c - '0'
                      : (c >= 'a' && c <= 'f') ? c - 'a' + 10
                      : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                               : 99;
    if (value >= out.base) return false;
    out.digits += c;
  }
  return !out.digits.empty();
}

/// [-+]?[0-9]*\.?[0-9]*([eE][-+]?[0-9]+)? with a digit somewhere before the exponent.
bool is_float(std::string_view text) {
  std::size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  const std::size_t whole = at;
  at = skip_digits(text, at);
  std::size_t digits = at - whole;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction = at + 1;
    at = skip_digits(text, fraction);
    digits += at - fraction;
  }
  if (digits == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    const std::size_t exponent = at;
    at = skip_digits(text, at);
    if (at == exponent) return false;
  }
  return at == text.size();
}

/// What JSON allows in a string, but only escaped, or YAML does not, or takes for a line break.
bool is_escaped(char32_t code) {
  return is_control(code) || is_line_break(code) || is_noncharacter(code);
}

void append_string(std::string_view text, std::string& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c >= ' ' && c <= '~') {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
      ++at;
      continue;
    }
    const Utf8Character character = first_character(text.substr(at));
    const std::size_t length = std::max<std::size_t>(character.length, 1);
    if (c == '\n') {
      out += "\\n";
    } else if (character.length > 0 && is_escaped(character.code)) {
      out += "\\u";
      for (const unsigned shift : {12U, 8U, 4U, 0U}) out += kHex[(character.code >> shift) & 0xFU];
    } else {
      out.append(text, at, length);
    }
    at += length;
  }
  out += '"';
}

void append_integer(std::string_view text, std::string& out) {
  Integer integer;
  parse_integer(text, integer);
  std::uint64_t value = 0;
  const char* end = integer.digits.data() + integer.digits.size();
  const auto read = std::from_chars(integer.digits.data(), end, value, integer.base);
  const bool fits = read.ec == std::errc();  // else the value is left as it was
  if (integer.negative && (!fits || value != 0)) out += '-';
  if (fits) {
    out += std::to_string(value);
  } else if (integer.base == 10) {
    out += integer.digits;  // JSON has no bound on digits
  } else {
    out += "1e999";  // no leading zeros, no base: too large for any other notation
  }
}

void append_float(std::string_view text, std::string& out) {
  const std::string plain(text);
  const double value = std::strtod(plain.c_str(), nullptr);
  if (!std::isfinite(value)) {  // as an integer beyond all bounds is written
    out += value < 0 ? "-1e999" : "1e999";
    return;
  }
  char buffer[40];
  // Zero has no sign, as an integer has none.
  const auto end =
      std::to_chars(std::begin(buffer), std::end(buffer), value == 0 ? 0.0 : value).ptr;
  out.append(std::begin(buffer), end);
}

void append_scalar(const Node& node, bool key, std::string& out) {
  const auto meaning = node.plain ? scalar_meaning(node.text) : ScalarMeaning::kText;
  if (meaning == ScalarMeaning::kText || (key && meaning == ScalarMeaning::kNull)) {
    append_string(node.text, out);
    return;
  }
  if (key) out += '"';
  switch (meaning) {
    case ScalarMeaning::kBool:
      out += among(kTrue, node.text) ? "true" : "false";
      break;
    case ScalarMeaning::kInteger:
      append_integer(node.text, out);
      break;
    case ScalarMeaning::kFloat:
      append_float(node.text, out);
      break;
    default:
      out += "null";
      break;
  }
  if (key) out += '"';
}

}  // namespace

ScalarMeaning scalar_meaning(std::string_view text) {
  if (text.empty()) return ScalarMeaning::kNull;
  // Every word and number below starts with one of these; most texts end here.
  constexpr std::string_view kStarts = "yYnNtTfFoO~.+-0123456789";
  if (kStarts.find(text[0]) == std::string_view::npos) return ScalarMeaning::kText;
  if (text.size() <= 5) {
    if (among(kTrue, text) || among(kFalse, text)) return ScalarMeaning::kBool;
    if (among(kNull, text)) return ScalarMeaning::kNull;
    if (among(kNoNumber, text)) return ScalarMeaning::kFloat;
  }
  if (kStarts.find(text[0]) < kStarts.find('.')) return ScalarMeaning::kText;
  Integer integer;
  if (parse_integer(text, integer)) return ScalarMeaning::kInteger;
  return is_float(text) ? ScalarMeaning::kFloat : ScalarMeaning::kText;
}

bool Node::is_text() const {
  return kind == Kind::kScalar && (!plain || scalar_meaning(text) == ScalarMeaning::kText);
}

bool Node::is_bool() const {
  return kind == Kind::kScalar && plain && scalar_meaning(text) == ScalarMeaning::kBool;
}

bool Node::bool_value() const { return is_bool() && among(kTrue, text); }

bool Node::is_number() const {
  if (kind != Kind::kScalar || !plain) return false;
  const auto meaning = scalar_meaning(text);
  return meaning == ScalarMeaning::kInteger || meaning == ScalarMeaning::kFloat;
}

const Node* Node::find(std::string_view key) const {
  if (kind != Kind::kMapping) return nullptr;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].text == key) return &items[i];
  }
  return nullptr;
}

void append_json(const Node& node, std::string& out) {
  switch (node.kind) {
    case Node::Kind::kNull:
      out += "null";
      break;
    case Node::Kind::kScalar:
      append_scalar(node, false, out);
      break;
    case Node::Kind::kSequence:
      out += '[';
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        if (i > 0) out += ',';
        append_json(node.items[i], out);
      }
      out += ']';
      break;
    case Node::Kind::kMapping:
      out += '{';
      for (std::size_t i = 0; i < node.keys.size(); ++i) {
        if (i > 0) out += ',';
        append_scalar(node.keys[i], true, out);
        out += ':';
        append_json(node.items[i], out);
      }
      out += '}';
      break;
  }
}

}  // namespace belay::policy
