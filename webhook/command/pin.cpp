// Reads every file, asks once about each tag, and only then gives anything out.
#include "webhook/command/pin.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <ostream>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "policy/pinning.h"
#include "policy/policy_set.h"
#include "webhook/check/check.h"
#include "webhook/check/pin.h"
#include "webhook/check/unified_diff.h"
#include "webhook/command/pin_output.h"
#include "webhook/command/progress_line.h"
#include "webhook/namespaces/fixed_namespaces.h"
#include "webhook/registry/resolver.h"
#include "webhook/system/replace_file.h"

namespace belay::webhook::command {
namespace {

using check::PinFile;
using check::PinnedImage;
using check::PinStatus;
using registry::ImageName;

int refuse(Streams& streams, std::string_view problem) {
  streams.err << "belay pin: " << problem << "\nTry: belay pin --help\n";
  return kExitError;
}

/// Which images of an object are meant.
class Chooser {
 public:
  /// \param policies  nullptr: every image is meant
  Chooser(const policy::PolicySet* policies, const namespaces::FixedNamespaces& namespaces)
      : policies_(policies), namespaces_(namespaces) {}

  void operator()(const policy::Workload& workload, std::vector<bool>& chosen) {
    if (policies_ == nullptr) {
      chosen.assign(chosen.size(), true);
      return;
    }
    labels_.clear();
    (void)namespaces_.find(workload.namespace_name, labels_);
    policy::NamespaceFacts ns;
    ns.labels = labels_;
    policy::Facts facts;
    facts.today = today_utc();
    facts.ns = &ns;
    policy::plan_pins(*policies_, workload, facts, pins_);
    for (const policy::Pin& pin : pins_) chosen.at(pin.image) = true;
  }

