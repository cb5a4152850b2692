// The rules, one row each, in the order in which findings are shown. RuleId, the id and the key of
// each rule, their number and the table in rules.cpp follow from these rows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// ROW(kMutableTag, mutable_tag): the id is "mutable-tag", the key in a policy "mutableTag", and
/// mutable_tag_rule() in mutable_tag.cpp describes the rule. Ids never change meaning.
#define BELAY_RULES(ROW)                            \
  ROW(kImageReference, image_reference)             \
  ROW(kTagRequired, tag_required)                   \
  ROW(kMutableTag, mutable_tag)                     \
  ROW(kTagFormat, tag_format)                       \
  ROW(kDigestRequired, digest_required)             \
  ROW(kRegistryAllowed, registry_allowed)           \
  ROW(kTeamPrefix, team_prefix)                     \
  ROW(kEnvironmentLabel, environment_label)         \
  ROW(kEnvironmentNamespace, environment_namespace) \
  ROW(kEnvironmentTag, environment_tag)             \
  ROW(kVersionLabel, version_label)                 \
  ROW(kRequiredLabels, required_labels)             \
  ROW(kImageLabels, image_labels)                   \
  ROW(kTagMoved, tag_moved)                         \
  ROW(kNamespaceEnvironment, namespace_environment)

namespace belay::policy {

#define BELAY_ENUMERATOR(id, name) id,
enum class RuleId : std::uint8_t { BELAY_RULES(BELAY_ENUMERATOR) };
#undef BELAY_ENUMERATOR

#define BELAY_ID(id, name) RuleId::id,
/// Every rule, in the order of the rows.
inline constexpr auto kRuleIds = std::to_array<RuleId>({BELAY_RULES(BELAY_ID)});
#undef BELAY_ID
inline constexpr std::size_t kRuleCount = kRuleIds.size();

/// "mutable-tag": the id in messages, metrics, SARIF and exemptions.
std::string_view name_of(RuleId id);
/// "mutableTag": the key in a policy.
std::string_view key_of(RuleId id);

/// A set of rules: the bit of a rule is its RuleId.
using RuleMask = std::uint32_t;
static_assert(kRuleCount <= 32, "a RuleMask has a bit for every rule");

constexpr RuleMask bit_of(RuleId id) { return RuleMask{1} << static_cast<unsigned>(id); }

}  // namespace belay::policy
