// Whether a policy accepts the value of a label. Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "policy/policy.h"
#include "policy/rules/offers.h"

namespace belay::policy {

/// What is wrong with a value, continuing it ("is not an allowed value of the label"), or "".
std::string problem_with(const ValueConstraint& constraint, std::string_view value);

/// What would be accepted, to choose from.
void offer_values(const ValueConstraint& constraint, LabelOffers& offers);

/// What to write instead, for a fix: "verified or scanned", "<a value that matches [0-9]+>".
std::string wanted_value(const ValueConstraint& constraint);

}  // namespace belay::policy
