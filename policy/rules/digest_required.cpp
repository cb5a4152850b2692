// digest-required: refuses an image without digest. Pure.
#include "policy/matching.h"
#include "policy/rules/rule.h"

namespace belay::policy {

namespace {

void visit(SettingsVisitor& visitor, Rules& rules) {
  DigestRequiredSettings& settings = rules.digest_required.emplace();
  visit_mode(visitor, settings.mode);
  visitor.repository_globs({.name = "images",
                            .summary = "Globs on the repositories that are judged",
                            .default_text = "all"},
                           settings.images);
}

void judge(const Judgement& judgement, Findings& findings) {
  const auto& globs = judgement.policy.rules.digest_required->images;
  for (const JudgedImage& image : judgement.images) {
    if (!image.readable() || image.reference->has_digest()) continue;
    const ImageReference& reference = *image.reference;
    if (!is_among(globs, reference)) continue;
    const std::string digest = findings.known_digest(image);
    findings.image(image, "has no digest",
                   "Write the digest behind it, as in " + std::string(reference.text) + "@" +
                       (digest.empty() ? "sha256:<64 hex digits>" : digest));
  }
}

}  // namespace

RuleType digest_required_rule() {
  return {.id = RuleId::kDigestRequired,
          .key = "digestRequired",
          .summary = "refuses an image without digest",
          .enabled = is_enabled<&Rules::digest_required>,
          .mode = mode_of<&Rules::digest_required>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .judge = judge};
}

}  // namespace belay::policy
