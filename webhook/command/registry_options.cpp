// Files -> what may be asked.
#include "webhook/command/registry_options.h"

#include <ostream>
#include <utility>

#include "policy/message.h"
#include "webhook/check/manifest.h"
#include "webhook/http_client/proxy.h"

namespace belay::webhook::command {

void declare_registries(const CommandLine& line, RegistryOptions& options) {
  line.option("--registries", options.registries,
              "Registries that belay may ask; no other is contacted")
      .type_name("FILE");
  line.option("--docker-config", options.docker_configs,
              "Docker config file with credentials, such as ~/.docker/config.json; no "
              "other file is read; repeatable")
      .repeatable()
      .type_name("FILE");
}

std::optional<RegistryAccess> load_registries(const RegistryOptions& options, Streams& streams) {
  RegistryAccess access;
  bool good = true;
  const auto fail = [&](std::string_view text) {
    streams.err << policy::escape(text) << '\n';
    good = false;
  };
  if (!options.registries.empty()) {
    if (const auto text = check::read_file(options.registries); !text) {
      fail(options.registries + ": " + text.error());
    } else if (auto read =
                   registry::read_registries(*text, options.registries, &check::read_file)) {
      access.registries = std::move(*read);
    } else {
      for (const std::string& problem : read.error()) fail(problem);
    }
  }
  for (const std::string& path : options.docker_configs) {
    if (const auto text = check::read_file(path); !text) {
      fail(path + ": " + text.error());
    } else if (const auto keyring = registry::read_docker_config(*text, "file")) {
      access.keyring.add_all(*keyring);
    } else {
      fail(path + ": " + keyring.error());
    }
  }
  if (!good) return std::nullopt;
  return access;
}

std::string smallest_registries(const std::vector<std::string>& hosts) {
  std::string text = "apiVersion: belay.dev/v1alpha1\nkind: Registries\nregistries:\n";
  for (const std::string& host : hosts) text += "  - host: " + host + "\n";
  return text;
}

std::unique_ptr<registry::RegistryReader> make_registry_client(
    const registry::Registries& registries, const registry::RegistryClientOptions& options) {
  return std::make_unique<registry::RegistryClient>(registries, options, nullptr);
}

registry::RegistryClientOptions patient_options() {
  registry::RegistryClientOptions options;
  options.proxies = http_client::proxies_of_environment();
  options.connect_timeout = std::chrono::seconds(5);
  options.request_timeout = std::chrono::seconds(15);
  options.retries = 4;
  options.sit_out_pauses = true;
  options.connections = kQuestionsAtOnce;
  options.connections_each = kQuestionsAtOnce;
  return options;
}

}  // namespace belay::webhook::command
