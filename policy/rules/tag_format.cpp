// tag-format: refuses a tag that fits none of the policy's templates, digest or not. Pure.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "policy/rules/environment.h"
#include "policy/rules/rule.h"
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
                            .summary = "Globs on the repositories whose tags are evaluated",
                            .default_text = "all"},
                           settings.images);
}

void evaluate(const Evaluation& evaluation, Findings& findings) {
  const TagFormatSettings& settings = *evaluation.policy.rules.tag_format;
  for (const EvaluatedImage& image : evaluation.images) {
    if (!image.readable() || !image.reference->has_tag()) continue;
    const ImageReference& reference = *image.reference;
    if (!tag_format_applies(evaluation.policy, reference)) continue;
    if (fits_template(evaluation, settings, reference.tag)) continue;
    findings.image(
        image,
        "has tag " + quote(reference.tag) + ", which does not fit " + one_of(settings.any_of),
        {.advice = "Use a tag of that form",
         .digest_helps = !reference.has_digest(),
         .same_image = true});
  }
}

void offer_image(const Evaluation& evaluation, const ImageReference& reference,
                 ImageOffers& offers) {
  const Policy& policy = evaluation.policy;
  if (!tag_format_applies(policy, reference)) return;
  const std::string_view environment = intended_environment(evaluation);
  // {environment} may be meant in a suffix's word: "staging" where the environment is "test".
  std::vector<std::string_view> words = {environment};
  for (const std::string_view suffix : suffixes_of(policy, environment)) {
    words.push_back(without_separator(suffix));
  }
  for (const TagTemplate& form : policy.rules.tag_format->templates) {
    for (const std::string_view word : words) {
      std::string tag = form.form({.environment = word});
      if (!tag.empty()) offers.tags.push_back(std::move(tag));
      if (!form.has_environment()) break;
    }
    if (offers.tags.size() >= kMaxOffers) break;
  }
}

}  // namespace

RuleType tag_format_rule() {
  return {.summary = "refuses a tag that fits none of the templates",
          .enabled = is_enabled<&Rules::tag_format>,
          .mode = mode_of<&Rules::tag_format>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .evaluate = evaluate,
          .offer_image = offer_image};
}

}  // namespace belay::policy
