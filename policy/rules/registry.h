// What the rules that need registries share: the finding that a registry did not respond. Pure.
#pragma once

#include <string_view>

#include "policy/rules/rule.h"

namespace belay::policy {

/// A fact that a rule needs about an image.
struct FactRequest {
  std::string_view what;  ///< "labels", "tag"
  OnRegistryError on_error = OnRegistryError::kDeny;
  /// Whether the facts have what the rule needs.
  bool (*known)(const EvaluatedImage& image, const ImageFacts& facts) = nullptr;
};

/// The facts that the rule needs, or nullptr and a finding that says why they are not known: as
/// strict as onRegistryError says, a warning where no registry may be asked at all.
const ImageFacts* facts_or_finding(const Evaluation& evaluation, const EvaluatedImage& image,
                                   const FactRequest& request, Findings& findings);

}  // namespace belay::policy
