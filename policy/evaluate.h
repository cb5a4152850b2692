// policies × workload -> verdict. Pure and thread-safe; the one way to a decision, whoever asks
// (server, review, check).
//
// What a verdict rests on beside the object comes in as Facts. needs() and registry_needs() say
// beforehand which facts are needed, so that the caller fetches them and evaluate() never blocks.
#pragma once

#include "policy/facts.h"
#include "policy/policy.h"
#include "policy/verdict.h"
#include "policy/workload.h"

namespace belay::policy {

/// Facts that the verdict on a workload needs.
struct Needs {
  bool namespace_labels = false;  ///< a policy that may match looks at them
};
Needs needs(const PolicySet& policies, const Workload& workload);

/// Evaluates one workload, or one namespace by the rules of namespaces. `verdict` is cleared first
/// and its capacity reused. Where no policy matches, the object is allowed, with no policies
/// listed. Where the budget runs out the verdict is "undecided", or "allowed" for an UPDATE that
/// changes nothing that rules look at.
void evaluate(const PolicySet& policies, const Workload& workload, const Facts& facts,
              Verdict& verdict);

}  // namespace belay::policy
