// What became of a look at policies, in files or in ConfigMaps: for log and metrics.
#pragma once

#include <cstddef>
#include <vector>

#include "webhook/policies/policy_files.h"

namespace belay::webhook::policies {

struct ReloadReport {
  std::size_t in_force = 0;
  std::size_t kept = 0;  ///< of these: last good versions of texts that are invalid now
  std::vector<PolicyProblem> problems;
};

}  // namespace belay::webhook::policies
