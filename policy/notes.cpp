#include "policy/notes.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "policy/rules/rule.h"
#include "policy/text/time_text.h"

namespace belay::policy {
namespace {

using Notes = std::vector<std::string>;

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool enabled(const Policy& policy, RuleId id) {
  const auto types = rule_types();
  const auto type =
      std::find_if(types.begin(), types.end(), [id](const RuleType& row) { return row.id == id; });
  return type != types.end() && type->enabled(policy);
}

void note_rules(const Policy& policy, Notes& notes) {
  const Rules& rules = policy.rules;
  const auto mode = [&](const RuleSettings& rule) { return rule.mode.value_or(policy.mode); };
  if (rules.tag_required && rules.digest_required && rules.digest_required->images.empty() &&
      mode(*rules.digest_required) >= mode(*rules.tag_required)) {
    notes.emplace_back("tagRequired has no effect: digestRequired already covers all images");
  }
  if (rules.tag_required && rules.mutable_tag &&
      mode(*rules.tag_required) < mode(*rules.mutable_tag) &&
      rules.mutable_tag->globs.matches("latest")) {
    notes.push_back("images without a tag fall under tagRequired (" +
                    std::string(name_of(mode(*rules.tag_required))) + "), so mutableTag (" +
                    std::string(name_of(mode(*rules.mutable_tag))) + ") does not refuse them");
  }
  if (rules.registry_allowed && rules.registry_allowed->allow.empty() &&
      rules.registry_allowed->deny.empty()) {
    notes.emplace_back("registryAllowed allows everything: it has neither allow nor deny");
  }
  if (rules.namespace_environment &&
      contains(rules.namespace_environment->break_glass_groups, "system:authenticated")) {
    notes.emplace_back(
        "namespaceEnvironment has no effect: everyone is in group system:authenticated");
  }
  if (rules.tag_format) {
    const auto& forms = rules.tag_format->any_of;
    if (contains(forms, "{any}")) {
      notes.emplace_back("tagFormat accepts every tag: one of its templates is {any}");
    }
  }
}

void note_pin(const PinSettings& pin, Notes& notes) {
  const PinSettings left_out;
  if (pin.enabled) return;
  if (pin.images.empty() && pin.on_registry_error == left_out.on_registry_error) return;
  notes.emplace_back("pin has settings, but nothing is pinned without enabled: true");
}

/// Words of environment settings that environmentLabel lets no pod have.
void note_environments(const Policy& policy, Notes& notes) {
  const Rules& rules = policy.rules;
  std::unordered_set<std::string_view> known;  // the lists may be long
  if (rules.environment_label) {
    known.insert(rules.environment_label->values.begin(), rules.environment_label->values.end());
  }
  const auto unknown = [&](std::string_view where, const std::string& environment) {
    if (!rules.environment_label || known.contains(environment)) return;
    std::string note(where);
    note.append(" names \"").append(environment);
    notes.push_back(note + "\", which is not in environmentLabel.values");
  };
  if (rules.environment_namespace) {
    for (const auto& [environment, globs] : rules.environment_namespace->namespaces) {
      unknown("environmentNamespace.namespaces", environment);
    }
    for (const auto& environment : rules.environment_namespace->protected_environments) {
      unknown("environmentNamespace.protected", environment);
    }
  }
  if (!rules.environment_tag) return;
  std::unordered_set<std::string_view> seen;
  for (const auto& [environment, suffixes] : rules.environment_tag->suffixes) {
    unknown("environmentTag.suffixes", environment);
    for (const auto& suffix : suffixes) {
      if (!seen.insert(suffix).second) {
        notes.push_back("environmentTag.suffixes has \"" + suffix +
                        "\" twice, so a tag with that suffix fits both environments");
      }
    }
  }
  const bool by_template =
      rules.tag_format &&
      std::any_of(rules.tag_format->templates.begin(), rules.tag_format->templates.end(),
                  [](const TagTemplate& form) { return form.has_environment(); });
  if (seen.empty() && !by_template) {
    notes.emplace_back(
        "environmentTag has no effect: give suffixes, or use {environment} in tagFormat.anyOf");
  }
}

void note_exemption(const Policy& policy, std::size_t index, std::chrono::year_month_day today,
                    Notes& notes) {
  const Exemption& exemption = policy.exemptions[index];
  const std::string name =
      "exemptions[" + std::to_string(index) + "] (" + exemption.images.front().pattern() + ")";
  if (exemption.expires) {
    const auto left = std::chrono::sys_days(*exemption.expires) - std::chrono::sys_days(today);
    if (left <= std::chrono::days(0)) {
      notes.push_back(name + " expired on " + day_text(std::chrono::sys_days(*exemption.expires)) +
                      " and is ignored");
    } else if (left <= kExemptionWarning) {
      notes.push_back(name + " expires on " + day_text(std::chrono::sys_days(*exemption.expires)) +
                      ", in " + std::to_string(left.count()) +
                      (left.count() == 1 ? " day" : " days"));
    }
  }
  for (const RuleId rule : exemption.rules) {
    if (!enabled(policy, rule)) {
      notes.push_back(name + " names " + std::string(name_of(rule)) + ", which is off");
    }
  }
}

}  // namespace

std::vector<std::string> policy_notes(const Policy& policy, std::chrono::year_month_day today) {
  Notes notes;
  note_rules(policy, notes);
  note_environments(policy, notes);
  note_pin(policy.pin, notes);
  for (std::size_t i = 0; i < policy.exemptions.size(); ++i) {
    note_exemption(policy, i, today, notes);
  }
  return notes;
}

}  // namespace belay::policy
