// What tags pointed to when they were first admitted (rule tag-moved), as the registry room asks
// for it and adds to it. The tag history (tag_history/tag_history.h) keeps it; a check has only
// read it.
//
// Implementations are thread-safe; first() and saw() never block on a network or a disk.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "policy/registry_facts.h"

namespace belay::webhook::registry {

class TagRecords {
 public:
  virtual ~TagRecords() = default;
  /// The first record of a tag, or nullopt where it is new; what was just seen counts at once.
  /// \param repository  canonical: "docker.io/library/nginx"
  /// \return why nothing can be said (not read yet), as a clause for people
  virtual std::expected<std::optional<policy::TagRecord>, std::string> first(
      std::string_view repository, std::string_view tag) const = 0;
  /// A tag was admitted. Only the first one counts; an older record that another replica wrote
  /// wins.
  virtual void saw(std::string_view repository, std::string_view tag,
                   const policy::TagRecord& record) = 0;
};

}  // namespace belay::webhook::registry
