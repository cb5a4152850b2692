// `belay probe`: whether the cluster really refuses what belay is there to refuse, asked of the API
// server from the outside, as `kubectl apply` would. A dry run: nothing is created.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "build_info.h"
#include "policy/text_form.h"
#include "webhook/cluster/api_client.h"
#include "webhook/cluster/connection.h"
#include "webhook/command/command.h"

namespace belay::webhook::command {
namespace {

/// An image that no registry has, so that nothing is pulled should somebody drop the dry run.
constexpr std::string_view kImage = "belay.invalid/probe:latest";
constexpr std::string_view kWebhook = "validate.belay.dev";
constexpr std::chrono::seconds kDeadline{30};

struct ProbeOptions {
  std::string kubeconfig;
  std::string namespace_name = "default";
};

/// A pod that fits the strictest level of pod security, so that only its tag can be refused.
std::string probe_pod() {
  const nlohmann::json pod = {
      {"apiVersion", "v1"},
      {"kind", "Pod"},
      {"metadata", {{"generateName", "belay-probe-"}}},
      {"spec",
       {{"restartPolicy", "Never"},
        {"securityContext",
         {{"runAsNonRoot", true},
          {"runAsUser", 65532},
          {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
        {"containers",
         {{{"name", "probe"},
           {"image", kImage},
           {"securityContext",
            {{"allowPrivilegeEscalation", false}, {"capabilities", {{"drop", {"ALL"}}}}}}}}}}}};
  return pod.dump();
}

int run_probe(const ProbeOptions& options, Streams& streams) {
  const auto problem = [&streams](std::string_view text) {
    streams.err << fmt::format("belay probe: {}\n", text);
    return kExitError;
  };
  const auto connection = options.kubeconfig.empty()
                              ? cluster::in_cluster_connection()
                              : cluster::kubeconfig_connection(options.kubeconfig);
  if (!connection) return problem(connection.error());
  cluster::ApiClient api(*connection, "belay/" BELAY_VERSION);
  const auto answer =
      api.create(fmt::format("/api/v1/namespaces/{}/pods?dryRun=All&fieldManager=belay-probe",
                             options.namespace_name),
                 probe_pod(), kDeadline);
  if (answer) {
    streams.out << fmt::format(
        "admitted: a pod with image {} may be created in namespace {}\n"
        "No policy refuses it there, or the webhook is not asked about this namespace.\n",
        kImage, options.namespace_name);
    return kExitFindings;
  }
  const cluster::ApiError& error = answer.error();
  if (error.message.find(kWebhook) == std::string::npos) return problem(error.message);
  if (error.message.find("denied the request") == std::string::npos) return problem(error.message);
  streams.out << fmt::format("refused, as it should be, by {}:\n{}\n", kWebhook, error.message);
  return kExitClean;
}

}  // namespace

Run define_probe(CLI::App& app) {
  auto options = std::make_shared<ProbeOptions>();
  app.add_option("--kubeconfig", options->kubeconfig,
                 "Ask as the current context of this file; left out, as this pod's ServiceAccount")
      ->type_name("FILE");
  app.add_option("-n,--namespace", options->namespace_name, "Namespace of the pod")
      ->type_name("NAME")
      ->check([](const std::string& name) {
        const std::string wrong = policy::check_text(policy::TextForm::kObjectName, name);
        return wrong.empty() ? wrong : fmt::format("\"{}\" {}", name, wrong);
      })
      ->capture_default_str();
  return [options](Streams& streams) { return run_probe(*options, streams); };
}

}  // namespace belay::webhook::command
