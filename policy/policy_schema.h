// The JSON Schema of ImagePolicy (draft 2020-12): editors complete and check policy files with it.
// Pure and thread-safe.
#pragma once

#include <string>

namespace belay::policy {

/// From the same description that the reader uses. It covers structure; templates, expressions and
/// dates are checked by the reader alone.
std::string policy_schema();

}  // namespace belay::policy
