// namespace-environment: refuses to change or remove a namespace's environment label once it is
// set, through any subresource: what runs in the namespace was admitted by it. The one rule about
// namespaces. Pure.
#include <algorithm>

#include "policy/rules/rule.h"
#include "policy/rules/words.h"

namespace belay::policy {

namespace {

void visit(SettingsVisitor& visitor, Rules& rules) {
  NamespaceEnvironmentSettings& settings = rules.namespace_environment.emplace();
  visit_mode(visitor, settings.mode);
  visitor.text({.name = "namespaceLabel",
                .summary = "Label of the namespace that names its environment",
                .default_text = "environmentNamespace.namespaceLabel, else environmentLabel.label"},
               TextForm::kLabelKey, settings.namespace_label);
  visitor.texts({.name = "breakGlassGroups",
                 .summary = "Groups whose members may change it",
                 .default_text = "none"},
                TextForm::kAny, settings.break_glass_groups);
}

bool may_break_glass(const NamespaceEnvironmentSettings& settings, const Workload& workload) {
  const auto& groups = settings.break_glass_groups;
  return std::find_first_of(workload.user_groups.begin(), workload.user_groups.end(),
                            groups.begin(), groups.end()) != workload.user_groups.end();
}

void evaluate(const Evaluation& evaluation, Findings& findings) {
  const NamespaceEnvironmentSettings& settings = *evaluation.policy.rules.namespace_environment;
  const Workload& workload = evaluation.workload;
  const std::string& key = settings.namespace_label.empty() ? evaluation.policy.environment_label()
                                                            : settings.namespace_label;
  const std::string_view* before = find_label(workload.old_labels, key);
  if (!workload.is_update || before == nullptr || before->empty()) return;  // set the first time
  if (!workload.object_label_changed(key) || may_break_glass(settings, workload)) return;

  const std::string_view* now = find_label(workload.labels, key);
  const bool is_set = now != nullptr && !now->empty();
  Fix fix = {.verb = is_set ? "Set" : "Keep", .proposal = std::string(*before)};
  if (is_set) fix.otherwise.append(", or make a new namespace for ").append(*now);
  if (!settings.break_glass_groups.empty()) {
    fix.otherwise.append("; members of ")
        .append(one_of(settings.break_glass_groups))
        .append(" may change it");
  }
  fix.advice.append(fix.verb).append(" ").append(key).append(": ").append(*before);
  fix.advice += fix.otherwise;
  std::string problem = "would replace ";
  if (now == nullptr) {
    problem = "the label ";
    problem.append(quote(key)).append(" (").append(quote(*before)).append(") would be removed");
  } else {
    problem.append(quote(*before));
  }
  problem.append(", and a namespace keeps its environment once it is set");
  findings.object_label(key, std::move(problem), std::move(fix));
}

}  // namespace

RuleType namespace_environment_rule() {
  return {.summary = "refuses to change or remove a namespace's environment label once it is set",
          .subject = Subject::kNamespace,
          .enabled = is_enabled<&Rules::namespace_environment>,
          .mode = mode_of<&Rules::namespace_environment>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .evaluate = evaluate};
}

}  // namespace belay::policy
