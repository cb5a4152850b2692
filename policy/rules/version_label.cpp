// version-label: refuses a version label that contradicts the version in the tag; canary and A/B
// routes select on it. A pod of several containers has one version label, so it is enough that one
// of them agrees; init and ephemeral containers and volumes have no say. Pure.
#include <algorithm>
#include <vector>

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

/// What a tag says about the version.
struct TagVersion {
  std::string_view version;  ///< "" where it says nothing
  bool agrees = false;       ///< some way to read it gives the label's version
};

void read_as(std::string_view version, std::string_view wanted, TagVersion& found) {
  if (found.version.empty()) found.version = version;
  found.agrees = found.agrees || version == wanted;
}

/// By the templates that judge the image and have a {version}; where no template judges it, by
/// SemVer, with or without a suffix that environment-tag knows.
TagVersion version_of(const Judgement& judgement, const ImageReference& reference,
                      std::string_view wanted) {
  const Policy& policy = judgement.policy;
  TagVersion found;
  if (tag_format_applies(policy, reference)) {
    for (const TagTemplate& form : policy.rules.tag_format->templates) {
      if (judgement.images.over_templates()) break;
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
bool containers_changed(const Judgement& judgement) {
  const auto differs = [](const std::vector<ImageField>& fields, const ImageField& field) {
    return field.list == ImageList::kContainers &&
           std::none_of(fields.begin(), fields.end(), [&](const ImageField& other) {
             return other.list == field.list && other.name == field.name &&
                    other.image == field.image;
           });
  };
  const auto& now = judgement.workload.pod.images;
  const auto& before = judgement.workload.old_pod.images;
  return std::any_of(now.begin(), now.end(),
                     [&](const ImageField& field) { return differs(before, field); }) ||
         std::any_of(before.begin(), before.end(),
                     [&](const ImageField& field) { return differs(now, field); });
}

void judge(const Judgement& judgement, Findings& findings) {
  const VersionLabelSettings& settings = *judgement.policy.rules.version_label;
  const std::string_view* label = find_label(judgement.workload.pod.labels, settings.label);
  if (label == nullptr && !settings.required) return;
  const std::string_view wanted = label == nullptr ? std::string_view() : without_v(*label);

  const JudgedImage* first = nullptr;  // the container to name, and the version it has
  std::string_view version;
  for (const JudgedImage& image : judgement.images) {
    if (!image.readable() || !image.reference->has_tag()) continue;
    if (image.field->list != ImageList::kContainers) continue;
    const TagVersion found = version_of(judgement, *image.reference, wanted);
    if (label != nullptr && found.agrees) return;
    if (found.version.empty() || first != nullptr) continue;
    first = &image;
    version = found.version;
  }

  if (label != nullptr && first == nullptr) return;
  const Circumstances circumstances = {.other_changed = containers_changed(judgement)};
  const std::string set = settings.label + ": " + std::string(version);
  if (label == nullptr) {
    findings.pod_label(
        settings.label, "the label " + quote(settings.label) + " is missing",
        first == nullptr ? "Add it with the version that the image has" : "Add " + set,
        circumstances);
  } else {
    findings.pod_label(settings.label,
                       "does not match tag " + quote(first->reference->tag) + " of container " +
                           quote(first->field->name),
                       "Set " + set + ", or use the image of version " + std::string(wanted),
                       circumstances);
  }
}

}  // namespace

RuleType version_label_rule() {
  return {.id = RuleId::kVersionLabel,
          .key = "versionLabel",
          .summary = "refuses a version label that contradicts the tag's version",
          .enabled = is_enabled<&Rules::version_label>,
          .mode = mode_of<&Rules::version_label>,
          .needs_namespace = needs_namespace<false>,
          .visit = visit,
          .judge = judge};
}

}  // namespace belay::policy
