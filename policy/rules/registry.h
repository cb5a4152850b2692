// What the rules about registries say alike: that a registry could not be asked. Pure.
#pragma once

#include <string_view>

#include "policy/rules/rule.h"

namespace belay::policy {

/// What a rule asks of one image, for its findings.
struct Question {
  std::string_view what;  ///< "labels", "tag"
  OnRegistryError on_error = OnRegistryError::kDeny;
  /// Whether the facts hold what the rule asked for.
  bool (*known)(const JudgedImage& image, const ImageFacts& facts) = nullptr;
};

/// The facts that the rule rests on; where they are not known, a finding says why and there are
/// none: strict as onRegistryError has it, a warning where nobody is to be asked at all.
const ImageFacts* facts_or_finding(const Judgement& judgement, const JudgedImage& image,
                                   const Question& question, Findings& findings);

}  // namespace belay::policy
