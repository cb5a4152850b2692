// Document -> policy, strictly: every error at once, each with line, column and path.
// Stateless, thread-safe, no I/O.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "policy/document.h"
#include "policy/policy.h"

namespace belay::policy {

struct PolicyError {
  Position position;
  std::string path;     ///< "spec.rules.mutableTag.tags[2]"
  std::string message;  ///< what is wrong and what to write, with the nearest known key

  /// `file:line:column: path: message`
  std::string format(std::string_view file) const;
};

/// Regular expressions of one policy at most. Compiling one takes up to 2 ms, so a text of
/// nothing else would take minutes to read.
inline constexpr std::size_t kMaxExpressions = 256;

/// Templates of tags of one policy at most, expressions among them.
inline constexpr std::size_t kMaxTemplates = 1'000;

/// YAML nodes of one policy at most, aliases expanded.
inline constexpr std::size_t kMaxPolicyNodes = 200'000;

/// What policies that belong together, as those of a ConfigMap do, may take yet. Each that is read
/// takes its share off.
struct PolicyBudget {
  std::size_t expressions = kMaxExpressions;
  std::size_t nodes = kMaxPolicyNodes;  ///< 0 after a text that has more
  bool exceeded = false;                ///< the text read last has more nodes than were left for it
};

/// Reads one policy. The text must be exactly one document.
/// \param source  where it came from, kept in the policy
/// \param budget  what is left for it; nullptr where it shares no bound
/// \return the policy (its revision left empty), or every error, by position.
std::expected<Policy, std::vector<PolicyError>> read_policy(std::string_view text,
                                                            PolicySource source,
                                                            PolicyBudget* budget = nullptr);

/// The same for a document that is already read, whose nodes are not counted.
std::expected<Policy, std::vector<PolicyError>> read_policy(const Node& root, PolicySource source,
                                                            PolicyBudget* budget = nullptr);

/// The policy that `belay serve` uses when none is given: tag-required and mutable-tag enforced.
Policy builtin_policy();

}  // namespace belay::policy
