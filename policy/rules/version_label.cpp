// version-label: refuses a version label that contradicts the version in the tag; canary and A/B
// routes select on it. A pod of several containers has one version label, so one that agrees is
// enough; init and ephemeral containers and volumes do not count. Pure.
#include <algorithm>
#include <vector>

#include "policy/gaps.h"
#include "policy/rules/environment.h"
#include "policy/rules/rule.h"
#include "policy/rules/words.h"
#include "policy/tag.h"

namespace belay::policy {

namespace {

void visit(SettingsVisitor& visitor, Rules& rules) {
  VersionLabelSettings& settings = rules.version_label.emplace();
  visit_mode(visitor, settings.mode);
  visitor.text({.name = "label",
                .summary = "Pod label that names the version",
                .default_text = "app.kubernetes.io/version"},
               TextForm::kLabelKey, settings.label);
  visitor.flag({.name = "required",
                .summary = "Whether a pod without the label is a finding",
                .default_text = "false"},
               settings.required);
}

std::string_view without_v(std::string_view text) {
  if (text.size() > 1 && text[0] == 'v' && text[1] >= '0' && text[1] <= '9') text.remove_prefix(1);
  return text;
}

/// The version in a tag.
struct TagVersion {
  std::string_view version;  ///< "" where there is none
  bool agrees = false;       ///< some way to read it gives the label's version
};

void read_as(std::string_view version, std::string_view wanted, TagVersion& found) {
  if (found.version.empty()) found.version = version;
  found.agrees = found.agrees || version == wanted;
}

/// By the templates that evaluate the image and have a {version}; where no template evaluates it,
/// by SemVer, with or without a suffix that environment-tag knows.
TagVersion version_of(const Evaluation& evaluation, const ImageReference& reference,
                      std::string_view wanted) {
  const Policy& policy = evaluation.policy;
  TagVersion found;
  if (tag_format_applies(policy, reference)) {
    for (const TagTemplate& form : policy.rules.tag_format->templates) {
      if (evaluation.images.templates_exhausted()) break;
      TagParts parts;
      if (!form.has_version() || !form.match(reference.tag, &parts)) continue;
      read_as(parts.version, wanted, found);
      found.agrees = found.agrees || form.match_with_version(reference.tag, wanted);
    }
    return found;
  }
  const std::string_view tag = without_v(reference.tag);
  if (policy.rules.environment_tag) {
    for (const auto& [environment, suffixes] : policy.rules.environment_tag->suffixes) {
      for (const std::string& suffix : suffixes) {
        if (!tag.ends_with(suffix)) continue;
        const std::string_view bare = tag.substr(0, tag.size() - suffix.size());
        if (parse_semver(bare)) read_as(bare, wanted, found);
      }
    }
  }
  if (parse_semver(tag)) read_as(tag, wanted, found);
  return found;
}

/// Whether an UPDATE gave a container another image, added one or took one away: any of them may be
/// the one that agreed with the label.
bool containers_changed(const Evaluation& evaluation) {
  const auto differs = [](const std::vector<ImageField>& fields, const ImageField& field) {
    return field.list == ImageList::kContainers &&
           std::none_of(fields.begin(), fields.end(), [&](const ImageField& other) {
             return other.list == field.list && other.name == field.name &&
                    other.image == field.image;
           });
  };
  const auto& now = evaluation.workload.pod.images;
  const auto& before = evaluation.workload.old_pod.images;
  return std::any_of(now.begin(), now.end(),
                     [&](const ImageField& field) { return differs(before, field); }) ||
         std::any_of(before.begin(), before.end(),
                     [&](const ImageField& field) { return differs(now, field); });
}

/// What the tags of the containers say about the version.
struct ContainerVersion {
  const EvaluatedImage* image = nullptr;  ///< the first with a version in its tag; nullptr: none
  std::string_view version;               ///< of that image
  bool agrees = false;                    ///< some container's tag has the wanted version
};

ContainerVersion version_of_containers(const Evaluation& evaluation,
                                       const std::string_view* label) {
  const std::string_view wanted = label == nullptr ? std::string_view() : without_v(*label);
  ContainerVersion found;
  for (const EvaluatedImage& image : evaluation.images) {
    if (!image.readable() || !image.reference->has_tag()) continue;
    if (image.field->list != ImageList::kContainers) continue;
    const TagVersion tag = version_of(evaluation, *image.reference, wanted);
    found.agrees = label != nullptr && tag.agrees;
    if (found.agrees) return found;
    if (tag.version.empty() || found.image != nullptr) continue;
    found.image = &image;
    found.version = tag.version;
  }
  return found;
}

void evaluate(const Evaluation& evaluation, Findings& findings) {
  const VersionLabelSettings& settings = *evaluation.policy.rules.version_label;
  const std::string_view* label = find_label(evaluation.workload.pod.labels, settings.label);
  if (label == nullptr && !settings.required) return;
  const ContainerVersion tags = version_of_containers(evaluation, label);
  if (tags.agrees || (label != nullptr && tags.image == nullptr)) return;
  const Circumstances circumstances = {.other_changed = containers_changed(evaluation)};
  const std::string set = settings.label + ": " + std::string(tags.version);
  if (label == nullptr) {
    findings.pod_label(settings.label, "the label " + quote(settings.label) + " is missing",
                       {.advice = tags.image == nullptr
                                      ? "Add " + settings.label + " with the version of the image"
                                      : "Add " + set},
                       circumstances);
  } else {
    const std::string otherwise = ", or use the image of version " + std::string(without_v(*label));
    findings.pod_label(settings.label,
                       "does not match tag " + quote(tags.image->reference->tag) +
                           " of container " + quote(tags.image->field->name),
                       {.advice = "Set " + set + otherwise, .otherwise = otherwise}, circumstances);
  }
}

void offer_label(const Evaluation& evaluation, const Target& label, LabelOffers& offers) {
  const VersionLabelSettings& settings = *evaluation.policy.rules.version_label;
  if (label.kind != Target::Kind::kPodLabel || label.key != settings.label) return;
  const ContainerVersion tags = version_of_containers(evaluation, nullptr);
  if (tags.image != nullptr) return offers.add(tags.version);
  if (settings.required) {
    offers.values.push_back({std::string(kVersionGap), sample_text(kVersionGap)});
  }
}

}  // namespace

RuleType version_label_rule() {
  return {.summary = "refuses a version label that contradicts the tag's version",
          .enabled = is_enabled<&Rules::version_label>,
          .mode = mode_of<&Rules::version_label>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .evaluate = evaluate,
          .offer_label = offer_label};
}

}  // namespace belay::policy
