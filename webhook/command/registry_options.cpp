// Files -> what may be asked.
#include "webhook/command/registry_options.h"

#include <ostream>
#include <utility>

#include "policy/message.h"
#include "webhook/http_client/proxy.h"
#include "webhook/registry/registry_files.h"

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
  auto files = registry::read_registry_files(options.registries, options.docker_configs);
  for (const std::string& problem : files.problems) streams.err << policy::escape(problem) << '\n';
  if (!files.problems.empty()) return std::nullopt;
  return RegistryAccess{std::move(files.registries), std::move(files.keyring)};
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
