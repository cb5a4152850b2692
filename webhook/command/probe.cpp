// `belay probe`: whether the cluster really refuses what belay is there to refuse, asked of the API
// server from the outside, as `kubectl apply` would. A dry run: nothing is created.
#include <fmt/format.h>

#include <chrono>
#include <expected>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <string_view>

#include "build_info.h"
#include "policy/message.h"
#include "policy/text_form.h"
#include "policy/verdict.h"
#include "webhook/command/command.h"
#include "webhook/kube/api_client.h"
#include "webhook/kube/connection.h"

namespace belay::webhook::command {
namespace {

/// An image that no registry has, so that nothing is pulled should somebody drop the dry run.
constexpr std::string_view kImage = "belay.invalid/probe:latest";
constexpr std::string_view kWebhook = "validate.belay.dev";
constexpr std::chrono::seconds kProbeDeadline{30};

// What becomes of the pod: by policies of mode enforce, of mode warn, and of mode audit or none.
constexpr std::string_view kDenied = "denied";
constexpr std::string_view kWarned = "warned";
constexpr std::string_view kAdmitted = "admitted";

struct ProbeOptions {
  std::string kubeconfig;
  std::string namespace_name = "default";
  std::string expected{kDenied};
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

/// What the API server said to the pod.
struct Seen {
  std::string_view verdict;  ///< one of kVerdicts
  std::string text;          ///< belay's own words
};

/// Whether belay wrote this warning: it begins with a rule's id and names the image of the probe.
bool is_ours(std::string_view warning) {
  if (warning.find(kImage) == std::string_view::npos) return false;
  for (std::size_t i = 0; i < policy::kRuleCount; ++i) {
    const std::string_view id = name_of(static_cast<policy::RuleId>(i));
    if (warning.starts_with(id) && warning.substr(id.size()).starts_with(": ")) return true;
  }
  return false;
}

/// Asks. \return what was seen, or why nobody could be asked
std::expected<Seen, std::string> ask_server(const ProbeOptions& options) {
  const auto connection = kube::usual_connection(options.kubeconfig);
  if (!connection) return std::unexpected(connection.error());
  kube::ApiClient api(*connection, "belay/" BELAY_VERSION);
  const auto answer = api.create_and_hear(
      fmt::format("/api/v1/namespaces/{}/pods?dryRun=All&fieldManager=belay-probe",
                  options.namespace_name),
      probe_pod(), kProbeDeadline);
  if (!answer) {
    const std::string& message = answer.error().message;
    const bool denied = message.find(kWebhook) != std::string::npos &&
                        message.find("denied the request") != std::string::npos;
    if (!denied) return std::unexpected(message);
    return Seen{kDenied, message + '\n'};
  }
  Seen seen{kAdmitted, {}};
  for (const std::string& warning : answer->warnings) {
    if (!is_ours(warning)) continue;
    seen.verdict = kWarned;
    seen.text += policy::escape(warning) + '\n';
  }
  return seen;
}

/// What the verdict says about the cluster, in a sentence or two.
std::string explained(std::string_view verdict, std::string_view namespace_name) {
  if (verdict == kDenied) return fmt::format("denied by {}:\n", kWebhook);
  if (verdict == kWarned) return "admitted with a warning from belay (mode warn):\n";
  return fmt::format(
      "admitted: a pod with image {} may be created in namespace {}\n"
      "Either no policy of mode enforce or warn covers this namespace, or the webhook is not "
      "called for it.\n",
      kImage, namespace_name);
}

int run_probe(const ProbeOptions& options, Streams& streams) {
  const auto seen = ask_server(options);
  if (!seen) {
    streams.err << fmt::format("belay probe: {}\n", seen.error());
    return kExitError;
  }
  const bool as_expected = seen->verdict == options.expected;
  streams.out << (as_expected ? "ok, " : "") << explained(seen->verdict, options.namespace_name)
              << seen->text;
  if (as_expected && seen->verdict == kAdmitted) {
    streams.out << "This does not show that belay was asked: in mode audit only "
                   "belay_findings_total and the log do.\n";
  }
  if (!as_expected) {
    streams.out << fmt::format("Expected: {}. If this result is right, use --expect {}.\n",
                               options.expected, seen->verdict);
  }
  return as_expected ? kExitClean : kExitFindings;
}

}  // namespace

Run define_probe(const CommandLine& line) {
  auto options = std::make_shared<ProbeOptions>();
  line.option(
          "--kubeconfig", options->kubeconfig,
          "Kubeconfig of the cluster (its current context); default: $KUBECONFIG, else this pod's "
          "ServiceAccount, else ~/.kube/config")
      .type_name("FILE");
  line.option("-n,--namespace", options->namespace_name, "Namespace of the pod")
      .type_name("NAME")
      .check([](const std::string& name) {
        const std::string wrong = policy::check_text(policy::TextForm::kObjectName, name);
        return wrong.empty() ? wrong : fmt::format("\"{}\" {}", name, wrong);
      })
      .show_default();
  line.option("--expect", options->expected,
              "Result to expect (denied if policies enforce, warned if they warn)")
      .type_name("VERDICT")
      .choices({std::string(kDenied), std::string(kWarned), std::string(kAdmitted)})
      .show_default();
  return [options](Streams& streams) { return run_probe(*options, streams); };
}

}  // namespace belay::webhook::command
