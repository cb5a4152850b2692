// Notes on a valid policy: exemptions near their end, settings without effect.
// Advice for `belay lint`, never an error. Pure and thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "policy/policy.h"

namespace belay::policy {

/// Exemptions that end within this many days get a note.
inline constexpr std::chrono::days kExemptionWarning{14};

/// \param today  UTC
/// \return sentences, in the order of the document.
std::vector<std::string> policy_notes(const Policy& policy, std::chrono::year_month_day today);

}  // namespace belay::policy
