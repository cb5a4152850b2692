// The server's configuration: what the flags (or their BELAY_… variables) say, read once into
// immutable values. Pure: the files that flags name are opened by whoever uses them.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/admission/review_reader.h"
#include "webhook/namespaces/fixed_namespaces.h"
#include "webhook/serve/cluster.h"
#include "webhook/serve/limits.h"
#include "webhook/serve/log.h"

namespace belay::webhook::serve {

/// A host and a port; a port of 0 picks a free one.
struct Address {
  std::string host;
  std::uint16_t port = 0;
};

/// "0.0.0.0:8443", "[::1]:8443", ":8443" (every address), "localhost:0".
std::expected<Address, std::string> parse_address(std::string_view text);
/// The reverse.
std::string to_string(const Address& address);

/// "argoproj.io/Rollout:spec.template": group, kind, path of the pod template.
std::expected<admission::ExtraTemplate, std::string> parse_extra_template(std::string_view text);
/// All that are given. Adds what is wrong with them to `problems`.
std::vector<admission::ExtraTemplate> parse_extra_templates(const std::vector<std::string>& texts,
                                                            std::vector<std::string>& problems);

/// "90d", "12h", "30m", "60s": at least a second, at most a hundred years.
std::expected<std::chrono::seconds, std::string> parse_duration(std::string_view text);

/// Longest --shutdown-delay: with kDrainGrace behind it, the server has gone 25 s after SIGTERM.
inline constexpr std::chrono::seconds kMaxShutdownDelay{14};
/// What requests that have begun may still take once the delay is over.
inline constexpr std::chrono::seconds kDrainGrace{10};

/// Flags as they were typed. Every default stands here, so that --help shows it.
struct ServerFlags {
  std::string listen = "0.0.0.0:8443";
  std::string admin_listen = "0.0.0.0:8080";
  std::string tls_cert;
  std::string tls_key;
  std::string client_ca;
  std::string self_signed;
  std::vector<std::string> tls_names;
  std::vector<std::string> policies;
  std::vector<std::string> namespace_labels;
  std::vector<std::string> extra_templates;
  bool cluster = false;
  std::string kubeconfig;  ///< implies cluster
  std::string own_namespace;
  std::string pod_name;
  bool tenant_policies = false;
  std::string tls_secret;
  std::string webhook_configuration = "belay";
  std::string lease = "belay";
  std::string ca_duration = "1825d";
  std::string cert_duration = "90d";
  std::string ca_overlap = "60s";
  std::string registries;
  std::vector<std::string> docker_configs;
  bool pull_secrets = false;
  std::string tag_history;
  unsigned threads = 0;
  std::string log_level = "info";
  std::string log_format;  ///< "" is text on a terminal, JSON elsewhere
  unsigned shutdown_delay_seconds = 10;
  std::vector<std::string> limits = default_limit_texts();  ///< one for each of limit_rows()
};

/// Which registries are asked, and as whom.
struct RegistryConfig {
  std::string registries_file;                   ///< "": none is ever contacted
  std::vector<std::string> docker_config_files;  ///< belay's own credentials
  bool pull_secrets = false;                     ///< read the pods' pull secrets; in a cluster only
  std::string tag_history_file;  ///< tag history outside a cluster; "": none is kept there
};

struct ServerConfig {
  Address listen;
  Address admin_listen;
  std::string certificate_file;  ///< with key_file; "" where we issue one
  std::string key_file;
  std::string client_ca_file;         ///< require client certificates of these CAs
  std::string certificate_directory;  ///< --self-signed; "" with no files: in memory
  std::vector<std::string> certificate_names;
  std::vector<std::string> policy_paths;  ///< none, and no cluster: the built-in policy
  std::optional<ClusterOptions> cluster;
  namespaces::FixedNamespaces namespaces;
  std::vector<admission::ExtraTemplate> extra_templates;
  RegistryConfig registry;
  unsigned threads = 0;  ///< reactors; 0 = CPUs of the quota
  Limits limits;
  LogOptions log;
  std::chrono::seconds shutdown_delay{10};  ///< between failing readiness and closing the port
};

/// \param terminal  whether the log goes to a terminal
/// \return the configuration, or everything that is wrong with the flags
std::expected<ServerConfig, std::vector<std::string>> read_config(const ServerFlags& flags,
                                                                  bool terminal);

}  // namespace belay::webhook::serve
