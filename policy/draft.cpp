// An object as it would be with some fields changed, and what the rules in force say of it.
#include "policy/draft.h"

#include <algorithm>

namespace belay::policy {

namespace {

void set_label(std::vector<Label>& labels, std::string_view key, std::string_view value) {
  const auto found = std::ranges::find(labels, key, &Label::key);
  if (found == labels.end()) {
    labels.push_back({key, value});
  } else {
    found->value = value;
  }
}

/// Where one run is much work the fix may cost a few runs more, so that it does not take the budget
/// that a verdict on the next object needs.
std::size_t most_work(const EvaluatedImages& within) {
  constexpr std::size_t kMost = 4000;
  constexpr std::size_t kRuns = 8;
  constexpr std::size_t kSingle = 64;
  return within.is_much_work() ? kRuns * (within.all().size() + 1) + kSingle : kMost;
}

}  // namespace

Draft::Draft(const RuleRun& run, const Workload& workload, const EvaluatedImages& within)
    : run_(run),
      within_(within),
      workload_(workload),
      one_image_(workload),
      most_(most_work(within)) {
  one_image_.is_update = false;
  one_image_.old_pod.clear();
  one_image_.old_labels.clear();
  one_image_.pod.images.resize(std::min<std::size_t>(one_image_.pod.images.size(), 1));
}

void Draft::set(const Target& target, std::string_view value) {
  const std::string_view text = texts_.emplace_back(value);
  if (target.kind == Target::Kind::kImage) {
    workload_.pod.images[target.image].image = text;
    images_within_.reset();
    return;
  }
  const std::string_view key = texts_.emplace_back(target.key);
  for (Workload* workload : {&workload_, &one_image_}) {
    // The labels of a Pod are both the object's and the pod's.
    if (target.kind == Target::Kind::kPodLabel || workload->is_pod) {
      set_label(workload->pod.labels, key, text);
    }
    if (target.kind == Target::Kind::kObjectLabel || workload->is_pod) {
      set_label(workload->labels, key, text);
    }
  }
}

EvaluatedImage Draft::parsed(const Workload& workload, std::size_t image) const {
  const ImageField& field = workload.pod.images[image];
  return {.field = &field,
          .reference = parse_image_reference(field.image),
          .changed = workload.image_changed(field)};
}

void Draft::parse_images() {
  if (images_within_) return;
  images_.clear();
  for (std::size_t i = 0; i < workload_.pod.images.size(); ++i) {
    images_.push_back(parsed(workload_, i));
  }
  images_within_.emplace(within_.with(images_));
}

void Draft::run(const Workload& workload, std::span<EvaluatedImage> images,
                const EvaluatedImages& within) {
  work_ += images.size() + 1;
  verdict_.clear();
  over_ = over_ || !run_rules(run_, workload, images, within, Registries::kLeaveOut, verdict_);
}

const std::vector<Finding>& Draft::findings() {
  parse_images();
  run(workload_, images_, *images_within_);
  return verdict_.findings;
}

const std::vector<Finding>& Draft::findings_about(std::size_t image, std::string_view text) {
  ImageField& field = one_image_.pod.images[0];
  field = workload_.pod.images[image];
  field.image = text;
  EvaluatedImage parsed_image = parsed(one_image_, 0);
  const std::span<EvaluatedImage> alone(&parsed_image, 1);
  run(one_image_, alone, within_.with(alone));
  std::erase_if(verdict_.findings,
                [](const Finding& finding) { return finding.target.kind != Target::Kind::kImage; });
  return verdict_.findings;
}

Evaluation Draft::evaluation(std::size_t policy) {
  parse_images();
  return run_.evaluation(policy, workload_, *images_within_);
}

}  // namespace belay::policy
