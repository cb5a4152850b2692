// The table of rules, made of the rows of rule_id.h and of what each rule file describes.
// Immutable; thread-safe.
#include <array>
#include <string_view>

#include "policy/rules/rule.h"

namespace belay::policy {

namespace {

/// A name made at compile time.
struct Name {
  static constexpr std::size_t kMaxBytes = 32;
  std::array<char, kMaxBytes> text{};
  std::size_t size = 0;

  constexpr std::string_view view() const { return {text.data(), size}; }
};

/// "mutable_tag" -> "mutable-tag".
constexpr Name with_dashes(std::string_view words) {
  Name name;
  for (const char c : words) name.text[name.size++] = c == '_' ? '-' : c;
  return name;
}

/// "mutable_tag" -> "mutableTag".
constexpr Name in_camel_case(std::string_view words) {
  Name name;
  bool upper = false;
  for (const char c : words) {
    if (c != '_') name.text[name.size++] = upper ? static_cast<char>(c - 'a' + 'A') : c;
    upper = c == '_';
  }
  return name;
}

#define BELAY_NAME(id, name) with_dashes(#name),
constexpr std::array<Name, kRuleCount> kNames = {BELAY_RULES(BELAY_NAME)};
#undef BELAY_NAME
#define BELAY_KEY(id, name) in_camel_case(#name),
constexpr std::array<Name, kRuleCount> kKeys = {BELAY_RULES(BELAY_KEY)};
#undef BELAY_KEY

RuleType with_names(RuleId id, RuleType type) {
  type.id = id;
  if (type.visit != nullptr) type.key = key_of(id);
  return type;
}

}  // namespace

std::string_view name_of(RuleId id) { return kNames[static_cast<std::size_t>(id)].view(); }

std::string_view key_of(RuleId id) { return kKeys[static_cast<std::size_t>(id)].view(); }

std::span<const RuleType> rule_types() {
#define BELAY_TYPE(id, name) with_names(RuleId::id, name##_rule()),
  static const std::array<RuleType, kRuleCount> kTable = {BELAY_RULES(BELAY_TYPE)};
#undef BELAY_TYPE
  return kTable;
}

}  // namespace belay::policy
