// team-prefix: refuses a repository or tag without the prefix of the namespace's team. Pure.
#include <algorithm>
#include <array>

#include "policy/rules/rule.h"
#include "policy/rules/suggestion.h"
#include "policy/rules/team.h"
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
                                 "is that team's",
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

/// The longest of the prefixes that the text starts with and goes on behind, or "".
std::string_view longest_prefix(std::string_view text, const std::vector<std::string>& prefixes) {
  std::string_view longest;
  for (const std::string& prefix : prefixes) {
    if (prefix.size() > longest.size() && text.size() > prefix.size() && text.starts_with(prefix)) {
      longest = prefix;
    }
  }
  return longest;
}

/// Whose name a text bears: "fe-mobile-web" is that of team "fe-mobile", even where there is a team
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

/// The image under a name that the rule takes: "registry:5000/shop/fe-web:v1.4.2".
/// \param drop  what comes off its front: another team's prefix
std::string renamed(const ImageReference& reference, std::string_view prefix,
                    std::string_view drop) {
  const std::string_view name = reference.written_name();
  const std::string_view last = reference.last_segment();
  std::string text(name.substr(0, name.size() - last.size()));
  text.append(prefix).append(last.substr(drop.size()));
  return text.append(reference.text.substr(name.size()));
}

void judge(const Judgement& judgement, Findings& findings) {
  const TeamPrefixSettings& settings = *judgement.policy.rules.team_prefix;
  const std::string_view team = team_of_namespace(settings, judgement);
  if (team.empty()) {
    if (!settings.require_team) return;
    const bool any_changed = std::ranges::any_of(judgement.images.all(), &JudgedImage::changed);
    findings.field("metadata.namespace",
                   "namespace " + quote(judgement.workload.namespace_name) + " belongs to no team",
                   "Have the namespace labelled " + settings.team_label + "=<team>", any_changed);
    return;
  }
  const std::vector<std::string> prefixes = prefixes_of_team(settings, team);
  for (const JudgedImage& image : judgement.images) {
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
    const std::string fix =
        "Push it as " + renamed(reference, prefixes.front(),
                                repository.team.empty() ? std::string_view() : repository.prefix);
    switch (settings.on) {
      case PrefixOn::kRepository:
        if (repository.own) break;
        findings.image(
            image, "has repository " + quote(reference.last_segment()) + not_ours(repository), fix);
        break;
      case PrefixOn::kTag:
        if (tag.own) break;
        findings.image(image,
                       reference.has_tag() ? "has tag " + quote(reference.tag) + not_ours(tag)
                                           : "has no tag, and it must start with " + expected,
                       "Use a tag such as " + suggested_image(judgement, reference));
        break;
      case PrefixOn::kEither:
        if (repository.own || tag.own) break;
        findings.image(image, "starts neither its repository nor its tag with " + expected, fix);
        break;
    }
  }
}

}  // namespace

RuleType team_prefix_rule() {
  return {.id = RuleId::kTeamPrefix,
          .key = "teamPrefix",
          .summary = "refuses a repository or tag without the prefix of the namespace's team",
          .enabled = is_enabled<&Rules::team_prefix>,
          .mode = mode_of<&Rules::team_prefix>,
          .needs_namespace = needs_namespace<true>,
          .visit = visit,
          .judge = judge};
}

}  // namespace belay::policy
