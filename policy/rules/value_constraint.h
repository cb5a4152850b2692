// Whether a label's value is one that a policy takes. Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "policy/policy.h"

namespace belay::policy {

/// What is wrong with a value, continuing it ("is not an allowed value of the label"), or "".
std::string problem_with(const ValueConstraint& constraint, std::string_view value);

/// What to write instead, for a fix: "verified or scanned", "<a value that fits [0-9]+>".
std::string wanted_value(const ValueConstraint& constraint);

}  // namespace belay::policy
