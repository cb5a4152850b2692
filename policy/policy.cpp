#include "policy/policy.h"

#include <unordered_set>

namespace belay::policy {

std::vector<std::string> Policy::environments() const {
  std::vector<std::string> words =
      rules.environment_label ? rules.environment_label->values : EnvironmentLabelSettings().values;
  if (!rules.environment_tag) return words;
  std::unordered_set<std::string> known(words.begin(), words.end());
  for (const auto& [environment, suffixes] : rules.environment_tag->suffixes) {
    if (known.insert(environment).second) words.push_back(environment);
  }
  return words;
}

const std::string& Policy::environment_label() const {
  static const std::string kDefault = "environment";
  return rules.environment_label ? rules.environment_label->label : kDefault;
}

std::vector<std::string> builtin_mutable_tags() {
  return {"latest",     "stable",   "edge",      "nightly",  "dev",          "develop", "devel",
          "main",       "master",   "trunk",     "head",     "current",      "release", "prod",
          "production", "staging",  "stage",     "test",     "testing",      "qa",      "uat",
          "canary",     "preview",  "rolling",   "unstable", "experimental", "next",    "lts",
          "*-latest",   "latest-*", "*-snapshot"};
}

void use_builtin_tags(MutableTagSettings& settings) {
  settings.tags = builtin_mutable_tags();
  settings.globs = {};
  for (const std::string& tag : settings.tags) settings.globs.add(tag);
}

}  // namespace belay::policy
