// WWW-Authenticate of a registry (RFC 9110 section 11.6.1): which schemes it offers, with their
// parameters. What a scheme makes of them stands in scheme.h. Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::webhook::registry {

struct Challenge {
  std::string scheme;  ///< in lower case: "bearer"
  /// Names in lower case, values unescaped; no name stands twice.
  std::vector<std::pair<std::string, std::string>> parameters = {};

  /// The value of a parameter, "" where it is absent.
  std::string_view get(std::string_view name) const;
};

/// The challenges of one header's value, in their order. Text that breaks the grammar ends the
/// reading; what was read before it counts.
std::vector<Challenge> read_challenges(std::string_view value);

}  // namespace belay::webhook::registry
