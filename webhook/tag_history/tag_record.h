// The written form of the tag history, one line a tag, made to be read in an editor and in
// `kubectl get configmap -o yaml`:
//
//   # tag, the digest it pointed to when it was first admitted, and when that was
//   docker.io/library/nginx:1.27 sha256:… 2026-11-22T20:59:46Z
//
// Lines stand in the order of their tags, so that two writings differ where what they say differs.
// Reading is strict: a line that is not exactly that is reported and kept out, and the others stay.
// Pure and thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/registry_facts.h"

namespace belay::webhook::tag_history {

/// First records by record_key().
using RecordMap = std::map<std::string, policy::TagRecord, std::less<>>;

inline constexpr std::size_t kMaxRecordLine = 1'024;  ///< bytes, without the line's end

/// \param repository  canonical: "docker.io/library/nginx"
/// \return "docker.io/library/nginx:1.27"
std::string record_key(std::string_view repository, std::string_view tag);
std::string_view repository_of(std::string_view key);
std::string_view tag_of(std::string_view key);

/// Whether a line can be written that reads back as the same: a canonical name, a tag, a digest by
/// the grammar, a year of four digits.
bool can_be_written(std::string_view key, const policy::TagRecord& record);

/// The time of a record, as policy::time_text() writes it and in no other form.
std::optional<std::chrono::sys_seconds> read_record_time(std::string_view text);

struct ReadRecords {
  RecordMap entries;
  /// "line 3: …", clauses for people without a word of the text; at most ten, then how many more.
  std::vector<std::string> problems;
};
/// Empty lines and those that begin with "#" are passed over. Of two lines for one tag the older
/// counts.
ReadRecords read_records(std::string_view text);

/// The text of all that can_be_written(); "" for none.
std::string write_records(const RecordMap& entries);

/// Takes a record in where the tag is new or was seen later until now. \return whether it did
bool keep_older(RecordMap& entries, const std::string& key, const policy::TagRecord& record);

/// Where there are more entries, or where their text is longer, than may be: forgets the oldest
/// until a twentieth of the room is free, so that it is not done (and told) with each new tag.
/// \return how many were forgotten
std::size_t forget_oldest(RecordMap& entries, std::size_t max_entries, std::size_t max_bytes);

}  // namespace belay::webhook::tag_history
