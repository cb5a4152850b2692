// The team of a namespace and the prefixes it may use. Pure.
#include "policy/rules/team.h"

namespace belay::policy {

std::string_view team_of_namespace(const TeamPrefixSettings& settings, const Judgement& judgement) {
  const std::string_view* label = find_label(judgement.ns.labels, settings.team_label);
  if (label != nullptr && !label->empty()) return *label;
  for (const auto& [team, globs] : settings.namespaces) {
    if (globs.matches(judgement.workload.namespace_name)) return team;
  }
  return {};
}

std::vector<std::string> prefixes_of_team(const TeamPrefixSettings& settings,
                                          std::string_view team) {
  for (const auto& [name, prefixes] : settings.prefixes) {
    if (name == team && !prefixes.empty()) return prefixes;
  }
  return {std::string(team) + "-"};
}

}  // namespace belay::policy
