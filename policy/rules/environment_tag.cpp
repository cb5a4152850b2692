// environment-tag: refuses a tag whose environment part contradicts the pod's environment. Pure.
#include "policy/rules/environment.h"
#include "policy/rules/rule.h"
#include "policy/rules/suggestion.h"
#include "policy/rules/words.h"

namespace belay::policy {

namespace {

void visit(SettingsVisitor& visitor, Rules& rules) {
  EnvironmentTagSettings& settings = rules.environment_tag.emplace();
  visit_mode(visitor, settings.mode);
  visitor.text_lists({.name = "suffixes",
                      .summary = "Environment to the ends of its tags",
                      .default_text = "what {environment} of tagFormat says"},
                     TextForm::kTagSuffix, settings.suffixes);
  visitor.text({.name = "label",
                .summary = "Pod label that names the environment",
                .default_text = "environmentLabel.label"},
               TextForm::kLabelKey, settings.label);
  visitor.flag({.name = "required",
                .summary = "Whether a tag that names no environment is a finding",
                .default_text = "false"},
               settings.required);
}

void judge(const Judgement& judgement, Findings& findings) {
  const Policy& policy = judgement.policy;
  const std::string_view key = environment_tag_label(policy);
  const std::string_view* pod = find_label(judgement.workload.pod.labels, key);
  const std::string_view environment = pod == nullptr ? std::string_view() : *pod;
  for (const JudgedImage& image : judgement.images) {
    if (!image.readable() || !image.reference->has_tag()) continue;
    const TagEnvironment tag = tag_environment(judgement, policy, *image.reference, environment);
    if (tag.known && (tag.fits || environment.empty())) continue;
    if (!tag.known && !policy.rules.environment_tag->required) continue;
    const Circumstances circumstances = {.other_changed =
                                             judgement.workload.pod_label_changed(key)};
    const std::string advice = "such as " + suggested_image(judgement, *image.reference);
    if (!tag.known) {
      findings.image(image, "has a tag that names no environment",
                     "Use a tag that names one, " + advice, circumstances);
      continue;
    }
    findings.image(image,
                   "has a tag for environment " + quote(tag.stands_for) + " (" + quote(tag.word) +
                       "), but the pod has " + std::string(key) + " " + quote(environment),
                   "Use an image for " + std::string(environment) + ", " + advice, circumstances);
  }
}

}  // namespace

RuleType environment_tag_rule() {
  return {.id = RuleId::kEnvironmentTag,
          .key = "environmentTag",
          .summary = "refuses a tag whose environment part contradicts the pod's environment",
          .enabled = is_enabled<&Rules::environment_tag>,
          .mode = mode_of<&Rules::environment_tag>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .judge = judge};
}

}  // namespace belay::policy
