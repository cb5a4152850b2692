// environment-namespace: refuses a pod whose environment differs from its namespace's. Pure.
#include <algorithm>

#include "policy/rules/environment.h"
#include "policy/rules/rule.h"
#include "policy/rules/words.h"

namespace belay::policy {

namespace {

void visit(SettingsVisitor& visitor, Rules& rules) {
  EnvironmentNamespaceSettings& settings = rules.environment_namespace.emplace();
  visit_mode(visitor, settings.mode);
  visitor.text({.name = "label",
                .summary = "Pod label that names the environment",
                .default_text = "environmentLabel.label"},
               TextForm::kLabelKey, settings.label);
  visitor.text({.name = "namespaceLabel",
                .summary = "Label of the namespace that names its environment",
                .default_text = "label"},
               TextForm::kLabelKey, settings.namespace_label);
  visitor.name_globs_by({.name = "namespaces",
                         .summary = "Environment to globs on the names of its namespaces, for "
                                    "namespaces without the label",
                         .default_text = "{}"},
                        settings.namespaces);
  visitor.texts({.name = "protected",
                 .summary = "Environments whose pods need a namespace of that environment",
                 .default_text = "[prod]"},
                TextForm::kLabelValue, settings.protected_environments);
}

/// `namespace "shop"`.
std::string the_namespace(const Judgement& judgement) {
  return "namespace " + quote(judgement.workload.namespace_name);
}

/// Whether environment-label reports that the pod has no such label.
bool said_by_environment_label(const Policy& policy, std::string_view key) {
  return policy.rules.environment_label && policy.rules.environment_label->label == key;
}

/// Whether environment-label reports that no environment has this name.
bool refused_by_environment_label(const Policy& policy, std::string_view key,
                                  std::string_view value) {
  if (!said_by_environment_label(policy, key)) return false;
  const auto& values = policy.rules.environment_label->values;
  return std::find(values.begin(), values.end(), value) == values.end();
}

void judge(const Judgement& judgement, Findings& findings) {
  const EnvironmentNamespaceSettings& settings = *judgement.policy.rules.environment_namespace;
  const std::string key(environment_namespace_label(judgement.policy));
  const std::string_view* pod = find_label(judgement.workload.pod.labels, key);
  const NamespaceEnvironment of_namespace = namespace_environment(judgement);
  const std::string expected(of_namespace.value());

  if (of_namespace.contradicts_itself()) {
    findings.field("metadata.namespace",
                   the_namespace(judgement) + " has environment " + quote(of_namespace.by_label) +
                       " by its label and " + quote(of_namespace.by_name) + " by its name",
                   "Have the namespace's label and name say the same",
                   judgement.workload.pod_label_changed(key));
  } else if (!expected.empty() && pod == nullptr) {
    if (said_by_environment_label(judgement.policy, key)) return;
    findings.pod_label(key,
                       "the label " + quote(key) + " is missing in " + the_namespace(judgement) +
                           " (environment " + quote(expected) + ")",
                       "Add " + key + ": " + expected);
  } else if (!expected.empty() && *pod != expected) {
    std::string fix = "Set " + key + ": " + expected;
    if (!refused_by_environment_label(judgement.policy, key, *pod)) {
      fix.append(", or deploy to a namespace for ")
          .append(pod->empty() ? "another environment" : *pod);
    }
    findings.pod_label(
        key,
        "does not match " + the_namespace(judgement) + " (environment " + quote(expected) + ")",
        std::move(fix));
  } else if (expected.empty() && pod != nullptr &&
             std::find(settings.protected_environments.begin(),
                       settings.protected_environments.end(),
                       *pod) != settings.protected_environments.end()) {
    findings.pod_label(
        key,
        "needs a namespace of its own environment, and " + the_namespace(judgement) + " has none",
        "Deploy to a namespace for " + std::string(*pod) + ", or set another " + key);
  }
}

}  // namespace

RuleType environment_namespace_rule() {
  return {.id = RuleId::kEnvironmentNamespace,
          .key = "environmentNamespace",
          .summary = "refuses a pod whose environment differs from its namespace's",
          .enabled = is_enabled<&Rules::environment_namespace>,
          .mode = mode_of<&Rules::environment_namespace>,
          .needs_namespace = needs_namespace<true>,
          .visit = visit,
          .judge = judge};
}

}  // namespace belay::policy
