// Findings and the verdict made of them. Three outcomes are kept apart: allowed, denied, could not
// decide. Plain values; no synchronisation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/fix.h"
#include "policy/rules/rule_id.h"

namespace belay::policy {

struct Policy;

/// What a finding leads to. Ordered from lax to strict, so that std::max picks the stricter.
enum class Mode : std::uint8_t {
  kAudit,    ///< admit, count and log
  kWarn,     ///< admit with a warning
  kEnforce,  ///< deny
};
std::string_view name_of(Mode mode);

/// One problem, in parts that message.cpp puts together. Strings have user text unescaped; it is
/// escaped when it is shown.
struct Finding {
  RuleId rule = RuleId::kImageReference;
  Mode mode = Mode::kEnforce;  ///< strictest mode of the policies that report it
  bool unchanged = false;      ///< an UPDATE left it as it was: admitted, shown as a warning
  std::uint32_t place = 0;     ///< orders the findings of a rule: images as they run, then labels
  Target target;               ///< the field as data
  std::string field;           ///< the same for people: "spec.containers[0].image"
  std::string container;       ///< container or volume name, "" for labels
  std::string value;           ///< offending text; meaningful where has_value
  bool has_value = false;
  std::string problem;                  ///< continues the value: `has tag "latest", which can move`
  Fix fix;                              ///< fix_text() makes a sentence of it
  std::vector<const Policy*> policies;  ///< that report it, in the order of their names

  /// enforce unless unchanged; an unchanged enforce finding acts as a warning.
  Mode effective_mode() const { return unchanged && mode == Mode::kEnforce ? Mode::kWarn : mode; }
};

enum class Decision : std::uint8_t { kAllowed, kDenied, kUndecided };

/// An exemption that was ignored because it had expired.
struct ExpiredExemption {
  const Policy* policy;
  std::size_t index;  ///< into Policy::exemptions
};

struct Verdict {
  std::vector<Finding> findings;          ///< stable order: rule, then place in the object
  std::vector<const Policy*> policies;    ///< that matched the object, by name
  std::vector<ExpiredExemption> expired;  ///< that would have covered a finding
  std::string undecided;                  ///< why no decision could be made; "" otherwise

  Decision decision() const;
  /// Findings that act in this mode (effective_mode).
  std::size_t count(Mode mode) const;
  void clear();
};

}  // namespace belay::policy
