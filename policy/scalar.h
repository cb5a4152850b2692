// The value of a plain YAML scalar: text, null, boolean or number, as sigs.k8s.io/yaml
// (kubectl's reader) resolves it. Used by document.cpp alone and by its tests. Pure and
// thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

namespace belay::policy {

enum class ScalarMeaning : std::uint8_t { kText, kNull, kBool, kInteger, kFloat };

/// \param text  of a scalar without quotes
/// Source: go-yaml v2 resolve.go: YAML 1.1 booleans (y, yes, on, …), integers in Go's base-0
/// notation with `_` between digits, decimal floats, .inf and .nan. A date is a text.
ScalarMeaning scalar_meaning(std::string_view text);

}  // namespace belay::policy
