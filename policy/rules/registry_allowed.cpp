// registry-allowed: refuses registries and repositories outside the list; deny wins over allow.
// Pure.
#include <algorithm>

#include "policy/rules/rule.h"
#include "policy/rules/words.h"

namespace belay::policy {

namespace {

void visit(SettingsVisitor& visitor, Rules& rules) {
  RegistryAllowedSettings& settings = rules.registry_allowed.emplace();
  visit_mode(visitor, settings.mode);
  visitor.repository_globs({.name = "allow",
                            .summary = "Globs on the registries and repositories that may be used",
                            .default_text = "all that deny does not name"},
                           settings.allow);
  visitor.repository_globs(
      {.name = "deny",
       .summary = "Globs on the registries and repositories that may not be used; wins over allow",
       .default_text = "none"},
      settings.deny);
}

/// `is in "docker.io/library/nginx"`, telling what an unqualified name was taken for.
std::string is_in(const ImageReference& reference) {
  std::string text = "is in " + quote(reference.canonical_repository());
  const std::string_view name = reference.written_name();
  if (!name.starts_with(reference.registry) && name.size() <= reference.path.size()) {
    text.append(" (").append(reference.registry).append(" is meant where no registry is written)");
  }
  return text;
}

void judge(const Judgement& judgement, Findings& findings) {
  const RegistryAllowedSettings& settings = *judgement.policy.rules.registry_allowed;
  for (const JudgedImage& image : judgement.images) {
    if (!image.readable()) continue;
    const ImageReference& reference = *image.reference;
    const auto matches = [&](const RepositoryGlob& glob) { return glob.matches(reference); };
    const auto denied = std::find_if(settings.deny.begin(), settings.deny.end(), matches);
    if (denied != settings.deny.end()) {
      findings.image(image, is_in(reference) + ", which is refused by " + quote(denied->pattern()),
                     settings.allow.empty() ? "Use an image of another registry or repository"
                                            : "Use an image of " + one_of(settings.allow));
    } else if (!settings.allow.empty() &&
               std::none_of(settings.allow.begin(), settings.allow.end(), matches)) {
      findings.image(image, is_in(reference) + ", which is not among the allowed registries",
                     "Use an image of " + one_of(settings.allow));
    }
  }
}

}  // namespace

RuleType registry_allowed_rule() {
  return {.id = RuleId::kRegistryAllowed,
          .key = "registryAllowed",
          .summary = "refuses a registry or repository outside the list",
          .enabled = is_enabled<&Rules::registry_allowed>,
          .mode = mode_of<&Rules::registry_allowed>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .judge = judge};
}

}  // namespace belay::policy
