// Versions and dates in tags. Pure and thread-safe, no allocation.
#include "policy/tag.h"

#include <algorithm>

#include "policy/text/ascii.h"

namespace belay::policy {
namespace {

bool is_identifier_byte(char c) { return is_alphanumeric(c) || c == '-'; }

bool all_digits(std::string_view text) { return std::all_of(text.begin(), text.end(), is_digit); }

bool has_leading_zero(std::string_view text) { return text.size() > 1 && text.front() == '0'; }

/// Takes a numeric identifier off the front: digits without a leading zero.
std::string_view take_number(std::string_view& text) {
  const std::size_t size =
      static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  const std::string_view number = text.substr(0, size);
  if (has_leading_zero(number)) return {};
  text.remove_prefix(size);
  return number;
}

/// Identifiers joined by ".": none empty; in a pre-release no number with a leading zero.
bool are_identifiers(std::string_view text, bool leading_zeros) {
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view identifier = text.substr(0, dot);
    if (identifier.empty()) return false;
    if (!std::all_of(identifier.begin(), identifier.end(), is_identifier_byte)) return false;
    if (!leading_zeros && all_digits(identifier) && has_leading_zero(identifier)) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

int to_number(std::string_view digits) {
  int value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return value;
}

}  // namespace

std::optional<SemVer> parse_semver(std::string_view text) {
  SemVer version;
  version.major = take_number(text);
  if (version.major.empty() || !take(text, '.')) return std::nullopt;
  version.minor = take_number(text);
  if (version.minor.empty() || !take(text, '.')) return std::nullopt;
  version.patch = take_number(text);
  if (version.patch.empty()) return std::nullopt;
  if (take(text, '-')) {
    const std::size_t plus = text.find('+');
    version.prerelease = text.substr(0, plus);
    if (!are_identifiers(version.prerelease, false)) return std::nullopt;
    text.remove_prefix(version.prerelease.size());
  }
  if (take(text, '+')) {
    version.build = text;
    if (!are_identifiers(version.build, true)) return std::nullopt;
    text = {};
  }
  if (!text.empty()) return std::nullopt;
  return version;
}

std::optional<std::chrono::year_month_day> parse_date(std::string_view text) {
  const bool dashed = text.size() == 10;
  if (!dashed && text.size() != 8) return std::nullopt;
  if (dashed && (text[4] != '-' || text[7] != '-')) return std::nullopt;
  const std::string_view year = text.substr(0, 4);
  const std::string_view month = text.substr(dashed ? 5 : 4, 2);
  const std::string_view day = text.substr(dashed ? 8 : 6, 2);
  if (!all_digits(year) || !all_digits(month) || !all_digits(day)) return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year(to_number(year)),
      std::chrono::month(static_cast<unsigned>(to_number(month))),
      std::chrono::day(static_cast<unsigned>(to_number(day)))};
  if (!date.ok()) return std::nullopt;
  return date;
}

}  // namespace belay::policy
