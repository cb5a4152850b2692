// mutable-tag: refuses "latest" and other tags that move by convention. Pure.
#include <algorithm>
#include <utility>

#include "policy/rules/rule.h"
#include "policy/rules/suggestion.h"
#include "policy/rules/words.h"

namespace belay::policy {

namespace {

void visit(SettingsVisitor& visitor, Rules& rules) {
  MutableTagSettings& settings = rules.mutable_tag.emplace();
  visit_mode(visitor, settings.mode);
  visitor.tag_globs({.name = "tags",
                     .summary = "Globs on tags that can move, compared without case",
                     .default_text = "the built-in list"},
                    settings.tags, settings.globs);
  visitor.flag({.name = "allowWithDigest",
                .summary = "Whether such a tag may stand in front of a digest",
                .default_text = "true"},
               settings.allow_with_digest);
  if (!settings.tags.empty()) return;
  use_builtin_tags(settings);
}

void judge(const Judgement& judgement, Findings& findings) {
  const MutableTagSettings& settings = *judgement.policy.rules.mutable_tag;
  for (const JudgedImage& image : judgement.images) {
    if (!image.readable()) continue;
    const ImageReference& reference = *image.reference;
    const bool unnamed = !reference.has_tag();
    // tag-required says it where it is on; a digest alone never moves.
    if (unnamed && (reference.has_digest() || judgement.policy.rules.tag_required)) continue;
    if (reference.has_digest() && settings.allow_with_digest) continue;
    if (!settings.globs.matches(unnamed ? "latest" : reference.tag)) continue;
    if (unnamed) {
      findings.image(
          image, "has neither tag nor digest, which means \"latest\", which can move",
          "Add a version tag or a digest, such as " + suggested_image(judgement, reference));
    } else if (reference.has_digest()) {
      findings.image(image,
                     "has tag " + quote(reference.tag) + ", which can move, beside its digest",
                     "Use a version tag, such as " + suggested_image(judgement, reference) + "@" +
                         std::string(reference.digest));
    } else {
      findings.image(
          image, "has tag " + quote(reference.tag) + ", which can move",
          "Use a version tag or a digest, such as " + suggested_image(judgement, reference));
    }
  }
}

}  // namespace

RuleType mutable_tag_rule() {
  return {.id = RuleId::kMutableTag,
          .key = "mutableTag",
          .summary = "refuses latest and other tags that move by convention",
          .enabled = is_enabled<&Rules::mutable_tag>,
          .mode = mode_of<&Rules::mutable_tag>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .judge = judge};
}

}  // namespace belay::policy
