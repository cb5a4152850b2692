// Follows policy files: inotify on the directories (Kubernetes' ..data swap included) with a slow
// poll behind it, for file systems that tell nothing. Publishes whole sets; an invalid policy
// leaves its last good version in force.
//
// start() and stop() belong to one thread; reports come on the watch's own.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "webhook/policies/reload_report.h"
#include "webhook/system/snapshot.h"

namespace belay::webhook::policies {

/// Follows the paths. What a file held stays in force while the file is invalid, or while a path
/// that was given is away; a file that goes from a directory takes its policies along. The last
/// policy never goes: a set without any is not published.
class PolicyWatch {
 public:
  /// \param report  called after every look that changed something, on the watching thread (and
  ///        once by start()).
  PolicyWatch(std::vector<std::string> paths, Snapshot<policy::PolicySet>& target,
              std::function<void(const ReloadReport&)> report,
              std::chrono::milliseconds poll = std::chrono::seconds(10));
  ~PolicyWatch();
  PolicyWatch(const PolicyWatch&) = delete;
  PolicyWatch& operator=(const PolicyWatch&) = delete;

  /// Loads, publishes and starts to watch. \return the first report.
  ReloadReport start();
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::policies
