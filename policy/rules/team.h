// The team of a namespace and the prefixes it may use. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/rules/rule.h"

namespace belay::policy {

/// By the namespace's label, else by its name; "" where neither speaks.
std::string_view team_of_namespace(const TeamPrefixSettings& settings, const Judgement& judgement);

/// As listed, else "<team>-". Never empty.
std::vector<std::string> prefixes_of_team(const TeamPrefixSettings& settings,
                                          std::string_view team);

}  // namespace belay::policy
