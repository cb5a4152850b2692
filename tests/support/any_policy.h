// Random policies, workloads and namespaces of one small vocabulary, so that their rules meet: for
// properties that hold whatever a policy says.
#pragma once

#include <rapidcheck.h>
#include <re2/re2.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/policy_builder.h"

namespace belay::policy::testing {

inline constexpr const char* kVersionKey = "app.kubernetes.io/version";

template <class T>
T any_of(std::vector<T> values) {
  return *rc::gen::elementOf(std::move(values));
}
inline std::string any_text(std::vector<std::string> values) { return any_of(std::move(values)); }
/// True once in so many times.
inline bool once_in(int times) { return *rc::gen::inRange(0, times) == 0; }

/// Some of the texts, in their order; at least one.
inline Texts some_of(const Texts& texts) {
  Texts some;
  for (const std::string& text : texts) {
    if (once_in(2)) some.push_back(text);
  }
  if (some.empty()) some.push_back(any_of(texts));
  return some;
}

inline void any_rules_about_tags(Policy& policy) {
  if (once_in(2)) turn_on(policy, RuleId::kTagRequired);
  if (once_in(2)) {
    if (once_in(3)) {
      set_mutable_tags(policy, some_of({"latest", "stable", "*-build", "dev*", "prod"}));
    } else {
      turn_on(policy, RuleId::kMutableTag);
    }
    policy.rules.mutable_tag->allow_with_digest = once_in(2);
  }
  if (once_in(2)) {
    set_tag_format(policy,
                   some_of({"v{version}", "{version}", "{name}-v{version}-{environment}",
                            "v{version}-{environment}", "{date}-build", "{environment}-{commit}",
                            "regex:v[0-9.]+(-[a-z]+)?", "{number}-{any}"}));
    if (once_in(4)) policy.rules.tag_format->images = repositories({"registry.corp:5000"});
  }
}

inline void any_rules_about_names(Policy& policy) {
  if (once_in(4)) {
    turn_on(policy, RuleId::kDigestRequired);
    if (once_in(2)) policy.rules.digest_required->images = repositories({"registry.corp:5000"});
  }
  if (once_in(4)) {
    auto& settings = policy.rules.registry_allowed.emplace();
    if (once_in(2)) {
      settings.allow = repositories(
          some_of({"registry.corp:5000", "quay.io/team/**", "quay.io/*/app", "ghcr.io/one/web"}));
    }
    if (once_in(2)) settings.deny = repositories({"docker.io", "quay.io/team/old"});
  }
  if (once_in(4)) {
    auto& settings = policy.rules.team_prefix.emplace();
    settings.on = any_of<PrefixOn>({PrefixOn::kRepository, PrefixOn::kTag, PrefixOn::kEither});
    settings.require_team = once_in(3);
    if (once_in(2)) {
      settings.prefixes = {{"fe", {"fe-", "web-"}}, {"mobile", {"fe-mobile-", "mo-"}}};
    }
  }
}

/// Before any_rules_about_tags(): templates take the words of environments and suffixes.
inline void any_rules_about_environments(Policy& policy) {
  if (once_in(3)) {
    turn_on(policy, RuleId::kEnvironmentLabel);
    if (once_in(3)) policy.rules.environment_label->values = {"prod", "dev", "qa"};
  }
  if (once_in(2)) {
    turn_on(policy, RuleId::kEnvironmentNamespace);
    if (once_in(3)) {
      policy.rules.environment_namespace->namespaces = {{"prod", name_globs({"shop"})}};
    }
  }
  if (once_in(2)) {
    turn_on(policy, RuleId::kEnvironmentTag);
    policy.rules.environment_tag->suffixes = {
        {"prod", {"-prod"}}, {"test", {"-staging", "-test"}}, {"dev", {"-dev"}}};
    policy.rules.environment_tag->required = once_in(3);
  }
  if (once_in(4)) {
    turn_on(policy, RuleId::kVersionLabel);
    policy.rules.version_label->required = once_in(2);
  }
}

inline void any_required_labels(Policy& policy) {
  if (!once_in(4)) return;
  auto& settings = policy.rules.required_labels.emplace();
  settings.on = any_of<LabelsOn>({LabelsOn::kPod, LabelsOn::kObject, LabelsOn::kBoth});
  ValueConstraint pattern = {.pattern = "[0-9]{4}"};
  pattern.compiled = std::make_shared<const re2::RE2>(pattern.pattern);
  ValueConstraint list = {.values = {"dev", "prod"}};
  if (once_in(2)) settings.labels.emplace_back("owner", ValueConstraint());
  if (once_in(2)) settings.labels.emplace_back("cost", pattern);
  if (once_in(3)) settings.labels.emplace_back("environment", list);
}

inline Mode any_mode() {
  return any_of<Mode>({Mode::kEnforce, Mode::kEnforce, Mode::kEnforce, Mode::kWarn, Mode::kAudit});
}

inline Policy any_policy(std::string name) {
  Policy policy;
  policy.name = std::move(name);
  any_rules_about_environments(policy);
  any_rules_about_tags(policy);
  any_rules_about_names(policy);
  any_required_labels(policy);
  policy.mode = any_mode();
  if (policy.rules.mutable_tag && once_in(3)) policy.rules.mutable_tag->mode = any_mode();
  if (policy.rules.tag_format && once_in(3)) policy.rules.tag_format->mode = any_mode();
  if (policy.rules.environment_tag && once_in(3)) policy.rules.environment_tag->mode = any_mode();
  if (once_in(6)) {
    policy.exemptions = {exemption(
        {"docker.io"},
        {any_of<RuleId>({RuleId::kMutableTag, RuleId::kTagFormat, RuleId::kRegistryAllowed})})};
  }
  if (once_in(8)) policy.placeholders = {"auto"};
  return policy;
}

/// Images as people write them, and as they should not.
inline std::string any_image() {
  const std::string repository =
      any_text({"nginx", "web", "registry.corp:5000/shop/web", "registry.corp:5000/shop/fe-web",
                "quay.io/team/old", "quay.io/team/app", "fe-mobile-web", "docker.io/a/b"});
  const std::string tag =
      any_text({"", ":latest", ":v1.4.2", ":1.4.2", ":v1.4.2-prod", ":v1.4.2-dev", ":prod", ":dev",
                ":fe-v1.4.2", ":20250405-build", ":vision-v1.2.0-prod", ":banana"});
  const std::string digest = once_in(4) ? "@sha256:" + std::string(64, 'a') : std::string();
  if (!once_in(8)) return repository + tag + digest;
  return any_text({"", "auto", "Nginx:1.27", " nginx:1.27",
                   "https://registry.corp:5000/shop/web:v1", "nginx:", "nginx@sha256:abc",
                   "shop//web", "a b", std::string(64, 'a'), "registry:x/web:v1",
                   "nginx@md5:0123"});
}

/// Texts live as long as the program: a property makes few.
inline std::string_view kept(std::string text) {
  static auto* const texts = new std::vector<std::unique_ptr<std::string>>;
  return *texts->emplace_back(std::make_unique<std::string>(std::move(text)));
}

inline void any_labels(std::vector<Label>& labels) {
  labels.clear();
  if (!once_in(3)) {
    labels.push_back(
        {"environment", kept(any_text({"prod", "dev", "test", "qa", "Production", ""}))});
  }
  if (once_in(3)) labels.push_back({kVersionKey, kept(any_text({"1.4.2", "v1.4.2", "1.0.0"}))});
  if (once_in(4)) labels.push_back({"owner", "a"});
  if (once_in(4)) labels.push_back({"cost", kept(any_text({"0042", "x"}))});
}

inline void any_pod(Workload& workload) {
  any_labels(workload.pod.labels);
  if (workload.is_pod) {
    workload.labels = workload.pod.labels;
  } else {
    any_labels(workload.labels);
  }
  workload.pod.images.clear();
  const auto add = [&](ImageList list, std::string_view name) {
    std::uint32_t index = 0;
    for (const ImageField& field : workload.pod.images) index += field.list == list ? 1 : 0;
    workload.pod.images.push_back({list, index, name, kept(any_image())});
  };
  if (once_in(4)) add(ImageList::kInitContainers, "init");
  if (!once_in(20)) add(ImageList::kContainers, "web");
  if (once_in(3)) add(ImageList::kContainers, "side");
  if (once_in(8)) add(ImageList::kVolumes, "model");
}

inline Workload any_workload() {
  Workload workload;
  workload.is_pod = once_in(3);
  workload.kind = workload.is_pod ? "Pod" : "Deployment";
  workload.pod_path = workload.is_pod ? "" : "spec.template";
  workload.name = "checkout";
  workload.namespace_name = kept(any_text({"shop", "tools"}));
  if (once_in(3)) {
    workload.is_update = true;
    any_pod(workload);
    workload.old_pod = workload.pod;
    workload.old_labels = workload.labels;
    if (once_in(2)) {  // an update of a label alone
      any_labels(workload.pod.labels);
      if (workload.is_pod) workload.labels = workload.pod.labels;
      return workload;
    }
  }
  any_pod(workload);
  return workload;
}

inline std::vector<Label> any_namespace_labels() {
  std::vector<Label> labels;
  if (!once_in(3)) labels.push_back({"environment", kept(any_text({"prod", "dev", "test"}))});
  if (once_in(2)) labels.push_back({"team", kept(any_text({"fe", "mobile"}))});
  return labels;
}

}  // namespace belay::policy::testing
