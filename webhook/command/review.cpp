// `belay review`: one AdmissionReview through the server's code path, from standard input to
// standard output.
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "policy/message.h"
#include "webhook/admission/admission.h"
#include "webhook/admission/blocking_waiter.h"
#include "webhook/command/command.h"
#include "webhook/command/evaluation_options.h"
#include "webhook/command/standard_input.h"
#include "webhook/http/server.h"
#include "webhook/http_client/proxy.h"
#include "webhook/namespaces/fixed_namespaces.h"
#include "webhook/policies/config_map_review.h"
#include "webhook/registry/registry_service.h"

namespace belay::webhook::command {
namespace {

struct ReviewOptions {
  EvaluationOptions evaluation;
  bool mutate = false;
  std::string registries;
  std::vector<std::string> docker_configs;
};

/// What asks registries, as in the server but for the tag history and pull secrets.
class Asking {
 public:
  Asking(const std::string& registries, const std::vector<std::string>& docker_configs)
      : service_(options_of(registries, docker_configs), nullptr, {}) {}
  /// \return what is wrong with the files
  std::vector<std::string> start() {
    auto started = service_.start();
    return started ? std::vector<std::string>() : std::move(started.error());
  }
  admission::ImageSource& source() { return service_.image_source(); }
  admission::ImageLookups& lookups() { return lookups_; }

 private:
  static registry::RegistryServiceOptions options_of(
      const std::string& registries, const std::vector<std::string>& docker_configs) {
    registry::RegistryServiceOptions options{.registries_file = registries,
                                             .docker_config_files = docker_configs};
    options.client.proxies = http_client::proxies_of_environment();
    return options;
  }

  registry::RegistryService service_;
  admission::ImageLookups lookups_{service_.image_source(), {.threads = 8}};
};

int run_review(const ReviewOptions& options, Streams& streams) {
  if (options.registries.empty() && !options.docker_configs.empty()) {
    streams.err << "belay review: --docker-config needs --registries: credentials are sent only to "
                   "registries in that list\nTry: belay review --help\n";
    return kExitError;
  }
  const auto policies = read_policies(options.evaluation, streams);
  namespaces::FixedNamespaces namespaces;
  if (!policies || !add_namespaces(options.evaluation, namespaces, streams)) return kExitError;
  const auto extra = read_extra_templates(options.evaluation, streams);
  if (!extra) return kExitError;
  std::optional<Asking> asking;
  if (!options.registries.empty()) {
    asking.emplace(options.registries, options.docker_configs);
    const std::vector<std::string> problems = asking->start();
    for (const std::string& problem : problems) streams.err << problem << '\n';
    if (!problems.empty()) return kExitError;
  }

  auto body = read_standard_input(streams.in);
  if (!body) {
    streams.err << "belay review: " << body.error() << '\n';
    return kExitError;
  }
  if (const std::size_t limit = http::ServerOptions().max_body_bytes; body->size() > limit) {
    streams.err << "413: the review is larger than " << limit << " bytes\n";
    return kExitError;
  }
  admission::Admission admission(namespaces,
                                 {.today = today_utc,
                                  .extra_templates = *extra,
                                  .images = {.source = asking ? &asking->source() : nullptr},
                                  .config_maps = policies::review_config_map});
  admission::Request request{options.mutate ? admission::Endpoint::kMutate
                                            : admission::Endpoint::kValidate};
  admission::BlockingWaiter waiter(asking ? &asking->lookups() : nullptr);
  std::string out;
  const admission::Result result =
      *admission.admit(request, *policies, {body->data(), body->size()}, out, waiter);
  if (result.outcome == admission::Outcome::kBadRequest) {
    streams.err << result.http_status << " " << name_of(result.error_code) << ": "
                << result.error_message << '\n';
    return kExitError;
  }
  streams.out << out << '\n';
  return result.outcome == admission::Outcome::kAllowed ? kExitClean : kExitFindings;
}

}  // namespace

Run define_review(const CommandLine& line) {
  auto options = std::make_shared<ReviewOptions>();
  declare_evaluation(line, options->evaluation);
  line.flag("--mutate", options->mutate, "Respond as /mutate does (default: /validate)");
  line.option("--registries", options->registries, "Registries that belay may ask; default: none")
      .type_name("FILE");
  line.option("--docker-config", options->docker_configs,
              "Docker config file with credentials for them; repeatable")
      .repeatable()
      .type_name("FILE");
  return [options](Streams& streams) { return run_review(*options, streams); };
}

}  // namespace belay::webhook::command
