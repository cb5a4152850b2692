// The fix to copy: a reference that the policies in force would take in place of a refused one.
#include "policy/rules/suggestion.h"

#include <algorithm>
#include <vector>

#include "policy/rules/environment.h"
#include "policy/rules/team.h"

namespace belay::policy {

namespace {

constexpr std::string_view kVersion = "v1.4.2";

/// The text in front of a tag that team-prefix asks for, where it looks at tags.
std::string team_prefix_of_tag(const Judgement& judgement) {
  const auto& settings = judgement.policy.rules.team_prefix;
  if (!settings || settings->on != PrefixOn::kTag) return {};
  const std::string_view team = team_of_namespace(*settings, judgement);
  return team.empty() ? std::string() : prefixes_of_team(*settings, team).front();
}

std::string suffix_of(const Policy& policy, std::string_view environment) {
  if (!policy.rules.environment_tag) return {};
  for (const auto& [name, suffixes] : policy.rules.environment_tag->suffixes) {
    if (name == environment && !suffixes.empty()) return suffixes.front();
  }
  return {};
}

/// Whether a policy's rules on tags would take the tag for this image.
bool takes(const Judgement& judgement, const Policy& policy, ImageReference reference,
           std::string_view tag, std::string_view environment) {
  reference.tag = tag;
  const Rules& rules = policy.rules;
  if (rules.mutable_tag && rules.mutable_tag->globs.matches(tag)) return false;
  if (tag_format_applies(policy, reference) && !fits_template(judgement, *rules.tag_format, tag)) {
    return false;
  }
  if (!rules.environment_tag || environment.empty()) return true;
  const TagEnvironment named = tag_environment(judgement, policy, reference, environment);
  return named.known ? named.fits : !rules.environment_tag->required;
}

/// Tags that a policy's author would write, the likeliest first.
std::vector<std::string> candidates(const Judgement& judgement, const Policy& policy,
                                    const ImageReference& reference, std::string_view environment) {
  std::vector<std::string> bases;
  if (tag_format_applies(policy, reference)) {
    // {environment} may be meant in a suffix's word: "staging" where the environment is "test".
    const std::string suffix = suffix_of(policy, environment);
    for (const TagTemplate& form : policy.rules.tag_format->templates) {
      bases.push_back(form.example({.environment = environment}));
      if (form.has_environment() && suffix.size() > 1) {
        bases.push_back(form.example({.environment = std::string_view(suffix).substr(1)}));
      }
    }
    std::erase(bases, std::string());
  }
  if (bases.empty()) bases.emplace_back(kVersion);

  const std::string prefix = team_prefix_of_tag(judgement);
  const std::string suffix = suffix_of(policy, environment);
  std::vector<std::string> tags;
  for (const std::string& base : bases) {
    const std::string tag = base.starts_with(prefix) ? base : prefix + base;
    if (!suffix.empty() && !tag.ends_with(suffix)) tags.push_back(tag + suffix);
    tags.push_back(tag);
  }
  return tags;
}

}  // namespace

std::string_view intended_environment(const Judgement& judgement) {
  const std::string_view of_namespace = namespace_environment(judgement).value();
  if (!of_namespace.empty()) return of_namespace;
  const Policy& policy = judgement.policy;
  const std::string_view key =
      policy.rules.environment_tag ? environment_tag_label(policy) : policy.environment_label();
  const std::string_view* value = find_label(judgement.workload.pod.labels, key);
  if (value == nullptr) return {};
  const std::vector<std::string> known = policy.environments();
  return std::find(known.begin(), known.end(), *value) == known.end() ? std::string_view() : *value;
}

std::string suggested_tag(const Judgement& judgement, const ImageReference& reference) {
  const std::string_view environment = intended_environment(judgement);
  std::vector<std::string> tags = candidates(judgement, judgement.policy, reference, environment);
  for (const Policy* other : judgement.in_force) {
    if (other == &judgement.policy) continue;
    if (judgement.images.over()) break;
    for (std::string& tag : candidates(judgement, *other, reference, environment)) {
      tags.push_back(std::move(tag));
    }
  }
  for (const std::string& tag : tags) {
    if (judgement.images.over()) break;
    if (std::all_of(judgement.in_force.begin(), judgement.in_force.end(), [&](const Policy* p) {
          return takes(judgement, *p, reference, tag, environment);
        })) {
      return tag;
    }
  }
  for (const std::string& tag : tags) {
    if (takes(judgement, judgement.policy, reference, tag, environment)) return tag;
  }
  return tags.front();
}

std::string suggested_image(const Judgement& judgement, const ImageReference& reference) {
  return std::string(reference.written_name()) + ":" + suggested_tag(judgement, reference);
}

}  // namespace belay::policy
