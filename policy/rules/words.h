// Words that the texts of findings are made of. Pure; user text goes in unescaped, as Finding says.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "policy/policy.h"
#include "policy/text/quote.h"  // the words of every finding

namespace belay::policy {

/// "a", "a or b", "a, b or c"; at most eight, then "and 3 more".
std::string one_of(std::span<const std::string> words);
/// The same for the patterns of globs.
std::string one_of(std::span<const RepositoryGlob> globs);

}  // namespace belay::policy
