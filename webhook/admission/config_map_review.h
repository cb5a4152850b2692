// What is said about a ConfigMap that holds policies. Admission knows when to ask; how the texts
// are read is the business of webhook/policies, which hands its reviewer in.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "policy/budget.h"
#include "webhook/admission/review.h"

namespace belay::webhook::admission {

struct ConfigMapResponse {
  struct Cause {
    std::string field;    ///< "data[production.yaml]"
    std::string message;  ///< "line 3, column 5: spec.rules.mutabelTag: unknown key; …"
  };
  /// "" where it is let pass; else what kubectl shows, escaped, at most kMaxMessageBytes: which
  /// ConfigMap, then a line for every error.
  std::string refusal;
  std::vector<Cause> causes;          ///< of the refusal, at most kMaxCauses
  std::vector<std::string> warnings;  ///< at most kMaxWarnings of kMaxWarningBytes
};

/// Reviews one ConfigMap; called on the thread of its Admission.
/// \param today     UTC
/// \param budget  nullptr: endless
using ConfigMapReviewer = std::function<ConfigMapResponse(
    const Review& review, std::chrono::year_month_day today, policy::Budget* budget)>;

}  // namespace belay::webhook::admission
