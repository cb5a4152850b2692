// What belay says about a ConfigMap with policies, in the annotation belay.dev/status: which of
// them are in force, which are invalid, and where in the text the errors are. Pure and thread-safe.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "webhook/policies/policy_files.h"

namespace belay::webhook::policies {

/// The policies of one ConfigMap, as far as they are in force, and what is wrong with the others.
struct ConfigMapVerdict {
  std::map<std::string, std::shared_ptr<const policy::Policy>> in_force;  ///< by key of the data
  std::set<std::string> kept;  ///< keys of `in_force` whose text no longer reads
  /// By key; `file` of each is "data[production.yaml]", or "data" for the ConfigMap as a whole.
  std::vector<PolicyProblem> problems;
};

/// An annotation is read in a terminal, and an Event may have no more (1,024 characters).
inline constexpr std::size_t kMaxStatusBytes = 1024;

/// A line for each thing to know, problems first, at most kMaxStatusBytes of them:
///     in force: production (revision 0123456789ab)
///     invalid, last good revision 0123456789ab of production stays in force:
///     data[production.yaml]:3:5: spec.rules.mutableTags: unknown key …
/// The same verdict has the same text on every replica.
std::string status_text(const ConfigMapVerdict& verdict);

}  // namespace belay::webhook::policies
