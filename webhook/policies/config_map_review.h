// What is answered about a ConfigMap that holds policies: refused while one of them is invalid,
// with every error and its line, so that its author learns of it at `kubectl apply` or in
// `kubectl edit`. Pure; off the path of workloads.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "policy/budget.h"
#include "webhook/admission/config_map_review.h"
#include "webhook/admission/review.h"

namespace belay::webhook::policies {

/// A ConfigMap that is made or changed must hold policies that read, if it carries the label. One
/// that loses the label, or goes, is let pass with a warning; any other is no business of ours.
/// \param today  UTC; exemptions that have expired are warned of
/// \param budget  where none is left nothing is read: new texts are refused, with the request to
///     try again, and the rest is let pass. nullptr: endless
admission::ConfigMapResponse review_config_map(const admission::Review& review,
                                               std::chrono::year_month_day today,
                                               policy::Budget* budget = nullptr);

}  // namespace belay::webhook::policies