 private:
  const policy::PolicySet* policies_;
  const namespaces::FixedNamespaces& namespaces_;
  std::vector<policy::Label> labels_;
  std::vector<policy::Pin> pins_;
};

int refuse_to_ask(const check::DigestLookups& lookups, Streams& streams) {
  std::set<std::string> hosts;
  for (const auto& [key, image] : lookups) hosts.insert(image.registry);
  streams.err << fmt::format(
      "belay pin: {} tag{} to be resolved, and belay asks only registries in the file of "
      "--registries.\nThe smallest file for these manifests:\n\n{}\nSave it as registries.yaml, "
      "and run "
      "the command again with --registries registries.yaml\n",
      lookups.size(), lookups.size() == 1 ? " is" : "s are",
      smallest_registries({hosts.begin(), hosts.end()}));
  return kExitError;
}

check::Digests ask_registries(const check::DigestLookups& lookups, const RegistryAccess& access,
                              const MakeReader& make_reader, Streams& streams) {
  if (lookups.empty()) return {};
  const auto reader = make_reader(access.registries, patient_options());
  registry::Resolver resolver(*reader, registry::ResolverOptions());
  ProgressLine progress(lookups.size(), streams);
  return check::look_up_all(
      lookups,
      [&](const ImageName& image) {
        return resolver.digest(image, access.keyring.find(image.registry, image.repository),
                               registry::Clock::now() + kTimeToAsk);
      },
      kQuestionsAtOnce,
      [&](std::size_t answered, std::size_t failed) { progress.show(answered, failed); });
}

/// What became of a file that not everything is known of.
void add_problems(const PinFile& file, std::vector<report::InputError>& errors) {
  for (const report::InputError& error : file.images.errors) errors.push_back(error);
  for (const PinnedImage& image : file.results) {
    if (image.status != PinStatus::kUnresolved) continue;
    errors.push_back({image.scalar->place, fmt::format("\"{}\" could not be resolved: {}",
                                                       image.scalar->image, image.problem)});
  }
  if (!file.problem.empty()) errors.push_back({{file.origin.path}, file.problem});
}

/// A file alone comes out as its text, so that it can be piped on; of several the difference.
bool is_one_file(const std::vector<std::string>& paths) {
  std::error_code ignored;
  return paths.size() == 1 && !std::filesystem::is_directory(paths.front(), ignored);
}

void give_out(const PinOptions& options, std::span<PinFile> files, bool as_text, Streams& streams,
              std::vector<report::InputError>& errors) {
  for (PinFile& file : files) {
    if (!file.complete) continue;
    if (options.write) {
      if (!file.changes()) continue;
      if (const auto done = replace_file(file.origin.path, file.text, file.pinned); !done) {
        errors.push_back({{file.origin.path}, done.error()});
        file.complete = false;
      }
    } else if (as_text) {
      streams.out << file.pinned;
    } else {
      streams.out << check::unified_diff(file.origin.path, file.text, file.pinned);
    }
  }
}

std::string pin_problem(const PinOptions& options, const std::vector<std::string>& paths) {
  if (paths.empty()) return "nothing to pin: give -f FILE, -f DIR, or -f - for standard input";
  if (static_cast<int>(options.write) + static_cast<int>(options.check) +
          static_cast<int>(options.diff) >
      1) {
    return "give one of --write, --check and --diff";
  }
  if (options.write && std::ranges::find(paths, "-") != paths.end()) {
    return "standard input has no file to write to: remove --write";
  }
  return "";
}

}  // namespace

int run_pin(const PinOptions& options, const MakeReader& make_reader, Streams& streams) {
  const std::vector<std::string> paths = options.manifests.all();
  if (const std::string problem = pin_problem(options, paths); !problem.empty()) {
    return refuse(streams, problem);
  }
  const auto extra = read_extra_templates(options.evaluation, streams);
  const auto access = load_registries(options.registries, streams);
  std::optional<policy::PolicySet> policies;
  if (!options.evaluation.policies.empty()) policies = read_policies(options.evaluation, streams);
  if (!extra || !access || (!policies && !options.evaluation.policies.empty())) return kExitError;
  if (policies && std::ranges::none_of(policies->policies,
                                       [](const auto& policy) { return policy->pin.enabled; })) {
    streams.err << "none of the policies has pin.enabled: true, so there is nothing to pin\n";
  }

  PinRun run;
  run.check = options.check;
  std::vector<InputFile> inputs = read_inputs(paths, streams.in, run.errors);
  namespaces::FixedNamespaces namespaces;
  for (const InputFile& input : inputs) check::learn_namespaces(input.text, namespaces);
  if (!add_namespaces(options.evaluation, namespaces, streams)) return kExitError;

  std::vector<PinFile> files(inputs.size());
  check::DigestLookups lookups;
  Chooser chooser(policies ? &*policies : nullptr, namespaces);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    files[i].origin = std::move(inputs[i].origin);
    files[i].text = std::move(inputs[i].text);
    files[i].images = check::find_images(
        files[i].origin, files[i].text, options.manifests.default_namespace, *extra,
        [&](const policy::Workload& workload, std::vector<bool>& chosen) {
          chooser(workload, chosen);
        });
    check::add_lookups(files[i].images, options.check, lookups);
  }
  const bool may_ask = !options.registries.registries.empty();
  if (!may_ask && !options.check && !lookups.empty()) return refuse_to_ask(lookups, streams);
  const check::Digests digests =
      may_ask ? ask_registries(lookups, *access, make_reader, streams) : check::Digests{};
  for (PinFile& file : files) {
    decide(file, digests);
    add_problems(file, run.errors);
  }
  const bool json = options.output == "json";
  if (!options.check && (options.write || !json)) {
    give_out(options, files, is_one_file(paths) && !options.diff, streams, run.errors);
  }
  run.files = files;
  if (json) {
    print_pin_json(run, streams.out);
  } else {
    print_images(run, options.check && streams.color, options.check ? streams.out : streams.err);
  }
  print_errors(run, streams.err);
  if (!json) print_summary(run, options.check ? streams.out : streams.err);
  if (!run.errors.empty()) return kExitError;
  return options.check && run.unpinned() != 0 ? kExitFindings : kExitClean;
}

Run define_pin(const CommandLine& line) {
  auto options = std::make_shared<PinOptions>();
  declare_manifests(line, options->manifests);
  declare_registries(line, options->registries);
  line.flag("-w,--write", options->write, "Write the digests into the files, in place");
  line.flag("--check", options->check,
            "Write nothing; list images without a digest, and exit with 1 if there are any");
  line.flag("--diff", options->diff, "Print a unified diff, also for a single file");
  declare_evaluation(line, options->evaluation, "Pin only what `pin` of these policies selects");
  line.option("-o,--output", options->output, "Format of the output")
      .type_name("FORMAT")
      .choices({"text", "json"})
      .show_default();
  return [options](Streams& streams) { return run_pin(*options, make_registry_client, streams); };
}

}  // namespace belay::webhook::command
