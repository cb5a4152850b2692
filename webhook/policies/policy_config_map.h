// The policies that one ConfigMap holds: each key of its data that ends in .yaml, .yml or .json is
// the text of one policy. What the watch of ConfigMaps puts in force and what /validate-policy lets
// pass is read here, so that the two can't differ. Pure and thread-safe.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"
#include "webhook/policies/policy_files.h"

namespace belay::webhook::policies {

/// Makes a ConfigMap one of policies, with the value "true".
inline constexpr std::string_view kPolicyLabel = "belay.dev/policy";

/// `data` of a ConfigMap: key -> text.
using ConfigMapData = std::map<std::string, std::string, std::less<>>;

/// Whether a key of a ConfigMap (or a file) of this name holds policies: .yaml, .yml or .json.
bool has_policy_suffix(std::string_view key);

/// The first 12 hex digits of the SHA-256 of a policy's text: Policy::revision.
std::string policy_revision(std::string_view text);

/// YAML nodes of all policies of a ConfigMap, aliases expanded. Whoever may write one, or reaches
/// the webhook's port, has every thread that answers read it: a few kilobytes of aliases would take
/// tens of megabytes and a second each.
inline constexpr std::size_t kMaxConfigMapNodes = 20'000;

/// Bytes of all policies of a ConfigMap: Kubernetes keeps no more of its values (MaxSecretSize in
/// pkg/apis/core/types.go), so whatever is larger never came from an API server.
inline constexpr std::size_t kMaxConfigMapBytes = 1U << 20U;

struct ConfigMapPolicies {
  /// By the key that holds it ("production.yaml"). Source and revision are set; `only_namespace` is
  /// the caller's, who knows which namespace is belay's own.
  std::map<std::string, policy::Policy> by_key;
  /// One for each invalid key, with every error of it; `file` is "data[production.yaml]". A
  /// ConfigMap without any policy is a problem too, of "data".
  std::vector<PolicyProblem> problems;

  /// How many lines format() of the problems gives.
  std::size_t error_count() const;
};

/// Reads the policies of the ConfigMap `namespace_name`/`name`. Of two policies of one name the
/// second is a problem, in the order of the keys.
ConfigMapPolicies read_policy_config_map(std::string_view namespace_name, std::string_view name,
                                         const ConfigMapData& data);

}  // namespace belay::webhook::policies
