// The kinds that belay evaluates and where each keeps its pod: the one table that the review
// reader, `belay check`, the metrics' closed set of kinds and, through
// charts/belay/files/workloads.yaml, the chart's webhooks go by. Constant data, thread-safe.
#pragma once

#include <span>
#include <string_view>

namespace belay::webhook::workload {

/// A built-in kind with pods in it.
struct WorkloadKind {
  std::string_view group;      ///< "apps", "" for core
  std::string_view kind;       ///< "Deployment"
  std::string_view resources;  ///< as the API server names them, in version v1 of the group
  std::string_view pod_path;   ///< dotted path to the pod template; "" for a Pod itself
};

/// Kinds that are answered about without a pod in them; metrics know them by name.
inline constexpr std::string_view kNamespaceKind = "Namespace";
inline constexpr std::string_view kConfigMapKind = "ConfigMap";

std::span<const WorkloadKind> workload_kinds();

/// The row of a group and kind, or nullptr where belay does not evaluate it.
const WorkloadKind* find_workload_kind(std::string_view group, std::string_view kind);

}  // namespace belay::webhook::workload
