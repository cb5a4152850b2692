// belay's memory of tags as `belay tag-history` reaches it: in a file, or in the ConfigMaps of a
// cluster, which is asked as a person's kubectl would ask it. Stateless.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "webhook/tag_history/sighting_text.h"

namespace belay::webhook::command {

struct TagMemoryOptions {
  std::string file;            ///< --tag-history; "" for a cluster
  std::string kubeconfig;      ///< "": $KUBECONFIG, else this pod's, else ~/.kube/config
  std::string namespace_name;  ///< belay's; "": in a pod the pod's own, else belay-system
};

struct TagMemory {
  tag_history::SightingMap entries;
  std::vector<std::string> problems;  ///< lines that don't read, with the place where they stand
};

/// \return all that is remembered; or why it can't be read, as a sentence
std::expected<TagMemory, std::string> read_tag_memory(const TagMemoryOptions& options);

/// Forgets the tags that `wanted` picks, by sighting_key(). Other writers lose nothing.
/// \return what was forgotten; or what failed. `forgotten` holds what was forgotten before that.
struct TagsForgotten {
  tag_history::SightingMap forgotten;
  std::string failure;  ///< "" where all went well
};
TagsForgotten forget_tags(const TagMemoryOptions& options,
                          const std::function<bool(std::string_view key)>& wanted);

}  // namespace belay::webhook::command
