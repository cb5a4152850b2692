// Orders and indexes the policies in force. Runs when policies are loaded, never for a request.
#include "policy/policy_set.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "policy/rules/rule.h"

namespace belay::policy {

namespace {

/// The only namespaces that a policy can match, or none where it is more than a list of names.
std::vector<std::string_view> literal_namespaces(const Policy& policy) {
  if (!policy.only_namespace.empty()) return {policy.only_namespace};
  std::vector<std::string_view> names;
  if (policy.match.namespace_globs.empty()) return names;
  for (const std::string& glob : policy.match.namespaces) {
    if (glob.starts_with('!')) continue;
    if (glob.find_first_of("*?") != std::string::npos) return {};
    names.emplace_back(glob);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

/// How many policies ask for a label with a value.
using PairCounts = std::map<std::pair<std::string_view, std::string_view>, std::size_t>;

void count_pairs(const Policy& policy, PairCounts& counts) {
  for (const auto& requirement : policy.match.namespace_selector.requirements()) {
    if (requirement.op != LabelSelector::Operator::kIn) continue;
    for (const std::string& value : requirement.values) ++counts[{requirement.key, value}];
  }
}

/// The requirement that few other policies share, or nullptr where none names values: the better a
/// pair tells policies apart, the fewer are looked at.
const LabelSelector::Requirement* rarest(const Policy& policy, const PairCounts& counts) {
  const LabelSelector::Requirement* best = nullptr;
  std::size_t fewest = 0;
  for (const auto& requirement : policy.match.namespace_selector.requirements()) {
    if (requirement.op != LabelSelector::Operator::kIn || requirement.values.empty()) continue;
    std::size_t sharers = 0;
    for (const std::string& value : requirement.values) {
      sharers += counts.at({requirement.key, value});
    }
    if (best == nullptr || sharers < fewest) {
      best = &requirement;
      fewest = sharers;
    }
  }
  return best;
}

}  // namespace

PolicyPlan plan_of(const Policy& policy) {
  PolicyPlan plan;
  plan.pins = policy.pin.enabled;
  plan.needs_namespace = !policy.match.namespace_selector.empty();
  for (const RuleType& type : rule_types()) {
    if (!type.enabled(policy)) continue;
    const auto position = static_cast<std::size_t>(type.id);
    (type.subject == Subject::kNamespace ? plan.namespace_rules : plan.rules) |= bit_of(type.id);
    if (type.ask != nullptr) plan.registry_rules |= bit_of(type.id);
    plan.modes[position] = type.mode(policy).value_or(policy.mode);
    plan.needs_namespace = plan.needs_namespace || type.needs_namespace(policy);
  }
  return plan;
}

PolicyIndex::PolicyIndex(std::span<const std::shared_ptr<const Policy>> policies) {
  PairCounts counts;
  for (const auto& policy : policies) count_pairs(*policy, counts);
  std::set<std::vector<std::string>> known_names;
  bool takes_all = false;
  plans_.reserve(policies.size());
  for (const auto& policy : policies) {
    const auto position = static_cast<std::uint32_t>(plans_.size());
    const PolicyPlan& plan = plans_.emplace_back(plan_of(*policy));
    asks_registries_ = asks_registries_ || plan.registry_rules != 0;
    pins_ = pins_ || plan.pins;
    const std::vector<std::string_view> names = literal_namespaces(*policy);
    for (const std::string_view name : names) by_name_[std::string(name)].push_back(position);
    if (!names.empty()) continue;
    const LabelSelector::Requirement* requirement = rarest(*policy, counts);
    if (requirement == nullptr) {
      anywhere_.push_back(position);
      continue;
    }
    labelled_.push_back(position);
    for (const std::string& value : requirement->values) {
      Positions& found = by_label_[requirement->key][value];
      if (found.empty() || found.back() != position) found.push_back(position);
    }
    const Match& match = policy->match;
    const bool any_name = match.namespaces.size() == 1 && match.namespaces.front() == "*";
    takes_all = takes_all || any_name || match.namespace_globs.empty();
    if (known_names.insert(match.namespaces).second) {
      labelled_names_.push_back(match.namespace_globs);
    }
  }
  if (takes_all) labelled_names_.clear();
}

bool PolicyIndex::asks_for_labels(std::string_view namespace_name) const {
  if (labelled_.empty() || labelled_names_.empty()) return !labelled_.empty();
  return std::any_of(labelled_names_.begin(), labelled_names_.end(),
                     [&](const NameGlobs& globs) { return globs.matches(namespace_name); });
}

void PolicyIndex::pick(std::span<const std::uint32_t> named, const Labels* labels,
                       std::pmr::vector<std::uint32_t>& out) const {
  out.assign(named.begin(), named.end());
  if (labels == nullptr) {
    out.insert(out.end(), labelled_.begin(), labelled_.end());
  } else {
    for (const Label& label : *labels) {
      const auto values = by_label_.find(label.key);
      if (values == by_label_.end()) continue;
      const auto found = values->second.find(label.value);
      if (found == values->second.end()) continue;
      out.insert(out.end(), found->second.begin(), found->second.end());
    }
  }
  std::sort(out.begin(), out.end());
  // A key that stood twice among the labels would name its policies twice.
  out.erase(std::unique(out.begin(), out.end()), out.end());
}

PolicySet make_policy_set(std::vector<std::shared_ptr<const Policy>> policies) {
  std::stable_sort(policies.begin(), policies.end(), [](const auto& a, const auto& b) {
    return std::tie(a->name, a->only_namespace) < std::tie(b->name, b->only_namespace);
  });
  PolicySet set;
  set.index = std::make_shared<const PolicyIndex>(policies);
  set.policies = std::move(policies);
  return set;
}

}  // namespace belay::policy
