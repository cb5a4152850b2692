// What registries are asked about images before a verdict. Pure.
#include "policy/registry_needs.h"

#include <bit>
#include <chrono>
#include <cstddef>
#include <string_view>
#include <vector>

#include "policy/image_reference.h"
#include "policy/matching.h"
#include "policy/policy_set.h"
#include "policy/rules/rule.h"

namespace belay::policy {
namespace {

bool any(const ImageNeed& need) { return need.digest || need.metadata || need.record; }

/// A policy with its rules that ask registries.
struct Asking {
  const Policy* policy;
  RuleMask rules;
};

void ask_rules(const Asking& asking, std::string_view namespace_name,
               const ImageReference& reference, std::chrono::year_month_day today,
               ImageNeed& need) {
  for (RuleMask rules = asking.rules; rules != 0; rules &= rules - 1) {
    const RuleType& type = rule_types()[static_cast<std::size_t>(std::countr_zero(rules))];
    if (is_exempt(*asking.policy, type.id, namespace_name, reference, today)) continue;
    type.ask(*asking.policy, reference, need);
  }
}

}  // namespace

void registry_needs(const PolicySet& policies, const Workload& workload, const Facts& facts,
                    std::vector<ImageNeed>& images) {
  images.clear();
  if (workload.is_namespace || (is_indexed(policies) && !policies.index->asks_registries())) return;
  static constexpr NamespaceFacts kOutside;
  const NamespaceFacts* ns = workload.namespace_name.empty() ? &kOutside : facts.ns;
  std::vector<Asking> asking;
  std::size_t size = 0;
  for_named(policies, workload.namespace_name, ns == nullptr ? nullptr : &ns->labels,
            [&](const Policy& policy, const PolicyPlan& plan) {
              if (plan.registry_rules == 0 || (plan.needs_namespace && ns == nullptr)) return;
              if (!is_selected(policy, workload, ns)) return;
              asking.push_back({&policy, plan.registry_rules});
              size += policy.size;
            });
  if (asking.empty()) return;
  Budget* const budget = is_much_work(size, workload) ? facts.budget : nullptr;
  for (std::size_t i = 0; i < workload.pod.images.size(); ++i) {
    const ImageField& field = workload.pod.images[i];
    if (!workload.image_changed(field)) continue;
    if (budget != nullptr && budget->exhausted()) return images.clear();  // evaluate() says so
    const auto reference = parse_image_reference(field.image);
    if (!reference) continue;
    ImageNeed need{.image = i};
    for (const Asking& one : asking) {
      if (is_placeholder(*one.policy, workload, field.image)) continue;
      ask_rules(one, workload.namespace_name, *reference, facts.today, need);
    }
    if (any(need)) images.push_back(need);
  }
}

}  // namespace belay::policy
