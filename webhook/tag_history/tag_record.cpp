#include "webhook/tag_history/tag_record.h"

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

std::size_t line_bytes(const RecordMap::value_type& entry) {
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
  return record_key(reference->repository_key(), reference->tag);
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
std::expected<RecordMap::value_type, std::string_view> read_line(std::string_view line) {
  if (line.size() > kMaxRecordLine) return std::unexpected("is too long");
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
  const auto when = read_record_time(time);
  if (!when) return std::unexpected("does not end with a time such as 2026-11-22T20:59:46Z");
  return RecordMap::value_type{remembered_as, {std::string(digest), *when}};
}

}  // namespace

std::string record_key(std::string_view repository, std::string_view tag) {
  return fmt::format("{}:{}", repository, tag);
}

std::string_view repository_of(std::string_view key) { return key.substr(0, key.rfind(':')); }

std::string_view tag_of(std::string_view key) {
  const std::size_t colon = key.rfind(':');
  return colon == std::string_view::npos ? std::string_view() : key.substr(colon + 1);
}

bool can_be_written(std::string_view key, const policy::TagRecord& record) {
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(record.time));
  return day.year() >= std::chrono::year(0) && day.year() <= std::chrono::year(kMaxYear) &&
         key.size() + record.digest.size() + kTimeBytes + 2 <= kMaxRecordLine &&
         key_of(key, record.digest) == key;
}

std::optional<std::chrono::sys_seconds> read_record_time(std::string_view text) {
  const auto time = policy::parse_time(text);
  return time && policy::time_text(*time) == text ? time : std::nullopt;
}

ReadRecords read_records(std::string_view text) {
  ReadRecords read;
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

std::string write_records(const RecordMap& entries) {
  std::string text;
  for (const auto& [key, record] : entries) {
    if (!can_be_written(key, record)) continue;
    if (text.empty()) text = kHeading;
    text += fmt::format("{} {} {}\n", key, record.digest, policy::time_text(record.time));
  }
  return text;
}

bool keep_older(RecordMap& entries, const std::string& key, const policy::TagRecord& record) {
  const auto [there, fresh] = entries.try_emplace(key, record);
  if (fresh) return true;
  if (there->second.time <= record.time) return false;
  there->second = record;
  return true;
}

std::size_t forget_oldest(RecordMap& entries, std::size_t max_entries, std::size_t max_bytes) {
  std::size_t bytes = kHeading.size();
  for (const auto& entry : entries) bytes += line_bytes(entry);
  if (entries.size() <= max_entries && bytes <= max_bytes) return 0;
  std::vector<RecordMap::const_iterator> oldest;
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
