// `belay check`: evaluates manifests as the webhook would, with the line of every finding.
#include <algorithm>
#include <expected>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/message.h"
#include "policy/policy_set.h"
#include "webhook/check/check.h"
#include "webhook/check/resolved_images.h"
#include "webhook/command/command.h"
#include "webhook/command/evaluation_options.h"
#include "webhook/command/manifest_inputs.h"
#include "webhook/command/progress_line.h"
#include "webhook/command/registry_options.h"
#include "webhook/namespaces/fixed_namespaces.h"
#include "webhook/registry/image_facts.h"
#include "webhook/registry/resolver.h"
#include "webhook/report/report.h"
#include "webhook/tag_history/history_file.h"

namespace belay::webhook::command {
namespace {

struct CheckOptions {
  EvaluationOptions evaluation;
  ManifestOptions manifests;
  std::string output = "text";
  bool resolve = false;
  RegistryOptions registries;
  std::string tag_history;  ///< "" where not given
};

/// A tag history that is read and never written: a check admits nothing.
class ReadHistory final : public registry::TagRecords {
 public:
  /// \param entries  nothing where no file was named
  explicit ReadHistory(std::optional<tag_history::RecordMap> entries)
      : entries_(std::move(entries)) {}
  std::expected<std::optional<policy::TagRecord>, std::string> first(
      std::string_view repository, std::string_view tag) const override {
    if (!entries_) return std::unexpected("there is no --tag-history FILE to compare it with");
    const auto found = entries_->find(tag_history::record_key(repository, tag));
    if (found == entries_->end()) return std::nullopt;
    return found->second;
  }
  void saw(std::string_view /*repository*/, std::string_view /*tag*/,
           const policy::TagRecord& /*record*/) override {}

