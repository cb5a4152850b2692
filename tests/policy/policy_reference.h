// The reference page of ImagePolicy in Markdown: every key and rule, from the description that the
// reader reads by. docs/policies.md has its output between two marks. Pure and thread-safe.
#pragma once

#include <string>

namespace belay::policy {

/// Tables of keys: the policy around the rules, the rules, exemptions.
std::string policy_reference();

}  // namespace belay::policy
