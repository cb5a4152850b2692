// mutable-tag: refuses "latest" and other mutable tags. Pure.
#include "policy/rules/rule.h"
#include "policy/rules/words.h"

namespace belay::policy {

namespace {

void visit(SettingsVisitor& visitor, Rules& rules) {
  MutableTagSettings& settings = rules.mutable_tag.emplace();
  visit_mode(visitor, settings.mode);
  visitor.tag_globs({.name = "tags",
                     .summary = "Globs on mutable tags; upper and lower case are equal",
                     .default_text = "the built-in list"},
                    settings.tags, settings.globs);
  visitor.flag({.name = "allowWithDigest",
                .summary = "Whether such a tag is allowed together with a digest",
                .default_text = "true"},
               settings.allow_with_digest);
  if (!settings.tags.empty()) return;
  use_builtin_tags(settings);
}

void evaluate(const Evaluation& evaluation, Findings& findings) {
  const MutableTagSettings& settings = *evaluation.policy.rules.mutable_tag;
  for (const EvaluatedImage& image : evaluation.images) {
    if (!image.readable()) continue;
    const ImageReference& reference = *image.reference;
    const bool unnamed = !reference.has_tag();
    // tag-required reports it where it is on; a digest alone never moves.
    if (unnamed && (reference.has_digest() || evaluation.policy.rules.tag_required)) continue;
    if (reference.has_digest() && settings.allow_with_digest) continue;
    if (!settings.globs.matches(unnamed ? "latest" : reference.tag)) continue;
    if (unnamed) {
      findings.image(image, "has neither tag nor digest, which means \"latest\", which can move",
                     {.advice = "Add a version tag", .digest_helps = true});
    } else if (reference.has_digest()) {
      findings.image(image,
                     "has tag " + quote(reference.tag) + ", which can move, beside its digest",
                     {.advice = "Use a version tag", .same_image = true});
    } else {
      findings.image(image, "has tag " + quote(reference.tag) + ", which can move",
                     {.advice = "Use a version tag", .digest_helps = true});
    }
  }
}

}  // namespace

RuleType mutable_tag_rule() {
  return {.summary = "refuses latest and other mutable tags",
          .enabled = is_enabled<&Rules::mutable_tag>,
          .mode = mode_of<&Rules::mutable_tag>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .evaluate = evaluate};
}

}  // namespace belay::policy
