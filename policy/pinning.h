// Which images of a workload are to be pinned to digests, and what becomes of their texts
// (docs/pinning.md). Pure; thread-safe.
//
// Pinned are all Pods, and templates that no controller owns; Jobs on CREATE only;
// nothing that is being deleted, and no image that an UPDATE left alone: a new text would restart
// what runs, whoever touched a label of it. Placeholders, references with a digest, without a tag
// or that do not parse are left as they are: rules report what is wrong with them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "policy/evaluate.h"
#include "policy/policy.h"
#include "policy/workload.h"

namespace belay::policy {

/// One image that a policy wants pinned.
struct Pin {
  std::size_t image = 0;  ///< index into Workload::pod.images
  /// The digest that stood in the old object for the same repository and tag under the same list
  /// and container name: taken again without asking anyone. "" where there is none. Borrows from
  /// the workload.
  std::string_view reused_digest;
  OnRegistryError on_error = OnRegistryError::kAllow;  ///< kDeny where any of the policies says so
};

/// Whether any policy may want anything of the workload pinned; cheap, no labels needed.
bool may_pin(const PolicySet& policies, const Workload& workload);

/// Whether deciding what to pin needs the labels of the workload's namespace.
bool pinning_needs_namespace(const PolicySet& policies, const Workload& workload);

/// The images to pin, in the order of the workload's images. \param facts  `ns` and `budget` are
/// read. `pins` is cleared first and its capacity reused.
/// \return false where budget ran out: `pins` is then of no use
bool plan_pins(const PolicySet& policies, const Workload& workload, const Facts& facts,
               std::vector<Pin>& pins);

/// The same where the labels of the namespace can't be learned: what would be pinned if they were
/// those that every policy asks for.
bool plan_possible_pins(const PolicySet& policies, const Workload& workload, const Facts& facts,
                        std::vector<Pin>& pins);

/// "shop/web:v1" and "sha256:…" -> "shop/web:v1@sha256:…": the user's spelling, and the digest.
/// \return "" unless `image` is a reference with tag and without digest, and `digest` one that the
///     grammar takes: what comes back always parses, to the same repository and tag.
std::string pinned(std::string_view image, std::string_view digest);

}  // namespace belay::policy
