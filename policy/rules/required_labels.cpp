// required-labels: refuses missing business labels (owner, domain, and so on) and values outside
// list or pattern, on the pod, the object, or both. Pure.
#include <array>
#include <string>

#include "policy/rules/rule.h"
#include "policy/rules/value_constraint.h"
#include "policy/rules/words.h"

namespace belay::policy {

namespace {

constexpr std::array<std::string_view, 3> kOnWords = {"pod", "object", "both"};

void visit(SettingsVisitor& visitor, Rules& rules) {
  RequiredLabelsSettings& settings = rules.required_labels.emplace();
  visit_mode(visitor, settings.mode);
  visitor.constraints({.name = "labels",
                       .summary = "Label to {} (any value), {values: [...]} or {pattern: RE2 over "
                                  "the whole value}",
                       .required = true},
                      TextForm::kLabelValue, settings.labels);
  int on = static_cast<int>(settings.on);
  visitor.choice({.name = "on",
                  .summary = "Whose labels are evaluated: the pod's (or pod template's), the "
                             "object's, or both",
                  .default_text = "pod"},
                 {.words = kOnWords}, on);
  settings.on = static_cast<LabelsOn>(on);
}

void evaluate(const Evaluation& evaluation, Findings& findings) {
  const RequiredLabelsSettings& settings = *evaluation.policy.rules.required_labels;
  const Workload& workload = evaluation.workload;
  // The labels of a Pod are both the object's and the pod's.
  const bool on_pod = settings.on != LabelsOn::kObject || workload.is_pod;
  const bool on_object = settings.on != LabelsOn::kPod && !workload.is_pod;
  for (const auto& [key, constraint] : settings.labels) {
    for (const bool of_pod : {true, false}) {
      if (of_pod ? !on_pod : !on_object) continue;
      const std::string_view* value =
          find_label(of_pod ? workload.pod.labels : workload.labels, key);
      const std::string problem = value == nullptr ? "the label " + quote(key) + " is missing"
                                                   : problem_with(constraint, *value);
      if (problem.empty()) continue;
      const Fix fix = {.advice = (value == nullptr ? "Add " : "Set ") + key + ": " +
                                 wanted_value(constraint)};
      if (of_pod) {
        findings.pod_label(key, problem, fix);
      } else {
        findings.object_label(key, problem, fix);
      }
    }
  }
}

void offer_label(const Evaluation& evaluation, const Target& label, LabelOffers& offers) {
  const RequiredLabelsSettings& settings = *evaluation.policy.rules.required_labels;
  const LabelsOn excluded =
      label.kind == Target::Kind::kPodLabel ? LabelsOn::kObject : LabelsOn::kPod;
  if (settings.on == excluded && !evaluation.workload.is_pod) return;
  for (const auto& [key, constraint] : settings.labels) {
    if (key == label.key) offer_values(constraint, offers);
  }
}

}  // namespace

RuleType required_labels_rule() {
  return {.summary = "refuses missing business labels, or values outside a list or pattern",
          .enabled = is_enabled<&Rules::required_labels>,
          .mode = mode_of<&Rules::required_labels>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .evaluate = evaluate,
          .offer_label = offer_label};
}

}  // namespace belay::policy
