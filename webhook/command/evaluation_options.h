// What the commands that evaluate have in common: which policies, which namespaces, which day.
// Not thread-safe.
#pragma once

#include <chrono>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "webhook/admission/review_reader.h"
#include "webhook/command/command.h"
#include "webhook/namespaces/fixed_namespaces.h"
#include "webhook/policies/policy_files.h"

namespace belay::webhook::command {

struct EvaluationOptions {
  std::vector<std::string> policies;          ///< --policy: files and directories
  std::vector<std::string> namespace_labels;  ///< --namespace-labels: ns:key=value
  std::vector<std::string> extra_templates;   ///< --extra-template: group/Kind:path
};

/// Declares --policy, --namespace-labels and --extra-template.
/// \param policy_help  what --policy is for, and what holds without it
void declare_evaluation(const CommandLine& line, EvaluationOptions& options,
                        const std::string& policy_help =
                            "Policy file, or directory of them (default: the built-in policy)");

/// Lines `file:line:column: path: what is wrong`, escaped: a policy may come from anybody, and can
/// neither paint a terminal nor write a line of its own.
void print_problem(const policies::PolicyProblem& problem, std::ostream& out);

/// The policies of --policy; the built-in one where none is given, which `streams.err` is told.
/// \return nothing where a policy does not read: every error has been printed.
std::optional<policy::PolicySet> read_policies(const EvaluationOptions& options, Streams& streams);

/// Adds the labels of --namespace-labels. \return false where one is wrong: it has been printed.
bool add_namespaces(const EvaluationOptions& options, namespaces::FixedNamespaces& namespaces,
                    Streams& streams);

/// The custom resources of --extra-template. \return nothing where one is wrong: it has been
/// printed.
std::optional<std::vector<admission::ExtraTemplate>> read_extra_templates(
    const EvaluationOptions& options, Streams& streams);

/// The day, in UTC.
std::chrono::year_month_day today_utc();

}  // namespace belay::webhook::command
