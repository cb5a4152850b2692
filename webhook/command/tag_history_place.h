// The tag history as `belay tag-history` reaches it: in a file, or in the ConfigMaps of a
// cluster, which is asked as a person's kubectl would ask it. Stateless.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "webhook/tag_history/tag_record.h"

namespace belay::webhook::command {

/// Where the tag history is.
struct TagHistoryPlace {
  std::string file;            ///< --tag-history; "" for a cluster
  std::string kubeconfig;      ///< "": $KUBECONFIG, else this pod's, else ~/.kube/config
  std::string namespace_name;  ///< belay's; "": in a pod the pod's own, else belay-system
};

/// \return all that is remembered, and lines that are invalid, with the place where they stand; or
/// why
///     it can't be read, as a sentence
std::expected<tag_history::ReadRecords, std::string> read_tag_history(const TagHistoryPlace& place);

/// Forgets the tags that `wanted` picks, by record_key(). Other writers lose nothing.
/// \return what was forgotten; or what failed. `forgotten` holds what was forgotten before that.
struct ForgottenTags {
  tag_history::RecordMap forgotten;
  std::string failure;  ///< "" where all went well
};
ForgottenTags forget_tags(const TagHistoryPlace& place,
                          const std::function<bool(std::string_view key)>& wanted);

}  // namespace belay::webhook::command
