// tag-required: refuses an image with neither tag nor digest, which means "latest". Pure.
#include "policy/rules/rule.h"

namespace belay::policy {

namespace {

void visit(SettingsVisitor& visitor, Rules& rules) {
  visit_mode(visitor, rules.tag_required.emplace().mode);
}

void evaluate(const Evaluation& evaluation, Findings& findings) {
  for (const EvaluatedImage& image : evaluation.images) {
    if (!image.readable() || image.reference->has_tag() || image.reference->has_digest()) continue;
    findings.image(image, "has neither tag nor digest, which means the tag \"latest\"",
                   {.advice = "Add a version tag", .digest_helps = true});
  }
}

}  // namespace

RuleType tag_required_rule() {
  return {.summary = "refuses an image with neither tag nor digest",
          .enabled = is_enabled<&Rules::tag_required>,
          .mode = mode_of<&Rules::tag_required>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .evaluate = evaluate};
}

}  // namespace belay::policy
