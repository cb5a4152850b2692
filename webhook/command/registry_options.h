// --registries and --docker-config of the commands that ask registries. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "webhook/command/command.h"
#include "webhook/registry/credentials.h"
#include "webhook/registry/registries.h"
#include "webhook/registry/registry_client.h"

namespace belay::webhook::command {

struct RegistryOptions {
  std::string registries;                   ///< "" where not given
  std::vector<std::string> docker_configs;  ///< none: anonymous
};

/// Declares --registries and --docker-config.
void declare_registries(const CommandLine& line, RegistryOptions& options);

/// Which registries may be asked, and what each may be shown.
struct RegistryAccess {
  registry::Registries registries;
  registry::Keyring keyring;
};

/// Reads the files. \return nothing where one does not read: every error has been printed.
std::optional<RegistryAccess> load_registries(const RegistryOptions& options, Streams& streams);

/// The smallest file of registries that names these hosts.
std::string smallest_registries(const std::vector<std::string>& hosts);

/// Makes what asks; RegistryClient in the program.
using MakeReader = std::function<std::unique_ptr<registry::RegistryReader>(
    const registry::Registries&, const registry::RegistryClientOptions&)>;
std::unique_ptr<registry::RegistryReader> make_registry_client(
    const registry::Registries& registries, const registry::RegistryClientOptions& options);

/// How a command asks: a person or a CI job waits for it, and no API server.
inline constexpr std::size_t kQuestionsAtOnce = 8;
inline constexpr std::chrono::seconds kTimeToAsk{30};  ///< for one image, all retries included
registry::RegistryClientOptions patient_options();

}  // namespace belay::webhook::command
