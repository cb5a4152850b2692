// tag-moved: refuses a tag that points to another digest than when it was first admitted. A digest
// written after the tag counts as what it points to; an image without tag and digest is refused,
// as "latest" always moves. Pure.
#include <string>
#include <string_view>

#include "policy/matching.h"
#include "policy/rules/registry.h"
#include "policy/rules/rule.h"
#include "policy/text/time_text.h"

namespace belay::policy {

namespace {

void visit(SettingsVisitor& visitor, Rules& rules) {
  TagMovedSettings& settings = rules.tag_moved.emplace();
  visit_mode(visitor, settings.mode);
  visitor.repository_globs({.name = "images",
                            .summary = "Globs on the repositories whose tags are evaluated",
                            .default_text = "all"},
                           settings.images);
  visit_on_registry_error(visitor, "deny", settings.on_registry_error);
}

/// A digest alone never moves.
bool applies(const Policy& policy, const ImageReference& reference) {
  return (reference.has_tag() || !reference.has_digest()) &&
         is_among(policy.rules.tag_moved->images, reference);
}

void ask(const Policy& policy, const ImageReference& reference, ImageNeed& need) {
  if (!reference.has_tag() || !applies(policy, reference)) return;
  need.digest = need.digest || !reference.has_digest();
  need.record = true;
}

/// A tag without record is new only where belay looked for one. What else of the image is not known
/// does not matter here.
bool known(const EvaluatedImage& image, const ImageFacts& facts) {
  return (image.reference->has_digest() || !facts.digest.empty()) &&
         (facts.first_seen || facts.record_known);
}

void check_tag(const EvaluatedImage& image, const ImageFacts& facts, Findings& findings) {
  if (!facts.first_seen) return;
  const ImageReference& reference = *image.reference;
  const TagRecord& first = *facts.first_seen;
  const std::string_view now = reference.has_digest() ? reference.digest : facts.digest;
  if (now == first.digest) return;
  const std::string tag = std::string(":").append(reference.tag);
  findings.image(image,
                 std::string(reference.has_digest() ? "names " : "points to ").append(now) +
                     ", but the tag was first admitted on " + day_text(first.time) + " as " +
                     first.digest,
                 {.advice = "Use a new tag or what was admitted",
                  .otherwise = "; an admin accepts the change with: belay tag-history clear " +
                               reference.repository_key() + tag,
                  .proposal = std::string(reference.written_name()) + tag + "@" + first.digest});
}

void evaluate(const Evaluation& evaluation, Findings& findings) {
  const TagMovedSettings& settings = *evaluation.policy.rules.tag_moved;
  for (const EvaluatedImage& image : evaluation.images) {
    if (!image.readable() || !image.changed) continue;
    if (!applies(evaluation.policy, *image.reference)) continue;
    if (!image.reference->has_tag()) {
      findings.image(image, "has neither tag nor digest, which means \"latest\", which can move",
                     {.advice = "Add a version tag", .digest_helps = true});
      continue;
    }
    const FactRequest request = {
        .what = "tag", .on_error = settings.on_registry_error, .known = known};
    if (const auto* facts = facts_or_finding(evaluation, image, request, findings)) {
      check_tag(image, *facts, findings);
    }
  }
}

}  // namespace

RuleType tag_moved_rule() {
  return {.summary = "refuses a tag that pointed to another digest when it was first admitted",
          .enabled = is_enabled<&Rules::tag_moved>,
          .mode = mode_of<&Rules::tag_moved>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .evaluate = evaluate,
          .ask = ask};
}

}  // namespace belay::policy
