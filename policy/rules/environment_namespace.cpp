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

/// Whether pods of this environment need a namespace of the environment.
bool is_protected(const EnvironmentNamespaceSettings& settings, std::string_view environment) {
  const auto& list = settings.protected_environments;
  return std::find(list.begin(), list.end(), environment) != list.end();
}

/// `namespace "shop"`.
std::string the_namespace(const Evaluation& evaluation) {
  return "namespace " + quote(evaluation.workload.namespace_name);
}

/// Whether environment-label reports that the pod has no such label.
bool is_environment_label(const Policy& policy, std::string_view key) {
  return policy.rules.environment_label && policy.rules.environment_label->label == key;
}

/// Whether environment-label reports that no environment has this name.
bool refused_by_environment_label(const Policy& policy, std::string_view key,
                                  std::string_view value) {
  if (!is_environment_label(policy, key)) return false;
  const auto& values = policy.rules.environment_label->values;
  return std::find(values.begin(), values.end(), value) == values.end();
}

void evaluate(const Evaluation& evaluation, Findings& findings) {
  const EnvironmentNamespaceSettings& settings = *evaluation.policy.rules.environment_namespace;
  const std::string key(environment_namespace_label(evaluation.policy));
  const std::string_view* pod = find_label(evaluation.workload.pod.labels, key);
  const NamespaceEnvironment of_namespace = namespace_environment(evaluation);
  const std::string expected(of_namespace.value());

  if (of_namespace.contradicts_itself()) {
    findings.field("metadata.namespace",
                   the_namespace(evaluation) + " has environment " + quote(of_namespace.by_label) +
                       " by its label and " + quote(of_namespace.by_name) + " by its name",
                   {.advice = "Set the namespace's label to match its name", .elsewhere = true},
                   evaluation.workload.pod_label_changed(key));
  } else if (!expected.empty() && pod == nullptr) {
    if (is_environment_label(evaluation.policy, key)) return;
    findings.pod_label(key,
                       "the label " + quote(key) + " is missing in " + the_namespace(evaluation) +
                           " (environment " + quote(expected) + ")",
                       {.advice = "Add " + key + ": " + expected, .proposal = expected});
  } else if (!expected.empty() && *pod != expected) {
    std::string otherwise;
    if (!refused_by_environment_label(evaluation.policy, key, *pod)) {
      otherwise.append(", or deploy to a namespace for ")
          .append(pod->empty() ? "another environment" : *pod);
    }
    findings.pod_label(
        key,
        "does not match " + the_namespace(evaluation) + " (environment " + quote(expected) + ")",
        {.advice = "Set " + key + ": " + expected + otherwise,
         .otherwise = otherwise,
         .proposal = expected});
  } else if (expected.empty() && pod != nullptr && is_protected(settings, *pod)) {
    const std::string deploy = "eploy to a namespace for " + std::string(*pod);
    findings.pod_label(
        key,
        "needs a namespace with the same environment, but " + the_namespace(evaluation) +
            " has none",
        {.advice = "D" + deploy + ", or set another " + key, .otherwise = ", or d" + deploy});
  }
}

void offer_label(const Evaluation& evaluation, const Target& label, LabelOffers& offers) {
  if (label.kind != Target::Kind::kPodLabel) return;
  const Policy& policy = evaluation.policy;
  if (label.key != environment_namespace_label(policy)) return;
  const NamespaceEnvironment of_namespace = namespace_environment(evaluation);
  if (!of_namespace.value().empty()) return offers.add(of_namespace.value());
  for (const std::string& environment : policy.environments()) {
    if (!is_protected(*policy.rules.environment_namespace, environment)) offers.add(environment);
  }
}

}  // namespace

RuleType environment_namespace_rule() {
  return {.summary = "refuses a pod whose environment differs from its namespace's",
          .enabled = is_enabled<&Rules::environment_namespace>,
          .mode = mode_of<&Rules::environment_namespace>,
          .needs_namespace = needs_namespace<true>,
          .visit = visit,
          .evaluate = evaluate,
          .offer_label = offer_label};
}

}  // namespace belay::policy
