// Which policies match an object: by the namespace's name and by its labels. Shared by everything
// that asks policies about a workload. Pure; thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>
#include <vector>

#include "policy/policy.h"
#include "policy/policy_set.h"
#include "policy/rules/rule.h"
#include "policy/workload.h"

namespace belay::policy {

bool matches_name(const Policy& policy, std::string_view namespace_name);

/// Whether the policy's namespaceSelector takes the object in. A namespace is taken in by the
/// labels it has as by those it would have: removing one must not end a policy in the same request.
/// \param ns  not nullptr where the policy has a selector and the object is not a namespace
bool is_selected(const Policy& policy, const Workload& workload, const NamespaceFacts* ns);

inline bool is_indexed(const PolicySet& set) {
  return set.index != nullptr && set.index->size() == set.policies.size();
}

/// Calls `visit(policy, plan)` for every policy that matches the namespace's name, in order; where
/// `labels` are given, policies that they rule out may be left out.
template <class Visit>
void for_named(const PolicySet& set, std::string_view namespace_name, const Labels* labels,
               const Visit& visit) {
  if (is_indexed(set)) {
    set.index->for_candidates(namespace_name, labels, [&](std::size_t i) {
      const Policy& policy = *set.policies[i];
      if (matches_name(policy, namespace_name)) visit(policy, set.index->plan(i));
    });
    return;
  }
  for (const auto& policy : set.policies) {
    if (matches_name(*policy, namespace_name)) visit(*policy, plan_of(*policy));
  }
}

/// Whether policies of this size together, all of which match, make so much work with the workload
/// that budget is asked again and again: most objects have a few images, and asking costs time.
bool is_much_work(std::size_t size, const Workload& workload);

/// Whether the policy ignores this image of the workload as a placeholder (templates only).
bool is_placeholder(const Policy& policy, const Workload& workload, std::string_view image);

/// Whether the exemption, expired or not, passes the image over for this rule in this namespace.
bool covers(const Exemption& exemption, RuleId rule, std::string_view namespace_name,
            const ImageReference& reference);

/// The same for exemptions that have not expired.
bool is_exempt(const Policy& policy, RuleId rule, std::string_view namespace_name,
               const ImageReference& reference, std::chrono::year_month_day today);

/// Whether any of the globs matches; none at all: every repository.
bool is_among(const std::vector<RepositoryGlob>& globs, const ImageReference& reference);

}  // namespace belay::policy
