// What registries are asked about images before a verdict: the rules say so, policy by policy.
// Pure; thread-safe.
#pragma once

#include <vector>

#include "policy/facts.h"
#include "policy/policy.h"
#include "policy/registry_facts.h"
#include "policy/workload.h"

namespace belay::policy {

/// Which facts the rules of the policies that match ask registries for; fills `images` (cleared
/// first), one entry an image that is asked about, in their order. Nothing for images that an
/// UPDATE left alone, for placeholders, for texts that are no references, and for images that are
/// exempt from the rule. Costs next to nothing where no policy has such a rule.
void registry_needs(const PolicySet& policies, const Workload& workload, const Facts& facts,
                    std::vector<ImageNeed>& images);

}  // namespace belay::policy
