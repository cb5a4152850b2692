// The policies in force: those of files and those of the cluster's ConfigMaps, put together as one
// set. Each source publishes into its own snapshot, at its own time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "policy/policy.h"
#include "webhook/system/snapshot.h"

namespace belay::webhook::serve {

/// Where a set of policies comes from.
enum class PolicyOrigin : std::uint8_t { kFiles, kCluster };
inline constexpr std::size_t kPolicyOrigins = static_cast<std::size_t>(PolicyOrigin::kCluster) + 1;

struct MergedPolicies {
  Snapshot<policy::PolicySet> files;
  Snapshot<policy::PolicySet> cluster;
  Snapshot<policy::PolicySet> in_force;  ///< what requests are evaluated by

  /// Publishes what both sources say now. One thread at a time; readers are never held up.
  void merge();
};

}  // namespace belay::webhook::serve
