// team-prefix: refuses a repository or tag without the prefix of the namespace's team. Pure.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "policy/rules/rule.h"
#include "policy/rules/words.h"

namespace belay::policy {

namespace {

constexpr std::array<std::string_view, 3> kOnWords = {"repository", "tag", "either"};

void visit(SettingsVisitor& visitor, Rules& rules) {
  TeamPrefixSettings& settings = rules.team_prefix.emplace();
  visit_mode(visitor, settings.mode);
  visitor.text({.name = "teamLabel",
                .summary = "Label of the namespace that names its team",
                .default_text = "team"},
               TextForm::kLabelKey, settings.team_label);
  visitor.text_lists({.name = "prefixes",
                      .summary = "Team to the prefixes it may use; a team that is not listed uses "
                                 "its name and a dash. A name with a longer prefix of another team "
                                 "belongs to that team",
                      .default_text = "{}"},
                     TextForm::kAny, settings.prefixes);
  visitor.name_globs_by({.name = "namespaces",
                         .summary = "Team to globs on the names of its namespaces, for namespaces "
                                    "without the label",
                         .default_text = "{}"},
                        settings.namespaces);
  int on = static_cast<int>(settings.on);
  visitor.choice({.name = "on",
                  .summary = "What must start with the prefix: the last part of the repository, "
                             "the tag, or either",
                  .default_text = "repository"},
                 {.words = kOnWords}, on);
  settings.on = static_cast<PrefixOn>(on);
  visitor.flag({.name = "requireTeam",
                .summary = "Whether a namespace without team is a finding",
                .default_text = "false"},
               settings.require_team);
}

/// By the namespace's label, else by its name; "" where neither names a team.
std::string_view team_of_namespace(const TeamPrefixSettings& settings,
                                   const Evaluation& evaluation) {
  const std::string_view* label = find_label(evaluation.ns.labels, settings.team_label);
  if (label != nullptr && !label->empty()) return *label;
  for (const auto& [team, globs] : settings.namespaces) {
    if (globs.matches(evaluation.workload.namespace_name)) return team;
  }
  return {};
}

/// As listed, else "<team>-". Never empty.
std::vector<std::string> prefixes_of_team(const TeamPrefixSettings& settings,
                                          std::string_view team) {
  for (const auto& [name, prefixes] : settings.prefixes) {
    if (name == team && !prefixes.empty()) return prefixes;
  }
  return {std::string(team) + "-"};
}

/// The longest prefix that the text starts with and continues after, or "".
std::string_view longest_prefix(std::string_view text, const std::vector<std::string>& prefixes) {
  std::string_view longest;
  for (const std::string& prefix : prefixes) {
    if (prefix.size() > longest.size() && text.size() > prefix.size() && text.starts_with(prefix)) {
      longest = prefix;
    }
  }
  return longest;
}

/// The team that a text names: "fe-mobile-web" names team "fe-mobile", even where there is a team
/// "fe".
struct Owner {
  bool own = false;         ///< the namespace's team
  std::string_view team;    ///< another team with a longer prefix, "" where there is none
  std::string_view prefix;  ///< its prefix
};

Owner owner_of(const TeamPrefixSettings& settings, std::string_view team,
               const std::vector<std::string>& prefixes, std::string_view text) {
  const std::string_view ours = longest_prefix(text, prefixes);
  Owner owner{.own = !ours.empty(), .team = {}, .prefix = ours};
  for (const auto& [other, others] : settings.prefixes) {
    const std::string_view theirs = longest_prefix(text, others);
    if (other == team || theirs.size() <= owner.prefix.size()) continue;
    owner = {.own = false, .team = other, .prefix = theirs};
  }
  return owner;
}

void evaluate(const Evaluation& evaluation, Findings& findings) {
  const TeamPrefixSettings& settings = *evaluation.policy.rules.team_prefix;
  const std::string_view team = team_of_namespace(settings, evaluation);
  if (team.empty()) {
    if (!settings.require_team) return;
    const bool any_changed = std::ranges::any_of(evaluation.images.all(), &EvaluatedImage::changed);
    findings.field("metadata.namespace",
                   "namespace " + quote(evaluation.workload.namespace_name) + " belongs to no team",
                   {.advice = "Label the namespace with " + settings.team_label + "=<team>",
                    .elsewhere = true},
                   any_changed);
    return;
  }
  const std::vector<std::string> prefixes = prefixes_of_team(settings, team);
  for (const EvaluatedImage& image : evaluation.images) {
    if (!image.readable()) continue;
    const ImageReference& reference = *image.reference;
    const Owner repository = owner_of(settings, team, prefixes, reference.last_segment());
    const Owner tag = owner_of(settings, team, prefixes, reference.tag);
    const std::string expected = one_of(prefixes) + ", the prefix of team " + quote(team);
    // "fe-web", and for another team's: "fe-mobile-web", which is a name of team "fe-mobile"
    const auto not_ours = [&](const Owner& owner) {
      return owner.team.empty() ? ", which does not start with " + expected
                                : ", which is a name of team " + quote(owner.team) + " (" +
                                      std::string(owner.prefix) + "), not of team " + quote(team);
    };
    const Fix push = {.advice = "Push it with the prefix " + prefixes.front(),
                      .joint = ", as ",
                      .repository = settings.on == PrefixOn::kRepository
                                        ? RepositoryUse::kNeedsPrefix
                                        : RepositoryUse::kMayStay};
    switch (settings.on) {
      case PrefixOn::kRepository:
        if (repository.own) break;
        findings.image(image,
                       "has repository " + quote(reference.last_segment()) + not_ours(repository),
                       push);
        break;
      case PrefixOn::kTag:
        if (tag.own) break;
        findings.image(
            image,
            reference.has_tag() ? "has tag " + quote(reference.tag) + not_ours(tag)
                                : "has no tag, and it must start with " + expected,
            {.advice = "Use a tag with the prefix " + prefixes.front(), .same_image = true});
        break;
      case PrefixOn::kEither:
        if (repository.own || tag.own) break;
        findings.image(image, "starts neither the repository nor the tag with " + expected, push);
        break;
    }
  }
}

void offer_image(const Evaluation& evaluation, const ImageReference& reference,
                 ImageOffers& offers) {
  const TeamPrefixSettings& settings = *evaluation.policy.rules.team_prefix;
  const std::string_view team = team_of_namespace(settings, evaluation);
  if (team.empty()) return;
  const std::vector<std::string> prefixes = prefixes_of_team(settings, team);
  const Owner owner = owner_of(settings, team, prefixes, reference.last_segment());
  // A name under another team's prefix loses it.
  const std::string drop(owner.team.empty() ? std::string_view() : owner.prefix);
  for (const std::string& prefix : prefixes) {
    if (settings.on != PrefixOn::kTag) offers.name_prefixes.push_back({prefix, drop});
    if (settings.on != PrefixOn::kRepository) offers.tag_prefixes.push_back(prefix);
  }
}

}  // namespace

RuleType team_prefix_rule() {
  return {.summary = "refuses a repository or tag without the prefix of the namespace's team",
          .enabled = is_enabled<&Rules::team_prefix>,
          .mode = mode_of<&Rules::team_prefix>,
          .needs_namespace = needs_namespace<true>,
          .visit = visit,
          .evaluate = evaluate,
          .offer_image = offer_image};
}

}  // namespace belay::policy
