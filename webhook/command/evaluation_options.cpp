#include "webhook/command/evaluation_options.h"

#include <memory>
#include <ostream>
#include <utility>

#include "policy/message.h"
#include "policy/policy_reader.h"
#include "policy/policy_set.h"
#include "webhook/namespaces/fixed_namespaces.h"
#include "webhook/serve/config.h"

namespace belay::webhook::command {

void declare_evaluation(const CommandLine& line, EvaluationOptions& options,
                        const std::string& policy_help) {
  line.option("-p,--policy", options.policies, policy_help).repeatable().type_name("FILE|DIR");
  line.option("--namespace-labels", options.namespace_labels,
              "Label of a namespace, such as shop:environment=prod; repeatable")
      .repeatable()
      .type_name("LABEL");
  line.option("--extra-template", options.extra_templates,
              "Also evaluate the pod template of a custom resource, such as "
              "argoproj.io/Rollout:spec.template; repeatable")
      .repeatable()
      .type_name("GROUP/KIND:PATH");
}

void print_problem(const policies::PolicyProblem& problem, std::ostream& out) {
  if (problem.errors.empty()) out << policy::escape(problem.format()) << '\n';
  for (const policy::PolicyError& error : problem.errors) {
    out << policy::escape(error.format(problem.file)) << '\n';
  }
}

std::optional<policy::PolicySet> read_policies(const EvaluationOptions& options, Streams& streams) {
  std::vector<std::shared_ptr<const policy::Policy>> policies;
  if (options.policies.empty()) {
    streams.err << "no --policy given: using the built-in policy (tag-required and "
                   "mutable-tag, both enforced)\n";
    policies.push_back(std::make_shared<const policy::Policy>(policy::builtin_policy()));
    return policy::make_policy_set(std::move(policies));
  }
  const policies::LoadedPolicies loaded = policies::load_policies(options.policies);
  for (const policies::PolicyProblem& problem : loaded.problems)
    print_problem(problem, streams.err);
  if (!loaded.problems.empty()) return std::nullopt;
  for (const auto& [file, policy] : loaded.by_file) policies.push_back(policy);
  if (policies.empty()) {
    streams.err << "--policy: no policy found\n";
    return std::nullopt;
  }
  return policy::make_policy_set(std::move(policies));
}

bool add_namespaces(const EvaluationOptions& options, namespaces::FixedNamespaces& namespaces,
                    Streams& streams) {
  for (const std::string& text : options.namespace_labels) {
    if (const std::string problem = namespaces.add(text); !problem.empty()) {
      streams.err << "--namespace-labels: " << problem << '\n';
      return false;
    }
  }
  return true;
}

std::optional<std::vector<admission::ExtraTemplate>> read_extra_templates(
    const EvaluationOptions& options, Streams& streams) {
  std::vector<std::string> problems;
  auto extra = serve::parse_extra_templates(options.extra_templates, problems);
  for (const std::string& problem : problems) streams.err << problem << '\n';
  if (!problems.empty()) return std::nullopt;
  return extra;
}

std::chrono::year_month_day today_utc() {
  return std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
}

}  // namespace belay::webhook::command
