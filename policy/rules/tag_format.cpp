// tag-format: refuses a tag that fits none of the policy's templates, digest or not. Pure.
#include <algorithm>
#include <string>
#include <utility>

#include "policy/rules/environment.h"
#include "policy/rules/rule.h"
#include "policy/rules/suggestion.h"
#include "policy/rules/words.h"

namespace belay::policy {

namespace {

void visit(SettingsVisitor& visitor, Rules& rules) {
  TagFormatSettings& settings = rules.tag_format.emplace();
  visit_mode(visitor, settings.mode);
  visitor.tag_templates({.name = "anyOf",
                         .summary = "Templates of tags, or regex: and an RE2 expression; a tag "
                                    "must fit one of them",
                         .required = true},
                        settings.any_of);
  visitor.repository_globs({.name = "images",
                            .summary = "Globs on the repositories whose tags are judged",
                            .default_text = "all"},
                           settings.images);
}

void judge(const Judgement& judgement, Findings& findings) {
  const TagFormatSettings& settings = *judgement.policy.rules.tag_format;
  for (const JudgedImage& image : judgement.images) {
    if (!image.readable() || !image.reference->has_tag()) continue;
    const ImageReference& reference = *image.reference;
    if (!tag_format_applies(judgement.policy, reference)) continue;
    const auto fits = [&](std::string_view tag) { return fits_template(judgement, settings, tag); };
    if (fits(reference.tag)) continue;
    std::string fix = "Use a tag of that form";
    // No example can be made of an expression alone; one that is refused, too, helps nobody.
    if (const std::string tag = suggested_tag(judgement, reference); fits(tag)) {
      fix.append(", such as ").append(reference.written_name()).append(":").append(tag);
    }
    findings.image(
        image,
        "has tag " + quote(reference.tag) + ", which does not fit " + one_of(settings.any_of),
        std::move(fix));
  }
}

}  // namespace

RuleType tag_format_rule() {
  return {.id = RuleId::kTagFormat,
          .key = "tagFormat",
          .summary = "refuses a tag that fits none of the templates",
          .enabled = is_enabled<&Rules::tag_format>,
          .mode = mode_of<&Rules::tag_format>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .judge = judge};
}

}  // namespace belay::policy
