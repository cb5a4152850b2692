// Runs the rules of the policies that match an object: once for a verdict, and again for every fix
// that is tried. Pure; thread-safe.
#pragma once

#include <span>

#include "policy/facts.h"
#include "policy/policy_set.h"
#include "policy/rules/rule.h"

namespace belay::policy {

/// What stays the same however often rules run. Views of what outlives the evaluation.
struct RuleRun {
  std::span<const Policy* const> policies;  ///< that match
  std::span<const PolicyPlan> plans;        ///< of each of them
  const NamespaceFacts& ns;  ///< no labels where they are not known and no rule asks for them
  const Facts& facts;
  bool is_namespace = false;  ///< the object is a namespace: the rules of those run

  RuleMask rules_of(std::size_t policy) const {
    return is_namespace ? plans[policy].namespace_rules : plans[policy].rules;
  }
  Evaluation evaluation(std::size_t policy, const Workload& workload,
                        const EvaluatedImages& images) const {
    return {.policy = *policies[policy],
            .workload = workload,
            .images = images,
            .ns = ns,
            .facts = facts.images,
            .offline = facts.offline,
            .now = facts.now};
  }
};

/// Whether rules that ask registries run, too.
enum class Registries : bool { kLeaveOut, kAsk };

/// Adds the findings of all policies to the verdict.
/// \param images  of the workload; placeholders are marked policy by policy
/// \param within  the same images, within the budget
/// \return false where the budget ran out: what was found is of no use
bool run_rules(const RuleRun& run, const Workload& workload, std::span<EvaluatedImage> images,
               const EvaluatedImages& within, Registries registries, Verdict& verdict);

}  // namespace belay::policy
