// The table of evaluated kinds. Versions do not matter: the API server converts (matchPolicy:
// Equivalent), and the pod's place is the same in every version of a group.
#include "webhook/workload/workload_kinds.h"

namespace belay::webhook::workload {
namespace {

constexpr WorkloadKind kKinds[] = {
    {"", "Pod", "pods, pods/ephemeralcontainers", ""},
    {"apps", "ReplicaSet", "replicasets", "spec.template"},
    {"apps", "Deployment", "deployments", "spec.template"},
    {"apps", "StatefulSet", "statefulsets", "spec.template"},
    {"apps", "DaemonSet", "daemonsets", "spec.template"},
    {"batch", "Job", "jobs", "spec.template"},
    {"batch", "CronJob", "cronjobs", "spec.jobTemplate.spec.template"},
    {"", "ReplicationController", "replicationcontrollers", "spec.template"},
    {"", "PodTemplate", "podtemplates", "template"},
};

}  // namespace

std::span<const WorkloadKind> workload_kinds() { return kKinds; }

const WorkloadKind* find_workload_kind(std::string_view group, std::string_view kind) {
  for (const WorkloadKind& row : kKinds) {
    if (row.kind == kind && row.group == group) return &row;
  }
  return nullptr;
}

}  // namespace belay::webhook::workload
