// The findings of several rules and policies, put in order, and one line for one cause. Pure.
#pragma once

#include <vector>

#include "policy/rules/rule.h"
#include "policy/verdict.h"

namespace belay::policy {

/// Puts findings in order, and makes one of those that several policies have in common: the
/// strictest of them wins. Stops where the budget of `images` runs out.
void order_and_merge(std::vector<Finding>& findings, const EvaluatedImages& images);

/// Folds findings of tag-format and environment-tag into the one of tag-required or mutable-tag
/// about the same image, where that is at least as strict: whoever gives the image another tag
/// cures both. The decision stays the same. \param findings  in order
void fold(std::vector<Finding>& findings);

}  // namespace belay::policy
