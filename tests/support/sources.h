// Where the sources stand. The path is compiled into one file alone, so that ccache finds what
// other clones have compiled.
#pragma once

#include <string>
#include <string_view>

namespace belay::tests {

/// A file or folder of the sources, by its path below their root, such as "docs/policies.md".
std::string source(std::string_view path);

}  // namespace belay::tests
