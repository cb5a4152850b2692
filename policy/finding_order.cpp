// The findings of several rules and policies, put in order, and one line for one cause. Pure.
#include "policy/finding_order.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <tuple>
#include <utility>

namespace belay::policy {

namespace {

bool in_order(const Finding& a, const Finding& b) {
  return std::tie(a.rule, a.place) < std::tie(b.rule, b.place);
}

bool same_finding(const Finding& a, const Finding& b) {
  return a.field == b.field && a.container == b.container && a.value == b.value &&
         a.problem == b.problem;
}

/// What the finding leads to, and how strict it would be had an UPDATE changed its field.
std::pair<Mode, Mode> strictness(const Finding& finding) {
  return {finding.effective_mode(), finding.mode};
}

/// Takes `other`, the same finding of another policy, into `finding`: the stricter of the two wins,
/// and its fix with it.
void merge(Finding& finding, Finding& other) {
  if (strictness(other) > strictness(finding)) {
    finding.mode = other.mode;
    finding.unchanged = other.unchanged;
    finding.fix = std::move(other.fix);
  }
  finding.policies.push_back(other.policies.front());
}

constexpr std::array<RuleId, 2> kCauses = {RuleId::kTagRequired, RuleId::kMutableTag};

bool is_effect(const Finding& finding) {
  return finding.rule == RuleId::kTagFormat || finding.rule == RuleId::kEnvironmentTag;
}

/// Adds the policies of `other`, each once, in the order of their names.
void add_policies(Finding& finding, const Finding& other) {
  for (const Policy* policy : other.policies) {
    if (std::ranges::find(finding.policies, policy) == finding.policies.end()) {
      finding.policies.push_back(policy);
    }
  }
  std::ranges::stable_sort(finding.policies, {},
                           [](const Policy* policy) -> const std::string& { return policy->name; });
}

}  // namespace

void order_and_merge(std::vector<Finding>& findings, const EvaluatedImages& images) {
  if (findings.size() < 2) return;
  std::stable_sort(findings.begin(), findings.end(), in_order);
  std::size_t kept = 0;
  std::size_t run = 0;  // start of the findings of one rule about one place
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (images.exhausted()) return;
    if (i == 0 || in_order(findings[kept - 1], findings[i])) run = kept;
    const auto end = findings.begin() + static_cast<std::ptrdiff_t>(kept);
    const auto same =
        std::find_if(findings.begin() + static_cast<std::ptrdiff_t>(run), end,
                     [&](const Finding& finding) { return same_finding(finding, findings[i]); });
    if (same != end) {
      merge(*same, findings[i]);
    } else {
      if (kept != i) findings[kept] = std::move(findings[i]);
      ++kept;
    }
  }
  findings.resize(kept);
}

void fold(std::vector<Finding>& findings) {
  // Causes come before effects, so none of them moves while effects are taken out.
  const auto effects = std::ranges::find_if(findings, is_effect);
  const auto key = [](const Finding& finding) { return std::pair(finding.rule, finding.place); };
  const auto cause_of = [&](const Finding& effect) -> Finding* {
    for (const RuleId rule : kCauses) {
      const std::pair wanted(rule, effect.place);
      auto cause = std::ranges::lower_bound(findings.begin(), effects, wanted, {}, key);
      for (; cause != effects && key(*cause) == wanted; ++cause) {
        if (cause->target == effect.target && strictness(*cause) >= strictness(effect)) {
          return &*cause;
        }
      }
    }
    return nullptr;
  };
  const auto is_folded = [&](const Finding& finding) {
    Finding* cause = is_effect(finding) ? cause_of(finding) : nullptr;
    if (cause != nullptr) add_policies(*cause, finding);
    return cause != nullptr;
  };
  findings.erase(std::remove_if(effects, findings.end(), is_folded), findings.end());
}

}  // namespace belay::policy
