// Reads and writes times. Pure; no locale, no time zone but UTC.
#include "policy/text/time_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "policy/text/ascii.h"
#include "policy/text_form.h"

namespace belay::policy {
namespace {

/// Two digits at the front, at most `most`; taken off the text.
std::optional<int> take_two(std::string_view& text, int most) {
  if (text.size() < 2 || !is_digit(text[0]) || !is_digit(text[1])) return std::nullopt;
  const int number = (text[0] - '0') * 10 + (text[1] - '0');
  text.remove_prefix(2);
  return number <= most ? std::optional(number) : std::nullopt;
}

/// "Z", "+01:00"; the whole text.
std::optional<std::chrono::minutes> read_offset(std::string_view text) {
  if (text == "Z" || text == "z") return std::chrono::minutes(0);
  const bool west = text.starts_with('-');
  if (!west && !text.starts_with('+')) return std::nullopt;
  text.remove_prefix(1);
  const auto hours = take_two(text, 23);
  if (!hours || !take(text, ':')) return std::nullopt;
  const auto minutes = take_two(text, 59);
  if (!minutes || !text.empty()) return std::nullopt;
  const auto offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  return west ? -offset : offset;
}

void append_padded(std::string& out, int number, std::size_t width) {
  const std::string digits = std::to_string(number);
  if (digits.size() < width) out.append(width - digits.size(), '0');
  out += digits;
}

void append_day(std::string& out, std::chrono::sys_seconds time) {
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(time));
  append_padded(out, static_cast<int>(day.year()), 4);
  out += '-';
  append_padded(out, static_cast<int>(static_cast<unsigned>(day.month())), 2);
  out += '-';
  append_padded(out, static_cast<int>(static_cast<unsigned>(day.day())), 2);
}

/// Without the zone.
void append_second(std::string& out, std::chrono::sys_seconds time) {
  const std::chrono::hh_mm_ss clock(time - std::chrono::floor<std::chrono::days>(time));
  append_day(out, time);
  out += 'T';
  append_padded(out, static_cast<int>(clock.hours().count()), 2);
  out += ':';
  append_padded(out, static_cast<int>(clock.minutes().count()), 2);
  out += ':';
  append_padded(out, static_cast<int>(clock.seconds().count()), 2);
}

}  // namespace

std::optional<std::chrono::sys_seconds> parse_time(std::string_view text) {
  constexpr std::size_t kDayBytes = 10;
  const auto day = parse_day(text.substr(0, kDayBytes));
  if (!day) return std::nullopt;
  text.remove_prefix(kDayBytes);
  if (!take(text, 'T') && !take(text, 't')) return std::nullopt;
  const auto hour = take_two(text, 23);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_two(text, 59);
  if (!minute || !take(text, ':')) return std::nullopt;
  const auto second = take_two(text, 60);
  if (!second) return std::nullopt;
  if (take(text, '.')) {
    const auto* const end = std::find_if_not(text.begin(), text.end(), is_digit);
    if (end == text.begin()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
  }
  const auto offset = read_offset(text);
  if (!offset) return std::nullopt;
  return std::chrono::sys_days(*day) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(std::min(*second, 59)) - *offset;
}

std::string duration_text(std::chrono::seconds duration) {
  struct Unit {
    std::int64_t seconds;
    std::string_view name;
  };
  constexpr std::array<Unit, 3> kUnits = {{{86'400, " days"}, {3'600, " hours"}, {60, " minutes"}}};
  const std::int64_t seconds = duration.count();
  for (const Unit& unit : kUnits) {
    if (seconds >= 2 * unit.seconds) {
      return std::to_string(seconds / unit.seconds).append(unit.name);
    }
  }
  return std::to_string(seconds) + (seconds == 1 ? " second" : " seconds");
}

std::string day_text(std::chrono::sys_seconds time) {
  std::string text;
  append_day(text, time);
  return text;
}

std::string time_text(std::chrono::sys_seconds time) {
  std::string text;
  append_second(text, time);
  text += 'Z';
  return text;
}

void append_micro_time(std::string& out, std::chrono::system_clock::time_point time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  append_second(out, second);
  out += '.';
  const auto over = std::chrono::floor<std::chrono::microseconds>(time - second);
  append_padded(out, static_cast<int>(over.count()), 6);
  out += 'Z';
}

std::string micro_time_text(std::chrono::system_clock::time_point time) {
  std::string text;
  append_micro_time(text, time);
  return text;
}

}  // namespace belay::policy
