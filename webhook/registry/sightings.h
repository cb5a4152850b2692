// belay's memory of tags: what each pointed to when it was first admitted (rule tag-moved). Kept in
// ConfigMaps of belay's namespace (tag_history::SightingMaps), or in a file (SightingFile).
//
// Implementations are thread-safe; first() and saw() never block on a network or a disk: one thread
// writes behind them.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "policy/registry_facts.h"

namespace belay::webhook::registry {

class Sightings {
 public:
  virtual ~Sightings() = default;
  /// The first sighting of a tag, or nullopt where it is new; what was just seen counts at once.
  /// \param repository  canonical: "docker.io/library/nginx"
  /// \return why nothing can be said (not read yet), as a clause for people
  virtual std::expected<std::optional<policy::TagRecord>, std::string> first(
      std::string_view repository, std::string_view tag) const = 0;
  /// A tag was admitted. Only the first one counts; an older sighting that another replica wrote
  /// wins.
  virtual void saw(std::string_view repository, std::string_view tag,
                   const policy::TagRecord& sighting) = 0;
};

/// What befell the memory of tags, for the log. Must be thread-safe; called on writing threads.
struct SightingsNews {
  bool good = false;       ///< what went wrong before goes well again
  std::string_view place;  ///< a file, or "ConfigMap belay-system/belay-tag-history-3"
  std::string_view what;   ///< a clause for people, without any tag
};
using SightingsReport = std::function<void(const SightingsNews&)>;

}  // namespace belay::webhook::registry
