// Policies from files and directories, with every error. Plain functions of the file system;
// policy_watch.h follows what they read.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"
#include "policy/policy_reader.h"

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

}  // namespace belay::webhook::policies
