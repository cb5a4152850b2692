// `belay serve`: flags -> configuration -> service, and the signals that end or reload it.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cctype>
#include <chrono>
#include <csignal>
#include <ctime>
#include <memory>
#include <ostream>

#include "webhook/command/command.h"
#include "webhook/serve/config.h"
#include "webhook/serve/service.h"

namespace belay::webhook::command {
namespace {

/// As many descriptors as the system lets us have: each connection is one.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

/// The signals that the main thread waits for. Blocked before any thread is made, so that all of
/// them inherit it.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  (void)sigaction(SIGPIPE, &ignore, nullptr);  // a peer that went away is an error of one write
  return signals;
}

/// Reloads until told to end. \return SIGTERM or SIGINT
int wait_for_end(const sigset_t& signals, serve::Service& service) {
  while (true) {
    int number = 0;
    if (sigwait(&signals, &number) != 0) continue;
    if (number != SIGHUP) return number;
    service.reload();
  }
}

/// Waits, unless a second SIGTERM or SIGINT comes. \return whether the wait was cut short
bool wait_out(const sigset_t& signals, std::chrono::seconds delay) {
  const auto end = std::chrono::steady_clock::now() + delay;
  while (true) {
    const auto left = end - std::chrono::steady_clock::now();
    if (left <= left.zero()) return false;
    const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
    const timespec wait{.tv_sec = static_cast<time_t>(nanoseconds / 1'000'000'000),
                        .tv_nsec = static_cast<long>(nanoseconds % 1'000'000'000)};
    const int number = sigtimedwait(&signals, nullptr, &wait);
    if (number == SIGTERM || number == SIGINT) return true;
  }
}

int run_serve(const serve::ServerFlags& flags, Streams& streams) {
  const auto config = serve::read_config(flags, isatty(STDERR_FILENO) == 1);
  if (!config) {
    for (const std::string& problem : config.error()) {
      streams.err << fmt::format("belay serve: {}\n", problem);
    }
    return kExitError;
  }
  raise_descriptor_limit();
  const sigset_t signals = block_signals();
  serve::Service service(*config, [] { return std::chrono::system_clock::now(); });
  if (auto started = service.start(); !started) {
    streams.err << fmt::format("belay serve: {}\n", started.error());
    return kExitError;
  }

  // Endpoints are taken from the API server's list only after readiness has failed for a while, so
  // the port goes on answering until then. A person at a terminal need not wait.
  const int number = wait_for_end(signals, service);
  const auto delay = number == SIGINT ? std::chrono::seconds(0) : config->shutdown_delay;
  service.begin_drain();
  service.log().write(serve::LogLevel::kInfo, "shutting down",
                      {{"signal", std::string_view(number == SIGINT ? "SIGINT" : "SIGTERM")},
                       {"delay_s", std::int64_t{delay.count()}}});
  const bool hurried = wait_out(signals, delay);
  service.log().write(serve::LogLevel::kInfo, "closing the port");
  service.stop(hurried ? std::chrono::seconds(1) : serve::kDrainGrace);
  return kExitClean;
}

/// "--tls-cert" -> "BELAY_TLS_CERT".
std::string environment_name(std::string_view flag) {
  std::string name = "BELAY_";
  for (const char c : flag.substr(2)) {
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

Option flag_option(const CommandLine& line, const char* flag, bool& target, const char* text) {
  return line.flag(flag, target, text).environment(environment_name(flag));
}

/// Options of a replica that lives with the Kubernetes API.
void define_cluster_options(const CommandLine& line, serve::ServerFlags& flags) {
  const auto option = [&line](const char* flag, auto& target, const char* type, const char* text) {
    return line.option(flag, target, text).type_name(type).environment(environment_name(flag));
  };
  flag_option(line, "--cluster", flags.cluster,
              "Read policies (ConfigMaps) and namespaces from the Kubernetes API, as this pod's "
              "ServiceAccount");
  option("--kubeconfig", flags.kubeconfig, "FILE",
         "Like --cluster, with the current context of this kubeconfig");
  option("--namespace", flags.own_namespace, "NAME",
         "belay's own namespace, whose policies apply to the whole cluster; default: the "
         "ServiceAccount's");
  option("--pod-name", flags.pod_name, "NAME",
         "Name in the Lease and in Events; default: the host name");
  flag_option(line, "--tenant-policies", flags.tenant_policies,
              "Also use policies of other namespaces, each for its own namespace");
  option(
      "--tls-secret", flags.tls_secret, "NAME",
      "Keep the CA and the serving certificate in this Secret: one replica creates and renews it, "
      "all replicas use it");
  option("--webhook-configuration", flags.webhook_configuration, "NAME",
         "Webhook configurations whose caBundle is set to that CA")
      .show_default();
  option("--lease", flags.lease, "NAME", "Lease that selects the replica that writes")
      .show_default();
  option("--ca-duration", flags.ca_duration, "DURATION", "How long the CA in the Secret is valid")
      .show_default();
  option("--cert-duration", flags.cert_duration, "DURATION",
         "How long a serving certificate is valid; it is renewed after two thirds of that")
      .show_default();
  option("--ca-overlap", flags.ca_overlap, "DURATION",
         "How long a new CA is in caBundle before a certificate from it is served")
      .show_default();
}

/// Options of a replica that asks registries.
void define_registry_options(const CommandLine& line, serve::ServerFlags& flags) {
  const auto option = [&line](const char* flag, auto& target, const char* type, const char* text) {
    return line.option(flag, target, text).type_name(type).environment(environment_name(flag));
  };
  option("--registries", flags.registries, "FILE",
         "Registries that belay may ask; read again when it changes; default: none");
  option("--docker-config", flags.docker_configs, "FILE",
         "Docker config file with credentials for them; read again when it changes; "
         "repeatable")
      .repeatable();
  flag_option(line, "--pull-secrets", flags.pull_secrets,
              "Also use the pull secrets of pods and of their ServiceAccounts; with --cluster");
  option(
      "--tag-history", flags.tag_history, "PATH",
      "File for the tag history: what each tag pointed to first (rule tag-moved); with --cluster, "
      "ConfigMaps keep it");
}

/// Options of the limits, one for each row of their table.
void define_limits(const CommandLine& line, serve::ServerFlags& flags) {
  const auto rows = serve::limit_rows();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const serve::Limit& limit = rows[i];
    const std::string name(limit.name);
    line.option(name, flags.limits[i], fmt::format("{} ({})", limit.text, limit.bounds()))
        .type_name(std::string(limit.type_name()))
        .environment(environment_name(name))
        .show_default()
        .group("Limits");
  }
}

}  // namespace

Run define_serve(const CommandLine& line) {
  auto flags = std::make_shared<serve::ServerFlags>();
  const auto option = [&line](const char* flag, auto& target, const char* type, const char* text) {
    return line.option(flag, target, text).type_name(type).environment(environment_name(flag));
  };
  option("--listen", flags->listen, "ADDRESS",
         "Webhook port (HTTPS): POST /validate, /mutate, /validate-policy")
      .show_default();
  option("--admin-listen", flags->admin_listen, "ADDRESS",
         "Admin port (HTTP): /livez, /readyz, /healthz, /metrics")
      .show_default();
  option("--tls-cert", flags->tls_cert, "FILE",
         "Certificate chain in PEM, serving certificate first; read again when it changes");
  option("--tls-key", flags->tls_key, "FILE", "Its private key in PEM");
  option("--self-signed", flags->self_signed, "DIR",
         "Create a CA and a certificate in this directory, and renew them");
  option("--tls-name", flags->tls_names, "NAME",
         "DNS name or address of a certificate that belay issues; repeatable")
      .repeatable();
  option("--client-ca", flags->client_ca, "FILE",
         "Accept only clients with a certificate from these CAs");
  option("--policy", flags->policies, "PATH",
         "Policy file or directory; read again when it changes; repeatable")
      .repeatable();
  option("--namespace-labels", flags->namespace_labels, "NS:KEY=VALUE",
         "Label of a namespace; repeatable")
      .repeatable();
  option("--extra-template", flags->extra_templates, "GROUP/KIND:PATH",
         "Evaluate the pod template of a custom resource, such as "
         "argoproj.io/Rollout:spec.template; repeatable")
      .repeatable();
  define_cluster_options(line, *flags);
  define_registry_options(line, *flags);
  option("--threads", flags->threads, "N", "Threads for requests; 0: one per CPU of the quota")
      .show_default();
  option("--log-level", flags->log_level, "LEVEL", "Lowest level that is logged")
      .choices({"debug", "info", "warn", "warning", "error"})
      .show_default();
  option("--log-format", flags->log_format, "FORMAT",
         "Format of log lines (default: text on a terminal, else json)")
      .choices({"json", "text"});
  option("--shutdown-delay", flags->shutdown_delay_seconds, "SECONDS",
         "Seconds from SIGTERM (readiness fails) to closing the port; at most 14")
      .show_default();
  define_limits(line, *flags);
  return [flags](Streams& streams) { return run_serve(*flags, streams); };
}

}  // namespace belay::webhook::command
