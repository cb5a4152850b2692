// The one table of rules, in the order in which findings are shown. Immutable; thread-safe.
#include <array>

#include "policy/rules/rule.h"

namespace belay::policy {

std::span<const RuleType> rule_types() {
  static const std::array<RuleType, kRuleCount> kTable = {
      image_reference_rule(), tag_required_rule(),      mutable_tag_rule(),
      tag_format_rule(),      digest_required_rule(),   registry_allowed_rule(),
      team_prefix_rule(),     environment_label_rule(), environment_namespace_rule(),
      environment_tag_rule(), version_label_rule(),     required_labels_rule(),
      image_labels_rule(),    tag_moved_rule(),         namespace_environment_rule(),
  };
  return kTable;
}

}  // namespace belay::policy
