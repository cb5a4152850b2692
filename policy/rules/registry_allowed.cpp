// registry-allowed: refuses registries and repositories outside the list; deny wins over allow.
// Pure.
#include <algorithm>

#include "policy/gaps.h"
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
    text.append(" (").append(reference.registry).append(" is the default registry)");
  }
  return text;
}

void evaluate(const Evaluation& evaluation, Findings& findings) {
  const RegistryAllowedSettings& settings = *evaluation.policy.rules.registry_allowed;
  for (const EvaluatedImage& image : evaluation.images) {
    if (!image.readable()) continue;
    const ImageReference& reference = *image.reference;
    const auto matches = [&](const RepositoryGlob& glob) { return glob.matches(reference); };
    const auto denied = std::find_if(settings.deny.begin(), settings.deny.end(), matches);
    if (denied != settings.deny.end()) {
      findings.image(
          image, is_in(reference) + ", which is refused by " + quote(denied->pattern()),
          {.advice = settings.allow.empty() ? "Use an image of another registry or repository"
                                            : "Use an image of " + one_of(settings.allow),
           .repository = RepositoryUse::kMayNotStay});
    } else if (!settings.allow.empty() &&
               std::none_of(settings.allow.begin(), settings.allow.end(), matches)) {
      findings.image(image, is_in(reference) + ", which is not among the allowed registries",
                     {.advice = "Use an image of " + one_of(settings.allow),
                      .repository = RepositoryUse::kMayNotStay});
    }
  }
}

/// The pattern with a gap for each of its stars: "quay.io/team/**" -> "quay.io/team/",
/// "<repository>".
ImageOffers::Repository repository_of(std::string_view pattern) {
  const bool any_depth = pattern.ends_with("/**");
  if (any_depth) pattern.remove_suffix(std::string_view("/**").size());
  std::string text;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '*') {
      text += pattern[i];
    } else {
      text += text.find('/') == std::string::npos ? kRegistryGap : kNameGap;
    }
  }
  const std::size_t slash = text.rfind('/');
  if (any_depth || slash == std::string::npos) return {text + "/", std::string(kRepositoryGap)};
  return {text.substr(0, slash + 1), text.substr(slash + 1)};
}

void offer_image(const Evaluation& evaluation, const ImageReference& /*reference*/,
                 ImageOffers& offers) {
  const RegistryAllowedSettings& settings = *evaluation.policy.rules.registry_allowed;
  if (settings.allow.empty() && !settings.deny.empty()) {
    offers.repositories.push_back({std::string(kRegistryGap) + "/", std::string(kRepositoryGap)});
  }
  for (const RepositoryGlob& glob : settings.allow) {
    if (offers.repositories.size() == kMaxOffers) return;
    if (glob.pattern().find('?') == std::string::npos) {
      offers.repositories.push_back(repository_of(glob.pattern()));
    }
  }
}

}  // namespace

RuleType registry_allowed_rule() {
  return {.summary = "refuses a registry or repository outside the list",
          .enabled = is_enabled<&Rules::registry_allowed>,
          .mode = mode_of<&Rules::registry_allowed>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .evaluate = evaluate,
          .offer_image = offer_image};
}

}  // namespace belay::policy
