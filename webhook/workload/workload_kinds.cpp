// The table of evaluated kinds. Versions do not matter: the API server converts (matchPolicy:
// Equivalent), and the pod's place is the same in every version of a group.
#include "webhook/workload/workload_kinds.h"

#include <array>

namespace belay::webhook::workload {
namespace {

constexpr std::array<WorkloadKind, 9> kKinds{{
    {"", "Pod", ""},
    {"apps", "ReplicaSet", "spec.template"},
    {"apps", "Deployment", "spec.template"},
    {"apps", "StatefulSet", "spec.template"},
    {"apps", "DaemonSet", "spec.template"},
    {"batch", "Job", "spec.template"},
    {"batch", "CronJob", "spec.jobTemplate.spec.template"},
    {"", "ReplicationController", "spec.template"},
    {"", "PodTemplate", "template"},
}};

}  // namespace

std::span<const WorkloadKind> workload_kinds() { return kKinds; }

const WorkloadKind* find_workload_kind(std::string_view group, std::string_view kind) {
  for (const WorkloadKind& row : kKinds) {
    if (row.kind == kind && row.group == group) return &row;
  }
  return nullptr;
}

}  // namespace belay::webhook::workload
