// The sentence of a fix. Pure.
#pragma once

#include <string>

#include "policy/verdict.h"

namespace belay::policy {

/// `Use a version tag or a digest, such as shop/web:<version>-prod`: without a full stop at its
/// end, user text unescaped.
std::string fix_text(const Finding& finding);

}  // namespace belay::policy
