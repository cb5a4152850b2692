// Policies from files and directories: loading with every error, and watching them.
//
// load_policies() is a plain function of the file system. PolicyWatch follows changes by inotify on
// the directories (Kubernetes' ..data swap included) with a slow poll behind it, and publishes
// whole sets; a policy that does not read leaves its last good version in force.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"
#include "policy/policy_reader.h"
#include "webhook/system/snapshot.h"

namespace belay::webhook::policies {

/// Message of a directory without policy files, and of a file without a document.
inline constexpr std::string_view kNoPolicy = "contains no policy";

struct PolicyProblem {
  std::string file;  ///< as given or found
  std::vector<policy::PolicyError> errors;
  std::string message;  ///< of the file itself (cannot be read); "" where `errors` speak
  /// Lines `file:line:column: path: message`.
  std::string format() const;
};

/// What one look at the paths found. Keys are the files; where one file holds several policies,
/// with the document or ConfigMap key behind them ("policies.yaml (2)", "cm.yaml data[prod.yaml]").
struct LoadedPolicies {
  std::map<std::string, std::shared_ptr<const policy::Policy>> by_file;
  std::vector<PolicyProblem> problems;
};

/// Reads each path: a file, or every .yaml, .yml and .json of a directory (not recursive).
/// A file may be a stream of documents; ConfigMap manifests (and Lists of them) are read for the
/// policies they hold, and positions in their block scalars are positions of the manifest. Two
/// policies of one name are a problem of the second; so is a path without any policy.
/// A directory that Kubernetes swaps by its ..data link is read from one side of the swap.
LoadedPolicies load_policies(const std::vector<std::string>& paths);

/// The same for one text that is already read ("-" of the command line).
LoadedPolicies load_policy_text(const std::string& name, std::string_view text);

/// The policies in force, by name.
std::shared_ptr<const policy::PolicySet> make_policy_set(const LoadedPolicies& loaded);

/// What became of a reload, for log and metrics.
struct ReloadReport {
  std::size_t in_force = 0;
  std::size_t kept = 0;  ///< of these: last good versions of files that no longer read
  std::vector<PolicyProblem> problems;
};

/// Follows the paths. What a file held stays in force while the file does not read, or while a path
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
