// `belay lint`: reads policies as the server would and reports every error with its place.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <istream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "policy/notes.h"
#include "policy/policy_reader.h"
#include "policy/policy_schema.h"
#include "policy/rules/rule.h"
#include "webhook/command/command.h"
#include "webhook/command/evaluation_options.h"
#include "webhook/command/standard_input.h"
#include "webhook/policies/policy_files.h"

namespace belay::webhook::command {
namespace {

struct LintOptions {
  std::vector<std::string> paths;
  std::string output = "text";
  bool schema = false;
};

/// What was read, wherever it came from, in the order of the arguments.
struct Reading {
  std::shared_ptr<const policy::Policy> policy;
  std::string file;
  std::vector<std::string> notes;
};

struct Result {
  std::vector<Reading> policies;
  std::vector<policies::PolicyProblem> problems;
};

/// How many rules a policy names; image-reference is always on and counts as none.
std::size_t count_rules(const policy::Policy& policy) {
  const auto types = policy::rule_types();
  return static_cast<std::size_t>(std::count_if(
      types.begin(), types.end(),
      [&](const policy::RuleType& type) { return !type.key.empty() && type.enabled(policy); }));
}

Result read(const LintOptions& options, Streams& streams) {
  policies::LoadedPolicies loaded;
  std::vector<std::string> files;
  for (const auto& path : options.paths) {
    if (path != "-") files.push_back(path);
  }
  if (!files.empty()) loaded = policies::load_policies(files);
  if (files.size() != options.paths.size()) {
    if (const auto text = read_standard_input(streams.in)) {
      auto piped = policies::load_policy_text("-", *text);
      loaded.by_file.merge(piped.by_file);
      std::ranges::move(piped.problems, std::back_inserter(loaded.problems));
    } else {
      loaded.problems.push_back({.file = "-", .errors = {}, .message = text.error()});
    }
  }
  Result result{{}, std::move(loaded.problems)};
  const auto today = today_utc();
  for (auto& [file, policy] : loaded.by_file) {
    result.policies.push_back({policy, file, policy::policy_notes(*policy, today)});
  }
  return result;
}

void write_text(const Result& result, Streams& streams) {
  const auto color = [&](std::string_view code) { return streams.color ? code : ""; };
  for (const auto& problem : result.problems) {
    // What could not even be read is told where errors of the program are told.
    print_problem(problem, problem.errors.empty() ? streams.err : streams.out);
  }
  for (const auto& [policy, file, notes] : result.policies) {
    const auto rules = count_rules(*policy);
    fmt::print(streams.out, "{}OK{} {} ({}, {} {})\n", color("\x1b[32m"), color("\x1b[0m"),
               policy->name, policy::name_of(policy->mode), rules, rules == 1 ? "rule" : "rules");
    for (const auto& note : notes) {
      fmt::print(streams.out, "   {}note:{} {}\n", color("\x1b[33m"), color("\x1b[0m"), note);
    }
  }
}

void write_json(const Result& result, Streams& streams) {
  using Json = nlohmann::ordered_json;
  Json root{{"policies", Json::array()}, {"errors", Json::array()}};
  for (const auto& [policy, file, notes] : result.policies) {
    root["policies"].push_back({{"name", policy->name},
                                {"file", file},
                                {"mode", policy::name_of(policy->mode)},
                                {"rules", count_rules(*policy)},
                                {"revision", policy->revision},
                                {"notes", notes}});
  }
  for (const auto& problem : result.problems) {
    if (problem.errors.empty()) {
      root["errors"].push_back({{"file", problem.file}, {"message", problem.message}});
    }
    for (const auto& error : problem.errors) {
      root["errors"].push_back({{"file", problem.file},
                                {"line", error.position.line},
                                {"column", error.position.column},
                                {"path", error.path},
                                {"message", error.message}});
    }
  }
  streams.out << root.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

int run_lint(const LintOptions& options, Streams& streams) {
  if (options.schema) {
    streams.out << policy::policy_schema();
    return kExitClean;
  }
  if (options.paths.empty()) {
    streams.err << "belay lint: give a policy: a file, a directory, or - for standard input\n";
    return kExitError;
  }
  const Result result = read(options, streams);
  if (options.output == "json") {
    write_json(result, streams);
  } else {
    write_text(result, streams);
  }
  const auto unreadable = [](const policies::PolicyProblem& problem) {
    return problem.errors.empty();
  };
  if (std::ranges::any_of(result.problems, unreadable)) return kExitError;
  return result.problems.empty() ? kExitClean : kExitFindings;
}

}  // namespace

Run define_lint(const CommandLine& line) {
  auto options = std::make_shared<LintOptions>();
  line.option("POLICY", options->paths,
              "Policies or ConfigMap manifests with policies: a file, a directory, or - for "
              "standard input")
      .type_name("FILE|DIR|-");
  line.option("-o,--output", options->output, "Format of the output")
      .type_name("FORMAT")
      .choices({"text", "json"})
      .show_default();
  line.flag("--schema", options->schema,
            "Print the JSON Schema of policies, for editors, and do nothing else");
  return [options](Streams& streams) { return run_lint(*options, streams); };
}

}  // namespace belay::webhook::command
