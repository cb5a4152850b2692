// Policies for tests of admission, made without a document.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "policy/policy_set.h"

namespace belay::test {

/// A day that stays the same.
inline std::function<std::chrono::year_month_day()> fixed_day() {
  return [] {
    return std::chrono::year_month_day{std::chrono::year{2026}, std::chrono::June,
                                       std::chrono::day{1}};
  };
}

/// tag-required and mutable-tag (`latest` only), both enforced.
inline policy::Policy tag_policy(std::string name) {
  policy::Policy made;
  made.name = std::move(name);
  made.revision = "0123456789ab";
  made.source = {policy::PolicySource::Kind::kFile, made.name + ".yaml"};
  made.rules.tag_required.emplace();
  policy::MutableTagSettings& mutable_tag = made.rules.mutable_tag.emplace();
  mutable_tag.tags = {"latest"};
  mutable_tag.globs.add("latest");
  return made;
}

/// environment-label and environment-namespace, both enforced.
inline policy::Policy environment_policy(std::string name) {
  policy::Policy made;
  made.name = std::move(name);
  made.source = {policy::PolicySource::Kind::kFile, made.name + ".yaml"};
  made.rules.environment_label.emplace();
  policy::EnvironmentNamespaceSettings& settings = made.rules.environment_namespace.emplace();
  settings.label = "environment";
  settings.namespace_label = "environment";
  return made;
}

/// Tags are pinned, and no rule is on but image-reference.
inline policy::Policy pin_policy(
    std::string name, policy::OnRegistryError on_error = policy::OnRegistryError::kAllow) {
  policy::Policy made;
  made.name = std::move(name);
  made.source = {policy::PolicySource::Kind::kFile, made.name + ".yaml"};
  made.pin.enabled = true;
  made.pin.on_registry_error = on_error;
  return made;
}

template <class... Policies>
policy::PolicySet set_of(Policies... policies) {
  return policy::make_policy_set({std::make_shared<const policy::Policy>(std::move(policies))...});
}

}  // namespace belay::test
