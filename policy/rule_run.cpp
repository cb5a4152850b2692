// Runs the rules of the policies that match an object. Pure.
#include "policy/rule_run.h"

#include <bit>
#include <cstddef>

#include "policy/matching.h"

namespace belay::policy {

namespace {

/// Findings of one object where the budget is limited: each takes some hundred bytes.
constexpr std::size_t kMaxFindings = 20'000;

/// Marks the images that the policy ignores.
/// \return whether any was marked.
bool mark_placeholders(const Policy& policy, const Workload& workload,
                       std::span<EvaluatedImage> images) {
  bool any = false;
  for (EvaluatedImage& image : images) {
    image.placeholder = is_placeholder(policy, workload, image.field->image);
    any = any || image.placeholder;
  }
  return any;
}

}  // namespace

bool run_rules(const RuleRun& run, const Workload& workload, std::span<EvaluatedImage> images,
               const EvaluatedImages& within, Registries registries, Verdict& verdict) {
  const std::span<const RuleType> types = rule_types();
  bool marked = false;
  for (std::size_t i = 0; i < run.policies.size(); ++i) {
    const Policy& policy = *run.policies[i];
    if (marked || !policy.placeholders.empty()) {
      marked = mark_placeholders(policy, workload, images);
    }
    const Evaluation evaluation = run.evaluation(i, workload, within);
    Findings findings(policy, workload, within, run.facts.today, verdict, run.facts.known_digests);
    RuleMask rules = run.rules_of(i);
    if (registries == Registries::kLeaveOut) rules &= ~run.plans[i].registry_rules;
    for (; rules != 0; rules &= rules - 1) {
      const auto id = static_cast<std::size_t>(std::countr_zero(rules));
      findings.begin(types[id].id, run.plans[i].modes[id]);
      types[id].evaluate(evaluation, findings);
      const bool too_many = run.facts.budget != nullptr && verdict.findings.size() > kMaxFindings;
      if (too_many || within.exhausted()) return false;
    }
  }
  return true;
}

}  // namespace belay::policy