 private:
  const std::optional<tag_history::RecordMap> entries_;
};

/// What --resolve asks, and through what; kept together because each rests on the one before.
struct Resolving {
  RegistryAccess access;
  std::unique_ptr<ReadHistory> memory;
  std::unique_ptr<registry::RegistryReader> reader;
  std::unique_ptr<registry::Resolver> resolver;
  std::unique_ptr<registry::ImageFactSource> source;
  std::unique_ptr<check::ResolvedImages> images;
};

/// Rounds of evaluating and asking. A fact can lead to a finding whose image is then asked for its
/// digest; further than that nothing leads.
constexpr int kRounds = 4;

std::string check_problem(const CheckOptions& options) {
  const RegistryOptions& registries = options.registries;
  if (options.resolve && registries.registries.empty()) {
    return "--resolve asks only the registries of --registries: give --registries FILE";
  }
  if (!options.resolve && (!registries.registries.empty() || !registries.docker_configs.empty() ||
                           !options.tag_history.empty())) {
    return "--registries, --docker-config and --tag-history are for --resolve";
  }
  return "";
}

/// \return nothing where a file does not read: every error has been printed
std::unique_ptr<Resolving> make_resolving(const CheckOptions& options, Streams& streams) {
  auto out = std::make_unique<Resolving>();
  auto access = load_registries(options.registries, streams);
  std::optional<tag_history::RecordMap> memory;
  if (!options.tag_history.empty()) {
    auto read = tag_history::read_history_file(options.tag_history);
    if (!read) {
      streams.err << "--tag-history: " << policy::escape(read.error()) << '\n';
      return nullptr;
    }
    for (const std::string& problem : read->problems) {
      streams.err << policy::escape(options.tag_history + ": " + problem) << '\n';
    }
    memory = std::move(read->entries);
  }
  if (!access) return nullptr;
  out->access = std::move(*access);
  out->memory = std::make_unique<ReadHistory>(std::move(memory));
  out->reader = make_registry_client(out->access.registries, patient_options());
  out->resolver = std::make_unique<registry::Resolver>(*out->reader, registry::ResolverOptions());
  out->source = std::make_unique<registry::ImageFactSource>(*out->resolver, out->access.keyring,
                                                            nullptr, out->memory.get());
  out->images = std::make_unique<check::ResolvedImages>(*out->source);
  return out;
}

/// The policies, whose tag-moved at most warns: without a tag history it can only say so.
policy::PolicySet without_history(const policy::PolicySet& policies) {
  std::vector<std::shared_ptr<const policy::Policy>> changed;
  for (const auto& policy : policies.policies) {
    auto copy = std::make_shared<policy::Policy>(*policy);
    if (copy->rules.tag_moved) {
      copy->rules.tag_moved->on_registry_error = policy::OnRegistryError::kAllow;
    }
    changed.push_back(std::move(copy));
  }
  return policy::make_policy_set(std::move(changed));
}

/// Evaluates all files; with `images`, again with what was learned, until nothing more is wanted.
/// \param report  comes with what could not be read
void evaluate_all(check::Checker& checker, const std::vector<InputFile>& files,
                  check::ResolvedImages* images, Streams& streams, report::Report& report) {
  const report::Report start = report;
  for (int round = 1;; ++round) {
    report = start;
    for (const InputFile& file : files) checker.check(file.origin, file.text, report);
    const std::size_t wanted = images == nullptr ? 0 : images->wanted();
    if (wanted == 0 || round == kRounds) return;
    ProgressLine progress(wanted, streams);
    images->ask_all(kQuestionsAtOnce, kTimeToAsk,
                    [&](std::size_t done, std::size_t failed) { progress.show(done, failed); });
  }
}

/// Says which namespaces nothing was evaluated in: no finding there reads like a clean bill.
void tell_unmatched(const report::Report& report, const policy::PolicySet& policies,
                    std::ostream& err) {
  constexpr std::size_t kShown = 5;
  std::size_t left = report.unmatched_namespaces.size();
  if (left == 0) return;
  err << "note: no policy matches namespace ";
  std::string_view separator;
  for (const std::string& name : report.unmatched_namespaces) {
    if (left + kShown == report.unmatched_namespaces.size()) break;
    err << separator << '"' << policy::escape(name) << '"';
    separator = ", ";
    --left;
  }
  if (left != 0) err << " and " << left << " more";
  err << ": nothing was evaluated there";
  const bool by_labels = std::ranges::any_of(policies.policies, [](const auto& policy) {
    return !policy->match.namespace_selector.empty();
  });
  if (by_labels) {
    err << ". Policies go by labels of namespaces; give those of the cluster, such as "
           "--namespace-labels "
        << policy::escape(*report.unmatched_namespaces.begin()) << ":environment=prod";
  }
  err << '\n';
}

int run_check(const CheckOptions& options, Streams& streams) {
  const std::vector<std::string> paths = options.manifests.all();
  if (paths.empty()) {
    streams.err << "belay check: nothing to check: give -f FILE, -f DIR, or -f - for standard "
                   "input\nTry: belay check --help\n";
    return kExitError;
  }
  if (const std::string problem = check_problem(options); !problem.empty()) {
    streams.err << "belay check: " << problem << "\nTry: belay check --help\n";
    return kExitError;
  }
  auto policies = read_policies(options.evaluation, streams);
  const auto extra = read_extra_templates(options.evaluation, streams);
  if (!policies || !extra) return kExitError;
  std::unique_ptr<Resolving> resolving;
  if (options.resolve) {
    resolving = make_resolving(options, streams);
    if (resolving == nullptr) return kExitError;
    if (options.tag_history.empty()) policies = without_history(*policies);
  }

  report::Report report;
  const std::vector<InputFile> files = read_inputs(paths, streams.in, report.errors);
  namespaces::FixedNamespaces namespaces;
  for (const InputFile& file : files) check::learn_namespaces(file.text, namespaces);
  if (!add_namespaces(options.evaluation, namespaces, streams)) return kExitError;

  admission::ImageAccess images = check::Checker::offline();
  if (resolving != nullptr) {
    images.offline = false;
    images.source = resolving->images.get();
  }
  check::Checker checker(*policies, namespaces, today_utc, options.manifests.default_namespace,
                         *extra, images);
  evaluate_all(checker, files, resolving == nullptr ? nullptr : resolving->images.get(), streams,
               report);

  for (const report::InputError& error : report.errors) {
    streams.err << report::to_string(error.place) << ": " << policy::escape(error.message) << '\n';
  }
  tell_unmatched(report, *policies, streams.err);
  report::find_format(options.output)->print(report, streams.color, streams.out);
  if (!report.errors.empty()) return kExitError;
  return report.count(policy::Mode::kEnforce) == 0 ? kExitClean : kExitFindings;
}

}  // namespace

Run define_check(const CommandLine& line) {
  auto options = std::make_shared<CheckOptions>();
  declare_evaluation(line, options->evaluation);
  declare_manifests(line, options->manifests);
  line.flag("--resolve", options->resolve,
            "Ask registries: rules that need one are evaluated, and a refused tag comes with its "
            "digest");
  declare_registries(line, options->registries);
  line.option("--tag-history", options->tag_history,
              "File of belay serve --tag-history, for the rule tag-moved")
      .type_name("FILE");
  std::vector<std::string> names;
  std::string uses;
  for (const report::Format& format : report::formats()) {
    names.emplace_back(format.name);
    uses.append(uses.empty() ? "" : ", ").append(format.name).append(" ").append(format.use);
  }
  line.option("-o,--output", options->output, "Format of the output (" + uses + ")")
      .type_name("FORMAT")
      .choices(names)
      .show_default();
  return [options](Streams& streams) { return run_check(*options, streams); };
}

}  // namespace belay::webhook::command
