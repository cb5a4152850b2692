// Finds values that cure findings: for every field of a finding one value that all rules in force
// accept, tried on the rules themselves, so that an object changed as its denial says is admitted.
// Runs once there is a finding. Pure; thread-safe.
#pragma once

#include <vector>

#include "policy/rule_run.h"
#include "policy/verdict.h"
#include "policy/workload.h"

namespace belay::policy {

/// Fills in the changes of the findings' fixes. The findings that deny get changes that work
/// together; where there are none, their fixes name the obstacle. Where the budget runs out, or
/// there are too many findings, some fixes are left with words alone.
/// \param findings  of this run, in order
void find_fixes(const RuleRun& run, const Workload& workload, const EvaluatedImages& within,
                std::vector<Finding>& findings);

}  // namespace belay::policy
