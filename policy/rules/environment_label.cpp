// environment-label: refuses a pod (or pod template) without the environment label, or with a value
// outside the list. Pure.
#include <algorithm>

#include "policy/rules/rule.h"
#include "policy/rules/words.h"
#include "policy/text/ascii.h"

namespace belay::policy {

namespace {

void visit(SettingsVisitor& visitor, Rules& rules) {
  EnvironmentLabelSettings& settings = rules.environment_label.emplace();
  visit_mode(visitor, settings.mode);
  visitor.text({.name = "label",
                .summary = "Pod label that names the environment",
                .default_text = "environment"},
               TextForm::kLabelKey, settings.label);
  visitor.texts(
      {.name = "values", .summary = "The known environments", .default_text = "[dev, test, prod]"},
      TextForm::kLabelValue, settings.values);
}

/// The environment that a value looks like ("production", "PROD"), or "".
std::string_view meant_by(const std::vector<std::string>& values, std::string_view value) {
  const std::string lower = lower_case(value);
  for (const std::string& known : values) {
    if (lower.starts_with(lower_case(known))) return known;
  }
  return {};
}

void evaluate(const Evaluation& evaluation, Findings& findings) {
  const EnvironmentLabelSettings& settings = *evaluation.policy.rules.environment_label;
  const std::string_view* value = find_label(evaluation.workload.pod.labels, settings.label);
  if (value == nullptr) {
    findings.pod_label(settings.label, "the label " + quote(settings.label) + " is missing",
                       {.advice = "Add " + settings.label + ": " + one_of(settings.values)});
    return;
  }
  if (std::find(settings.values.begin(), settings.values.end(), *value) != settings.values.end()) {
    return;
  }
  const std::string_view meant = meant_by(settings.values, *value);
  findings.pod_label(settings.label, "is not a known environment",
                     {.advice = "Set " + settings.label + ": " + one_of(settings.values),
                      .proposal = std::string(meant)});
}

void offer_label(const Evaluation& evaluation, const Target& label, LabelOffers& offers) {
  const EnvironmentLabelSettings& settings = *evaluation.policy.rules.environment_label;
  if (label.kind != Target::Kind::kPodLabel || label.key != settings.label) return;
  for (const std::string& value : settings.values) offers.add(value);
}

}  // namespace

RuleType environment_label_rule() {
  return {.summary = "refuses a pod without the environment label, or with an unknown environment",
          .enabled = is_enabled<&Rules::environment_label>,
          .mode = mode_of<&Rules::environment_label>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .evaluate = evaluate,
          .offer_label = offer_label};
}

}  // namespace belay::policy
