// Reads the settings about labels: value constraints and Kubernetes label selectors.
#pragma once

#include "policy/policy.h"
#include "policy/selector.h"
#include "policy/settings_reader.h"

namespace belay::policy {

/// {} | {values: [...]} | {pattern: ...}. \param reader  of that mapping \param form  of the values
ValueConstraint read_constraint(SettingsReader& reader, TextForm form);

/// A Kubernetes LabelSelector. \param reader  of the mapping with matchLabels and matchExpressions
LabelSelector read_selector(SettingsReader& reader);

}  // namespace belay::policy
