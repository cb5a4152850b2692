// The fix to copy: a reference that the policies in force would take in place of a refused one.
// Pure; only runs once there is a finding.
#pragma once

#include <string>

#include "policy/rules/rule.h"

namespace belay::policy {

/// An example of the policy's first tag template that suits the pod's environment, with that
/// environment's suffix where it fits ("v1.4.2-prod"); without templates v1.4.2 and the suffix. The
/// first that every policy in force takes, else the first that this one takes.
std::string suggested_tag(const Judgement& judgement, const ImageReference& reference);

/// The name as the user wrote it with a suggested tag: registry.corp:5000/shop/web:v1.4.2-prod.
std::string suggested_image(const Judgement& judgement, const ImageReference& reference);

/// The environment that the object should be in: its namespace's where that is known, else the
/// pod's where the policy knows it, else "".
std::string_view intended_environment(const Judgement& judgement);

}  // namespace belay::policy
