#include "webhook/tag_history/sighting_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <expected>
#include <utility>

#include "policy/image_reference.h"
#include "policy/text/time_text.h"

namespace belay::webhook::tag_history {
namespace {

constexpr std::string_view kHeading =
    "# tag, the digest it pointed to when it was first admitted, and when that was\n";
constexpr std::string_view kBlanks = " \t";
constexpr std::size_t kMaxProblems = 10;
constexpr std::size_t kTimeBytes = std::string_view("2026-11-22T20:59:46Z").size();
constexpr int kMaxYear = 9'999;

std::size_t line_bytes(const SightingMap::value_type& entry) {
  return entry.first.size() + entry.second.digest.size() + kTimeBytes + 3;  // two blanks, the end
}

/// The key that a tag in full is remembered under; "" where key and digest are no canonical
/// reference with both a tag and a digest.
std::string key_of(std::string_view key, std::string_view digest) {
  const std::string text = fmt::format("{}@{}", key, digest);
  const auto reference = policy::parse_image_reference(text);
  if (!reference || !reference->has_tag() || reference->digest != digest ||
      reference->canonical() != text) {
    return {};
  }
  return sighting_key(reference->repository_key(), reference->tag);
}

/// The first word of `rest`, which is taken off it together with the blanks around.
std::string_view next_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(kBlanks));
  rest.remove_prefix(word.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  return word;
}

/// \return what is wrong with the line, as a clause
std::expected<SightingMap::value_type, std::string_view> read_line(std::string_view line) {
  if (line.size() > kMaxSightingLine) return std::unexpected("is too long");
  const std::string_view key = next_word(line);
  const std::string_view digest = next_word(line);
  const std::string_view time = next_word(line);
  if (time.empty() || !line.empty()) {
    return std::unexpected("is not a tag, a digest and a time, separated by spaces");
  }
  const std::string remembered_as = key_of(key, digest);
  if (remembered_as.empty()) {
    return std::unexpected(
        "does not begin with a tag in full (docker.io/library/nginx:1.27) and a digest "
        "(sha256:…)");
  }
  const auto when = read_sighting_time(time);
  if (!when) return std::unexpected("does not end with a time such as 2026-11-22T20:59:46Z");
  return SightingMap::value_type{remembered_as, {std::string(digest), *when}};
}

}  // namespace

std::string sighting_key(std::string_view repository, std::string_view tag) {
  return fmt::format("{}:{}", repository, tag);
}

std::string_view repository_of(std::string_view key) { return key.substr(0, key.rfind(':')); }

std::string_view tag_of(std::string_view key) {
  const std::size_t colon = key.rfind(':');
  return colon == std::string_view::npos ? std::string_view() : key.substr(colon + 1);
}

bool can_be_written(std::string_view key, const policy::TagRecord& sighting) {
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(sighting.time));
  return day.year() >= std::chrono::year(0) && day.year() <= std::chrono::year(kMaxYear) &&
         key.size() + sighting.digest.size() + kTimeBytes + 2 <= kMaxSightingLine &&
         key_of(key, sighting.digest) == key;
}

std::optional<std::chrono::sys_seconds> read_sighting_time(std::string_view text) {
  const auto time = policy::parse_time(text);
  return time && policy::time_text(*time) == text ? time : std::nullopt;
}

ReadSightings read_sightings(std::string_view text) {
  ReadSightings read;
  std::size_t problems = 0;
  const auto report = [&](std::size_t line, std::string_view what) {
    if (++problems <= kMaxProblems) read.problems.push_back(fmt::format("line {} {}", line, what));
  };
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.starts_with('#') || line.find_first_not_of(kBlanks) == std::string_view::npos) {
      continue;
    }
    const auto entry = read_line(line);
    if (!entry) {
      report(number, entry.error());
      continue;
    }
    if (read.entries.contains(entry->first)) {
      report(number, "is about a tag that already has a line; the older one counts");
    }
    keep_older(read.entries, entry->first, entry->second);
  }
  if (problems > kMaxProblems) {
    read.problems.push_back(fmt::format("and {} more lines", problems - kMaxProblems));
  }
  return read;
}

std::string write_sightings(const SightingMap& entries) {
  std::string text;
  for (const auto& [key, sighting] : entries) {
    if (!can_be_written(key, sighting)) continue;
    if (text.empty()) text = kHeading;
    text += fmt::format("{} {} {}\n", key, sighting.digest, policy::time_text(sighting.time));
  }
  return text;
}

bool keep_older(SightingMap& entries, const std::string& key, const policy::TagRecord& sighting) {
  const auto [there, fresh] = entries.try_emplace(key, sighting);
  if (fresh) return true;
  if (there->second.time <= sighting.time) return false;
  there->second = sighting;
  return true;
}

std::size_t forget_oldest(SightingMap& entries, std::size_t max_entries, std::size_t max_bytes) {
  std::size_t bytes = kHeading.size();
  for (const auto& entry : entries) bytes += line_bytes(entry);
  if (entries.size() <= max_entries && bytes <= max_bytes) return 0;
  std::vector<SightingMap::const_iterator> oldest;
  oldest.reserve(entries.size());
  for (auto entry = entries.cbegin(); entry != entries.cend(); ++entry) oldest.push_back(entry);
  std::ranges::stable_sort(oldest, {}, [](const auto& entry) { return entry->second.time; });
  std::size_t forgotten = 0;
  for (const auto& entry : oldest) {
    if (entries.size() <= max_entries - max_entries / 20 && bytes <= max_bytes - max_bytes / 20) {
      break;
    }
    bytes -= line_bytes(*entry);
    entries.erase(entry);
    ++forgotten;
  }
  return forgotten;
}

}  // namespace belay::webhook::tag_history
