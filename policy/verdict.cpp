// Names of modes, and what a verdict's findings add up to. Pure.
#include "policy/verdict.h"

#include <algorithm>
#include <array>

namespace belay::policy {

std::string_view name_of(Mode mode) {
  static constexpr std::array<std::string_view, 3> kNames = {"audit", "warn", "enforce"};
  return kNames[static_cast<std::size_t>(mode)];
}

Decision Verdict::decision() const {
  if (!undecided.empty()) return Decision::kUndecided;
  return count(Mode::kEnforce) > 0 ? Decision::kDenied : Decision::kAllowed;
}

std::size_t Verdict::count(Mode mode) const {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [mode](const Finding& finding) { return finding.effective_mode() == mode; }));
}

void Verdict::clear() {
  findings.clear();
  policies.clear();
  expired.clear();
  undecided.clear();
}

}  // namespace belay::policy
