// Finds an image that all rules accept in place of one that is refused. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/draft.h"
#include "policy/rule_run.h"
#include "policy/verdict.h"
#include "policy/workload.h"

namespace belay::policy {

/// A field that has to change, with the findings that want it to.
struct Problem {
  Target target;
  std::string field;
  std::vector<const Finding*> findings;
  Mode mode = Mode::kEnforce;  ///< findings as strict as this must go
};

/// What was found for an image, for all containers with the same image.
struct ImageOutcome {
  std::string form;      ///< "" where nothing is accepted, or the image may stay
  std::string obstacle;  ///< why nothing is accepted
  std::vector<std::string> alternatives;
  bool or_digest = false;  ///< it would do by digest alone, too
};

/// Why no value is offered: `no single change satisfies every rule: tag-format of policy "a" …`.
std::string obstacle_by(const Finding& finding, std::string_view value);

/// \param problem  about an image
/// \param may_stay  whether the image, as it is, may do now that labels have changed
ImageOutcome find_image(const RuleRun& run, const Workload& workload, Draft& draft,
                        const Problem& problem, bool may_stay);

}  // namespace belay::policy
