// The memory of tags in a file (--tag-history PATH), for a belay outside a cluster: the text of
// sighting_text.h. Read at the start, written anew and whole by one thread: into PATH.new (mode
// 0600), fsync, then rename, so that whoever reads it finds the old text or the new one. What other
// programs write is taken up: `belay tag-history clear`, a second belay, an editor.
//
// Who changes the file holds a lock on its directory, so that no two changes lose each other's
// lines; an editor knows of no lock, and of two who save at once the later wins.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "webhook/registry/sightings.h"
#include "webhook/tag_history/sighting_text.h"

namespace belay::webhook::tag_history {

inline constexpr std::size_t kMaxSightingFile = std::size_t{64} << 20U;  ///< bytes that are read

/// \return the file's lines; or why it can't be read, as a sentence that names it
std::expected<ReadSightings, std::string> read_sighting_file(const std::string& path);

/// Changes the file under the lock: `change` gets what it says (nothing where there is no file) and
/// returns whether that is to be written. Waits for the lock 5 s at most. Lines that did not read
/// are lost when the file is written. Thread-safe, between processes too.
/// \return what the file says now
std::expected<ReadSightings, std::string> change_sighting_file(
    const std::string& path, const std::function<bool(SightingMap&)>& change);

struct SightingFileOptions {
  std::size_t max_entries = 100'000;  ///< the oldest go first
  std::size_t max_waiting = 10'000;   ///< that wait to be written; further ones are not remembered
  std::chrono::milliseconds look{1'000};   ///< from one look at the file to the next
  std::chrono::milliseconds batch{1'000};  ///< that a sighting waits for others to come along
  std::chrono::milliseconds backoff_max{30'000};  ///< after failures; the first pause is `batch`
};

class SightingFile final : public registry::Sightings {
 public:
  /// Reads the file; one that is not there is an empty memory, and is written with the first tag.
  /// \param report  told of broken lines, of what was forgotten and of what could not be written
  /// \return why the file can't be read, or its directory not be written, as a sentence
  static std::expected<std::unique_ptr<SightingFile>, std::string> open(
      const std::string& path, const SightingFileOptions& options,
      registry::SightingsReport report);
  ~SightingFile() override;  ///< writes what still waits
  SightingFile(const SightingFile&) = delete;
  SightingFile& operator=(const SightingFile&) = delete;

  std::expected<std::optional<policy::TagRecord>, std::string> first(
      std::string_view repository, std::string_view tag) const override;
  void saw(std::string_view repository, std::string_view tag,
           const policy::TagRecord& sighting) override;

 private:
  class Impl;
  explicit SightingFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::tag_history
