// Policies from labelled ConfigMaps: each key ending in .yaml, .yml or .json is one policy. Reads
// them, publishes whole sets, keeps the last good version of what no longer reads, and has the
// leader write what became of each ConfigMap where its author looks: the annotation
// belay.dev/status and an Event.
//
// What stays in force, and when:
// - An invalid key leaves its last good policy in force. A key, a label or a ConfigMap
//   that is taken away takes its policies along: that is its author's will.
// - The last policy of the cluster never goes, though: a webhook that is ready and lets everything
//   pass is a guard that only looks like one, and `kubectl replace --force` deletes before it
//   creates. Who wants no policy writes `mode: audit`, or deletes the webhook configuration.
// - Until a policy of belay's own namespace was read, nothing is published and belay is not ready:
//   a tenant's policy cannot make it so.
// - Policies add up. Two of one name in belay's own namespace are both in force, and the second of
//   them (by ConfigMap and key) is reported: so neither turns off the other, whichever came first,
//   and every replica decides the same. A tenant may use any name.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"
#include "webhook/kube/api.h"
#include "webhook/kube/watch.h"
#include "webhook/policies/reload_report.h"
#include "webhook/system/snapshot.h"

namespace belay::webhook::policies {

inline constexpr std::string_view kStatusAnnotation = "belay.dev/status";

class Policies final : public kube::WatchSink {
 public:
  struct Options {
    std::string own_namespace;  ///< ConfigMaps here rule the whole cluster
    bool tenants = false;       ///< ConfigMaps elsewhere rule their own namespace; else ignored
    std::string pod_name;       ///< reporting instance of Events
    /// Told when an annotation can't be written, once a status; on the writer's thread.
    std::function<void(const std::string& config_map, const std::string& problem)> status_failed =
        nullptr;
  };
  /// \param api     outlives this
  /// \param report  called after every change, and after the first list, on the watch's thread
  Policies(kube::Api& api, Options options, Snapshot<policy::PolicySet>& target,
           std::function<void(const ReloadReport&)> report);
  ~Policies() override;
  Policies(const Policies&) = delete;
  Policies& operator=(const Policies&) = delete;

  void listed(kube::Object& object) override;
  void replaced(std::vector<kube::Object> objects) override;
  void changed(kube::Object object) override;
  void deleted(const kube::Object& object) override;

  /// Whether this replica writes annotations and Events; what it has not written yet follows at
  /// once. Thread-safe; writing happens on a thread of its own and never delays the watch.
  void set_leading(bool leading);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// What is wrong with the policies of one ConfigMap, for the webhook's answer about it.
/// \return the problems; empty where all of them read.
std::vector<PolicyProblem> check_config_map(const kube::Object& config_map);

}  // namespace belay::webhook::policies
