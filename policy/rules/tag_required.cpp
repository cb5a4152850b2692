// tag-required: refuses an image with neither tag nor digest, which means "latest". Pure.
#include "policy/rules/rule.h"
#include "policy/rules/suggestion.h"

namespace belay::policy {

namespace {

void visit(SettingsVisitor& visitor, Rules& rules) {
  visit_mode(visitor, rules.tag_required.emplace().mode);
}

void judge(const Judgement& judgement, Findings& findings) {
  for (const JudgedImage& image : judgement.images) {
    if (!image.readable() || image.reference->has_tag() || image.reference->has_digest()) continue;
    findings.image(
        image, "has neither tag nor digest, which means the tag \"latest\"",
        "Add a version tag or a digest, such as " + suggested_image(judgement, *image.reference));
  }
}

}  // namespace

RuleType tag_required_rule() {
  return {.id = RuleId::kTagRequired,
          .key = "tagRequired",
          .summary = "refuses an image with neither tag nor digest",
          .enabled = is_enabled<&Rules::tag_required>,
          .mode = mode_of<&Rules::tag_required>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .judge = judge};
}

}  // namespace belay::policy
