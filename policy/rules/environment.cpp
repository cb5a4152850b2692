// Which environment a namespace, a pod and a tag belong to, in the words of one policy. Pure.
#include "policy/rules/environment.h"

#include <algorithm>

#include "policy/matching.h"

namespace belay::policy {

namespace {

/// Whether a word of {environment} names the environment: itself, or a word of its suffixes.
bool names(const Policy& policy, std::string_view word, std::string_view environment) {
  if (word == environment) return true;
  return std::ranges::any_of(suffixes_of(policy, environment), [word](const std::string& suffix) {
    return without_separator(suffix) == word;
  });
}

/// The environment that a word of {environment} means; the word itself where none has it.
std::string_view meaning(const Policy& policy, std::string_view word) {
  for (const auto& [name, suffixes] : policy.rules.environment_tag->suffixes) {
    if (names(policy, word, name)) return name;
  }
  return word;
}

TagEnvironment by_suffix(const Policy& policy, std::string_view tag, std::string_view environment) {
  TagEnvironment found;
  for (const auto& [name, suffixes] : policy.rules.environment_tag->suffixes) {
    for (const std::string& suffix : suffixes) {
      if (!tag.ends_with(suffix) || suffix.size() < found.word.size()) continue;
      if (suffix.size() > found.word.size()) found = {};
      found.known = true;
      found.word = tag.substr(tag.size() - suffix.size());
      // Several environments may share a suffix; show the pod's own among them.
      if (found.stands_for.empty() || name == environment) found.stands_for = name;
      found.fits = found.fits || name == environment;
    }
  }
  return found;
}

TagEnvironment by_template(const Evaluation& evaluation, const ImageReference& reference,
                           std::string_view environment) {
  TagEnvironment found;
  const Policy& policy = evaluation.policy;
  if (!tag_format_applies(policy, reference)) return found;
  for (const TagTemplate& form : policy.rules.tag_format->templates) {
    if (evaluation.images.templates_exhausted()) break;
    TagParts parts;
    if (!form.has_environment() || !form.match(reference.tag, &parts)) continue;
    if (!found.known) {
      found.known = true;
      found.word = parts.environment;
      found.stands_for = meaning(policy, parts.environment);
    }
    // A template may fit in several ways: one of them naming the pod's environment is enough.
    found.fits = found.fits || names(policy, parts.environment, environment) ||
                 form.match_with_environment(reference.tag, environment);
    for (const auto& [name, suffixes] : policy.rules.environment_tag->suffixes) {
      if (found.fits || name != environment) continue;
      found.fits = std::any_of(suffixes.begin(), suffixes.end(), [&](const std::string& suffix) {
        return evaluation.images.templates_exhausted() ||
               form.match_with_environment(reference.tag, without_separator(suffix));
      });
    }
    if (found.fits) break;
  }
  return found;
}

}  // namespace

bool tag_format_applies(const Policy& policy, const ImageReference& reference) {
  return policy.rules.tag_format && is_among(policy.rules.tag_format->images, reference);
}

bool fits_template(const Evaluation& evaluation, const TagFormatSettings& settings,
                   std::string_view tag) {
  return std::ranges::any_of(settings.templates, [&](const TagTemplate& form) {
    return evaluation.images.templates_exhausted() || form.match(tag);
  });
}

std::string_view intended_environment(const Evaluation& evaluation) {
  const Policy& policy = evaluation.policy;
  const std::string_view key =
      policy.rules.environment_tag ? environment_tag_label(policy) : policy.environment_label();
  const std::string_view* value = find_label(evaluation.workload.pod.labels, key);
  return value != nullptr ? *value : namespace_environment(evaluation).value();
}

std::span<const std::string> suffixes_of(const Policy& policy, std::string_view environment) {
  if (!policy.rules.environment_tag) return {};
  for (const auto& [name, suffixes] : policy.rules.environment_tag->suffixes) {
    if (name == environment) return suffixes;
  }
  return {};
}

std::string_view without_separator(std::string_view suffix) {
  if (!suffix.empty() && (suffix[0] == '-' || suffix[0] == '_' || suffix[0] == '.')) {
    suffix.remove_prefix(1);
  }
  return suffix;
}

std::string_view environment_namespace_label(const Policy& policy) {
  const std::string& own = policy.rules.environment_namespace->label;
  return own.empty() ? policy.environment_label() : own;
}

std::string_view environment_tag_label(const Policy& policy) {
  const std::string& own = policy.rules.environment_tag->label;
  return own.empty() ? policy.environment_label() : own;
}

NamespaceEnvironment namespace_environment(const Evaluation& evaluation) {
  NamespaceEnvironment environment;
  const auto& settings = evaluation.policy.rules.environment_namespace;
  if (!settings) return environment;
  const std::string_view key = settings->namespace_label.empty()
                                   ? environment_namespace_label(evaluation.policy)
                                   : settings->namespace_label;
  if (const std::string_view* value = find_label(evaluation.ns.labels, key)) {
    environment.by_label = *value;
  }
  for (const auto& [name, globs] : settings->namespaces) {
    if (!globs.matches(evaluation.workload.namespace_name)) continue;
    if (environment.by_name.empty() || name == environment.by_label) environment.by_name = name;
  }
  return environment;
}

TagEnvironment tag_environment(const Evaluation& evaluation, const ImageReference& reference,
                               std::string_view environment) {
  const TagEnvironment suffix = by_suffix(evaluation.policy, reference.tag, environment);
  const TagEnvironment word = by_template(evaluation, reference, environment);
  if (!word.known || (suffix.known && !suffix.fits)) return suffix;
  return suffix.known && word.fits ? suffix : word;
}

}  // namespace belay::policy
