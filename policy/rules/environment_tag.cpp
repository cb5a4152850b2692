// environment-tag: refuses a tag whose environment part contradicts the pod's environment. Pure.
#include "policy/rules/environment.h"
#include "policy/rules/rule.h"
#include "policy/rules/words.h"

namespace belay::policy {

namespace {

void visit(SettingsVisitor& visitor, Rules& rules) {
  EnvironmentTagSettings& settings = rules.environment_tag.emplace();
  visit_mode(visitor, settings.mode);
  visitor.text_lists({.name = "suffixes",
                      .summary = "Environment to the ends of its tags",
                      .default_text = "the {environment} of tagFormat"},
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

void evaluate(const Evaluation& evaluation, Findings& findings) {
  const Policy& policy = evaluation.policy;
  const std::string_view key = environment_tag_label(policy);
  const std::string_view* pod = find_label(evaluation.workload.pod.labels, key);
  const std::string_view environment = pod == nullptr ? std::string_view() : *pod;
  for (const EvaluatedImage& image : evaluation.images) {
    if (!image.readable() || !image.reference->has_tag()) continue;
    const TagEnvironment tag = tag_environment(evaluation, *image.reference, environment);
    if (tag.known && (tag.fits || environment.empty())) continue;
    if (!tag.known && !policy.rules.environment_tag->required) continue;
    const Circumstances circumstances = {.other_changed =
                                             evaluation.workload.pod_label_changed(key)};
    if (!tag.known) {
      findings.image(image, "has a tag that names no environment",
                     {.advice = "Use a tag that names one"}, circumstances);
      continue;
    }
    findings.image(image,
                   "has a tag for environment " + quote(tag.stands_for) + " (" + quote(tag.word) +
                       "), but the pod has " + std::string(key) + " " + quote(environment),
                   {.advice = "Use an image for " + std::string(environment)}, circumstances);
  }
}

void offer_image(const Evaluation& evaluation, const ImageReference& /*reference*/,
                 ImageOffers& offers) {
  const EnvironmentTagSettings& settings = *evaluation.policy.rules.environment_tag;
  const std::string_view environment = intended_environment(evaluation);
  for (const auto& [name, suffixes] : settings.suffixes) {
    const bool any = environment.empty() && settings.required;
    if (name != environment && !any) continue;
    offers.tag_suffixes.insert(offers.tag_suffixes.end(), suffixes.begin(), suffixes.end());
  }
}

}  // namespace

RuleType environment_tag_rule() {
  return {.summary = "refuses a tag whose environment part contradicts the pod's environment",
          .enabled = is_enabled<&Rules::environment_tag>,
          .mode = mode_of<&Rules::environment_tag>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .evaluate = evaluate,
          .offer_image = offer_image};
}

}  // namespace belay::policy
