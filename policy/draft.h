// An object as it would be with some fields changed, and what the rules in force say of it. Belongs
// to one evaluation.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/fix.h"
#include "policy/rule_run.h"
#include "policy/verdict.h"
#include "policy/workload.h"

namespace belay::policy {

/// Rules that ask registries are left out: nothing is known of an image that is only tried.
class Draft {
 public:
  /// \param workload  outlives the draft, as everything else does
  Draft(const RuleRun& run, const Workload& workload, const EvaluatedImages& within);

  /// Writes a value without gaps into a field.
  void set(const Target& target, std::string_view value);

  /// The findings about the object as it is now; valid until the next call.
  const std::vector<Finding>& findings();
  /// Those about one image, if the object had it in that place.
  const std::vector<Finding>& findings_about(std::size_t image, std::string_view text);
  /// What the rules of one policy look at now, for what they offer.
  Evaluation evaluation(std::size_t policy);

  /// Whether to stop: the budget, or the bound on all tries, is used up. Findings are then of no
  /// use.
  bool is_over() const { return over_ || work_ > most_; }

 private:
  EvaluatedImage parsed(const Workload& workload, std::size_t image) const;
  void parse_images();
  void run(const Workload& workload, std::span<EvaluatedImage> images,
           const EvaluatedImages& within);

  const RuleRun& run_;
  const EvaluatedImages& within_;
  Workload workload_;
  Workload one_image_;             ///< the same with one image, as it is on CREATE
  std::deque<std::string> texts_;  ///< that the two borrow
  std::vector<EvaluatedImage> images_;
  std::optional<EvaluatedImages> images_within_;  ///< none where images_ have to be parsed again
  Verdict verdict_;
  const std::size_t most_;  ///< that work_ may be
  std::size_t work_ = 0;    ///< images that rules ran over
  bool over_ = false;
};

}  // namespace belay::policy
