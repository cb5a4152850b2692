#include "webhook/serve/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "policy/text_form.h"

namespace belay::webhook::serve {
namespace {

bool is_path_segment(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  });
}

/// Whether every segment between dots is a field's name.
bool is_field_path(std::string_view path) {
  while (true) {
    const std::size_t dot = path.find('.');
    if (!is_path_segment(path.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    path.remove_prefix(dot + 1);
  }
}

/// Flags that mean something with --cluster alone, by what they hold where they are given.
std::string_view stray_cluster_flag(const ServerFlags& flags) {
  const struct {
    std::string_view name;
    bool given;
  } rows[] = {{"--namespace", !flags.own_namespace.empty()},
              {"--tenant-policies", flags.tenant_policies},
              {"--tls-secret", !flags.tls_secret.empty()}};
  for (const auto& row : rows) {
    if (row.given) return row.name;
  }
  return "";
}

std::optional<ClusterOptions> read_cluster(const ServerFlags& flags,
                                           std::vector<std::string>& problems) {
  if (!flags.cluster && flags.kubeconfig.empty()) {
    if (const auto stray = stray_cluster_flag(flags); !stray.empty()) {
      problems.push_back(fmt::format("{} needs --cluster or --kubeconfig", stray));
    }
    return std::nullopt;
  }
  if (!flags.tls_secret.empty() && !(flags.tls_cert.empty() && flags.self_signed.empty())) {
    problems.emplace_back("give only one of --tls-secret, --tls-cert and --self-signed");
  }
  if (!flags.namespace_labels.empty()) {
    problems.emplace_back(
        "--namespace-labels: not with --cluster, which reads the labels from the cluster");
  }
  const auto duration = [&](std::string_view flag, const std::string& text) {
    auto parsed = parse_duration(text);
    if (!parsed) problems.push_back(fmt::format("{}: {}", flag, parsed.error()));
    return parsed.value_or(std::chrono::seconds(1));
  };
  ClusterOptions options{.kubeconfig = flags.kubeconfig,
                         .namespace_name = flags.own_namespace,
                         .pod_name = flags.pod_name,
                         .tenant_policies = flags.tenant_policies,
                         .tls_secret = flags.tls_secret,
                         .tls_names = flags.tls_names,
                         .webhook_configuration = flags.webhook_configuration,
                         .lease = flags.lease,
                         .ca_duration = duration("--ca-duration", flags.ca_duration),
                         .cert_duration = duration("--cert-duration", flags.cert_duration),
                         .ca_overlap = duration("--ca-overlap", flags.ca_overlap)};
  if (options.cert_duration > options.ca_duration) {
    problems.emplace_back("--cert-duration is longer than --ca-duration");
  }
  return options;
}

RegistryConfig read_registry(const ServerFlags& flags, bool in_cluster,
                             std::vector<std::string>& problems) {
  const struct {
    std::string_view name;
    bool given;
  } rows[] = {{"--docker-config", !flags.docker_configs.empty()},
              {"--pull-secrets", flags.pull_secrets}};
  for (const auto& row : rows) {
    if (row.given && flags.registries.empty()) {
      problems.push_back(fmt::format(
          "{} needs --registries: credentials are sent only to registries in that list", row.name));
    }
  }
  if (flags.pull_secrets && !in_cluster) {
    problems.emplace_back("--pull-secrets needs --cluster or --kubeconfig");
  }
  if (!flags.tag_history.empty() && in_cluster) {
    problems.emplace_back(
        "--tag-history: not with --cluster, which stores the tag history in ConfigMaps");
  }
  return {.registries_file = flags.registries,
          .docker_config_files = flags.docker_configs,
          .pull_secrets = flags.pull_secrets,
          .tag_history_file = flags.tag_history};
}

}  // namespace

std::expected<Address, std::string> parse_address(std::string_view text) {
  const auto problem = [&](std::string_view what) {
    return std::unexpected(
        fmt::format("\"{}\" {}, such as 0.0.0.0:8443 or [::1]:8443", text, what));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return problem("has no port; write host:port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return problem("is an IPv6 address without brackets; write [host]:port");
  }
  Address address{std::string(host.empty() ? "0.0.0.0" : host), 0};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc{} || end != port.data() + port.size()) {
    return problem("has no port between 0 and 65535; write host:port");
  }
  return address;
}

std::string to_string(const Address& address) {
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", address.host, address.port)
                 : fmt::format("{}:{}", address.host, address.port);
}

std::expected<admission::ExtraTemplate, std::string> parse_extra_template(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::size_t colon = text.find(':', slash == std::string_view::npos ? 0 : slash);
  if (slash == std::string_view::npos || colon == std::string_view::npos || slash == 0 ||
      !is_path_segment(text.substr(slash + 1, colon - slash - 1)) ||
      !is_field_path(text.substr(colon + 1))) {
    return std::unexpected(fmt::format(
        "\"{}\" is not group/Kind:path, such as argoproj.io/Rollout:spec.template", text));
  }
  return admission::ExtraTemplate{.group = std::string(text.substr(0, slash)),
                                  .kind = std::string(text.substr(slash + 1, colon - slash - 1)),
                                  .path = std::string(text.substr(colon + 1))};
}

std::vector<admission::ExtraTemplate> parse_extra_templates(const std::vector<std::string>& texts,
                                                            std::vector<std::string>& problems) {
  std::vector<admission::ExtraTemplate> templates;
  for (const std::string& text : texts) {
    auto parsed = parse_extra_template(text);
    if (parsed) {
      templates.push_back(std::move(*parsed));
    } else {
      problems.push_back(fmt::format("--extra-template: {}", parsed.error()));
    }
  }
  if (texts.size() > admission::kMaxExtraTemplates) {
    problems.push_back(
        fmt::format("--extra-template: at most {} of them", admission::kMaxExtraTemplates));
  }
  return templates;
}

std::expected<std::chrono::seconds, std::string> parse_duration(std::string_view text) {
  if (const auto duration = policy::parse_duration(text)) return *duration;
  return std::unexpected(fmt::format("\"{}\" is not a duration: write 90d, 12h, 30m or 60s", text));
}

std::expected<ServerConfig, std::vector<std::string>> read_config(const ServerFlags& flags,
                                                                  bool terminal) {
  ServerConfig config;
  std::vector<std::string> problems;
  const auto address = [&](std::string_view flag, const std::string& text, Address& target) {
    auto parsed = parse_address(text);
    if (parsed) {
      target = std::move(*parsed);
    } else {
      problems.push_back(fmt::format("{}: {}", flag, parsed.error()));
    }
  };
  address("--listen", flags.listen, config.listen);
  address("--admin-listen", flags.admin_listen, config.admin_listen);

  if (flags.tls_cert.empty() != flags.tls_key.empty()) {
    problems.push_back(flags.tls_cert.empty() ? "--tls-key needs --tls-cert"
                                              : "--tls-cert needs --tls-key");
  }
  if (!flags.tls_cert.empty() && !flags.self_signed.empty()) {
    problems.emplace_back("give only one of --self-signed and --tls-cert");
  }
  if (!flags.tls_cert.empty() && !flags.tls_names.empty()) {
    problems.emplace_back("--tls-name is for certificates that belay issues, not for --tls-cert");
  }
  config.certificate_file = flags.tls_cert;
  config.key_file = flags.tls_key;
  config.client_ca_file = flags.client_ca;
  config.certificate_directory = flags.self_signed;
  config.certificate_names = flags.tls_names;
  config.policy_paths = flags.policies;
  for (const std::string& text : flags.namespace_labels) {
    if (const std::string problem = config.namespaces.add(text); !problem.empty()) {
      problems.push_back(fmt::format("--namespace-labels: {}", problem));
    }
  }
  config.extra_templates = parse_extra_templates(flags.extra_templates, problems);
  config.cluster = read_cluster(flags, problems);
  config.registry = read_registry(flags, config.cluster.has_value(), problems);
  // Tags are remembered where registries say what they point to.
  if (config.cluster) config.cluster->tag_history = !flags.registries.empty();
  config.limits = read_limits(flags.limits, problems);
  config.threads = flags.threads;
  if (flags.threads > 256) problems.emplace_back("--threads: at most 256");
  if (const auto level = log_level(flags.log_level)) {
    config.log.level = *level;
  } else {
    problems.push_back(fmt::format(
        "--log-level: \"{}\" is not one of debug, info, warn, warning, error", flags.log_level));
  }
  if (!flags.log_format.empty() && flags.log_format != "json" && flags.log_format != "text") {
    problems.push_back(
        fmt::format("--log-format: \"{}\" is not one of json, text", flags.log_format));
  }
  const bool text = flags.log_format.empty() ? terminal : flags.log_format == "text";
  config.log.format = text ? LogFormat::kText : LogFormat::kJson;
  config.shutdown_delay = std::chrono::seconds(flags.shutdown_delay_seconds);
  if (config.shutdown_delay > kMaxShutdownDelay) {
    problems.push_back(fmt::format(
        "--shutdown-delay: at most {} s, so that a pod's grace period of 30 s is enough",
        kMaxShutdownDelay.count()));
  }
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return config;
}

}  // namespace belay::webhook::serve
