// image-labels: refuses an image whose OCI labels are missing or differ. Its settings, what it asks
// registries and which images it looks at; image_metadata.cpp compares the labels. Pure: the labels
// come in as facts.
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/matching.h"
#include "policy/rules/image_metadata.h"
#include "policy/rules/registry.h"
#include "policy/rules/rule.h"
#include "policy/text_form.h"

namespace belay::policy {

namespace {

constexpr std::array<std::string_view, 2> kPlatformWords = {"all", "any"};

void visit(SettingsVisitor& visitor, Rules& rules) {
  ImageLabelsSettings& settings = rules.image_labels.emplace();
  visit_mode(visitor, settings.mode);
  visitor.constraints({.name = "labels",
                       .summary = "Label to {} (any value), {values: [...]} or {pattern: RE2 over "
                                  "the whole value}",
                       .required = true},
                      TextForm::kAny, settings.labels);
  std::vector<std::string> sources;
  visitor.texts({.name = "sources",
                 .summary = "Where labels are looked for: in the image's config, in annotations of "
                            "its manifest or index, in artifacts attached to it (OCI referrers); "
                            "one accepted value is enough",
                 .default_text = "[config, annotations, attached]"},
                TextForm::kLabelSource, sources);
  for (const std::string& name : sources) {
    if (const auto source = find_label_source(name)) settings.sources.push_back(*source);
  }
  visitor.repository_globs({.name = "images",
                            .summary = "Globs on the repositories that are evaluated",
                            .default_text = "all"},
                           settings.images);
  int platforms = static_cast<int>(settings.platforms);
  visitor.choice(
      {.name = "platforms",
       .summary = "For an image with several platforms: all of them must have the labels, "
                  "or any one of them",
       .default_text = "all"},
      {.words = kPlatformWords}, platforms);
  settings.platforms = static_cast<Platforms>(platforms);
  std::string max_age;
  visitor.text({.name = "maxAge",
                .summary = "Longest time since the image was created, by its label "
                           "org.opencontainers.image.created or its config",
                .default_text = "any"},
               TextForm::kDuration, max_age);
  settings.max_age = parse_duration(max_age).value_or(std::chrono::seconds(0));
  visit_on_registry_error(visitor, "deny", settings.on_registry_error);
}

bool applies(const Policy& policy, const ImageReference& reference) {
  return is_among(policy.rules.image_labels->images, reference);
}

bool is_named(const ImageReference& reference) {
  return reference.has_tag() || reference.has_digest();
}

void ask(const Policy& policy, const ImageReference& reference, ImageNeed& need) {
  if (!is_named(reference) || !applies(policy, reference)) return;
  need.digest = need.digest || !reference.has_digest();
  need.metadata = true;
}

bool known(const EvaluatedImage& /*image*/, const ImageFacts& facts) {
  return facts.metadata != nullptr && !facts.metadata->platforms.empty();
}

void evaluate(const Evaluation& evaluation, Findings& findings) {
  const ImageLabelsSettings& settings = *evaluation.policy.rules.image_labels;
  for (const EvaluatedImage& image : evaluation.images) {
    if (!image.readable() || !image.changed) continue;
    if (!applies(evaluation.policy, *image.reference)) continue;
    if (!is_named(*image.reference)) {
      findings.image(image, "has neither tag nor digest, so its labels cannot be looked up",
                     {.advice = "Add a version tag", .digest_helps = true});
      continue;
    }
    const FactRequest request = {
        .what = "labels", .on_error = settings.on_registry_error, .known = known};
    const auto* facts = facts_or_finding(evaluation, image, request, findings);
    if (facts == nullptr) continue;
    for (Shortcoming& found : shortcomings(settings, *facts->metadata, evaluation.now)) {
      findings.image(image, std::move(found.problem),
                     {.advice = std::move(found.fix), .elsewhere = true});
    }
  }
}

}  // namespace

RuleType image_labels_rule() {
  return {.summary = "refuses an image whose OCI labels are missing or differ; asks the registry",
          .enabled = is_enabled<&Rules::image_labels>,
          .mode = mode_of<&Rules::image_labels>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .evaluate = evaluate,
          .ask = ask};
}

}  // namespace belay::policy
