// digest-required: refuses an image without digest. Pure.
#include "policy/gaps.h"
#include "policy/matching.h"
#include "policy/rules/rule.h"

namespace belay::policy {

namespace {

void visit(SettingsVisitor& visitor, Rules& rules) {
  DigestRequiredSettings& settings = rules.digest_required.emplace();
  visit_mode(visitor, settings.mode);
  visitor.repository_globs({.name = "images",
                            .summary = "Globs on the repositories that are evaluated",
                            .default_text = "all"},
                           settings.images);
}

void evaluate(const Evaluation& evaluation, Findings& findings) {
  const auto& globs = evaluation.policy.rules.digest_required->images;
  for (const EvaluatedImage& image : evaluation.images) {
    if (!image.readable() || image.reference->has_digest()) continue;
    const ImageReference& reference = *image.reference;
    if (!is_among(globs, reference)) continue;
    std::string digest = findings.known_digest(image);
    if (digest.empty()) digest = kDigestGap;
    findings.image(image, "has no digest",
                   {.advice = "Add the digest",
                    .proposal = std::string(reference.text) + "@" + digest,
                    .digest_helps = true,
                    .names_digest = true});
  }
}

void offer_image(const Evaluation& evaluation, const ImageReference& reference,
                 ImageOffers& offers) {
  offers.digest =
      offers.digest || is_among(evaluation.policy.rules.digest_required->images, reference);
}

}  // namespace

RuleType digest_required_rule() {
  return {.summary = "refuses an image without digest",
          .enabled = is_enabled<&Rules::digest_required>,
          .mode = mode_of<&Rules::digest_required>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .evaluate = evaluate,
          .offer_image = offer_image};
}

}  // namespace belay::policy
