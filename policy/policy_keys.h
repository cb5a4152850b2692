// The one description of an ImagePolicy, key by key. The reader, the JSON Schema and the reference
// page visit it; the settings of rules come out of the rules' own visit().
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "policy/policy.h"
#include "policy/settings.h"

namespace belay::policy {

inline constexpr std::string_view kApiVersion = "belay.dev/v1alpha1";
inline constexpr std::string_view kPolicyKind = "ImagePolicy";

/// What the keys around the rules need beside settings. Like SettingsVisitor: one call reads (or
/// describes) one key, absent values leave the target alone, nothing is thrown.
class PolicyVisitor : public SettingsVisitor {
 public:
  using Keys = std::function<void(PolicyVisitor&)>;
  using ElementKeys = std::function<void(PolicyVisitor&, std::size_t index)>;

  /// A key whose value must be this word.
  virtual void constant(const Key& key, std::string_view word) = 0;
  /// A mapping; `keys` visits its keys (of a reader: where it is present).
  virtual void section(const Key& key, const Keys& keys) = 0;
  /// A list of mappings; `keys` visits each of them (of a describer: one).
  virtual void sections(const Key& key, const ElementKeys& keys) = 0;
  /// A Kubernetes LabelSelector: matchLabels and matchExpressions.
  virtual void selector(const Key& key, LabelSelector& value) = 0;
  virtual void date(const Key& key, std::optional<std::chrono::year_month_day>& value) = 0;
  virtual void rule_ids(const Key& key, std::vector<RuleId>& value) = 0;
};

/// Visits every key of a policy, in the order in which they are documented.
void visit_policy(PolicyVisitor& visitor, Policy& policy);

}  // namespace belay::policy
