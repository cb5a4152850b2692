// Takes the findings of a policy's rules: place, mode, exemptions, what an UPDATE changed.
// Belongs to one evaluation.
#include "policy/rules/findings.h"

#include <algorithm>
#include <utility>

#include "policy/matching.h"

namespace belay::policy {

namespace {

/// Findings about images come first, in the order in which a pod runs them; then fields and labels
/// in the order in which the rule found them.
constexpr std::uint32_t kPlaceOfFields = 0xFFFFFFFE;
constexpr std::uint32_t kPlaceOfLabels = 0xFFFFFFFF;

std::uint32_t place_of(const ImageField& field) {
  return (static_cast<std::uint32_t>(field.list) << 24U) | (field.index & 0xFFFFFFU);
}

}  // namespace

bool Findings::exempt(const EvaluatedImages& images) {
  std::vector<std::size_t> expired;  // exemptions that would be needed, had they not run out
  bool any = false;
  for (const EvaluatedImage& image : images) {
    if (image.placeholder) continue;
    any = true;
    bool covered = false;
    const std::size_t expired_before = expired.size();
    for (std::size_t i = 0; i < policy_.exemptions.size() && !covered; ++i) {
      const Exemption& exemption = policy_.exemptions[i];
      if (!image.readable() ||
          !covers(exemption, rule_, workload_.namespace_name, *image.reference)) {
        continue;
      }
      covered = !exemption.expires || today_ < *exemption.expires;
      if (!covered) expired.push_back(i);
    }
    if (covered) {
      expired.resize(expired_before);
    } else if (expired.size() == expired_before) {
      return false;
    }
  }
  for (const std::size_t index : expired) tell_expired(index);
  return any && expired.empty();
}

/// An exemption for images does not cover namespaces, so only one that names the rule
/// covers a namespace.
bool Findings::exempt_namespace() {
  bool covered = false;
  for (std::size_t i = 0; i < policy_.exemptions.size() && !covered; ++i) {
    const Exemption& exemption = policy_.exemptions[i];
    const auto& rules = exemption.rules;
    if (std::find(rules.begin(), rules.end(), rule_) == rules.end()) continue;
    if (!exemption.namespaces.matches(workload_.namespace_name)) continue;
    covered = !exemption.expires || today_ < *exemption.expires;
    if (!covered) tell_expired(i);
  }
  return covered;
}

void Findings::tell_expired(std::size_t index) {
  const auto known = [&](const ExpiredExemption& e) {
    return e.policy == &policy_ && e.index == index;
  };
  if (std::none_of(verdict_.expired.begin(), verdict_.expired.end(), known)) {
    verdict_.expired.push_back({.policy = &policy_, .index = index});
  }
}

void Findings::add(Finding finding, bool changed, Circumstances circumstances) {
  finding.rule = rule_;
  finding.mode = std::min(mode_, circumstances.at_most);
  finding.unchanged = workload_.is_update && !changed && !circumstances.other_changed;
  finding.policies.push_back(&policy_);
  verdict_.findings.push_back(std::move(finding));
}

void Findings::image(const EvaluatedImage& image, std::string problem, Fix fix,
                     Circumstances circumstances) {
  if (exempt(EvaluatedImages({&image, 1}, nullptr, false))) return;
  Finding finding;
  finding.target = {.kind = Target::Kind::kImage,
                    .image = static_cast<std::size_t>(image.field - workload_.pod.images.data()),
                    .key = {}};
  finding.place = place_of(*image.field);
  finding.field = workload_.image_path(*image.field);
  finding.container = image.field->name;
  finding.value = image.field->image;
  finding.has_value = !image.field->image.empty();
  finding.problem = std::move(problem);
  finding.fix = std::move(fix);
  add(std::move(finding), image.changed, circumstances);
}

void Findings::label(Target target, std::string field, Labels labels, std::string problem, Fix fix,
                     bool changed, Circumstances circumstances) {
  Finding finding;
  finding.place = kPlaceOfLabels;
  finding.field = std::move(field);
  const std::string_view* value = find_label(labels, target.key);
  finding.has_value = value != nullptr;
  if (finding.has_value) finding.value = *value;
  finding.target = std::move(target);
  finding.problem = std::move(problem);
  finding.fix = std::move(fix);
  add(std::move(finding), changed, circumstances);
}

void Findings::pod_label(std::string_view key, std::string problem, Fix fix,
                         Circumstances circumstances) {
  if (exempt(images_)) return;
  label({.kind = Target::Kind::kPodLabel, .key = std::string(key)}, workload_.pod_label_path(key),
        workload_.pod.labels, std::move(problem), std::move(fix), workload_.pod_label_changed(key),
        circumstances);
}

void Findings::object_label(std::string_view key, std::string problem, Fix fix) {
  if (workload_.is_namespace ? exempt_namespace() : exempt(images_)) return;
  label({.kind = Target::Kind::kObjectLabel, .key = std::string(key)},
        workload_.object_label_path(key), workload_.labels, std::move(problem), std::move(fix),
        workload_.object_label_changed(key), {});
}

void Findings::field(std::string path, std::string problem, Fix fix, bool changed) {
  if (exempt(images_)) return;
  Finding finding;
  finding.place = kPlaceOfFields;
  finding.field = std::move(path);
  finding.problem = std::move(problem);
  finding.fix = std::move(fix);
  add(std::move(finding), changed, {});
}

}  // namespace belay::policy
