// The files of --registries and --docker-config, with what they name, read from disk: one bound and
// one wording of errors for the server and for the commands. Stateless; thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "webhook/registry/credentials.h"
#include "webhook/registry/registries.h"

namespace belay::webhook::registry {

/// Of each file: of registries, of credentials, and of the certificates that the first one names.
inline constexpr std::size_t kMaxRegistryFile = std::size_t{1} << 20U;

/// What the files say.
struct RegistryFiles {
  Registries registries = {};
  Keyring keyring = {};
  /// What is wrong, each with its file and place; none where every file was read. Never a
  /// credential.
  std::vector<std::string> problems = {};
  std::string revision = {};  ///< equal where nothing in the files has changed
};

/// \param registries_file  "": no registry may be asked
RegistryFiles read_registry_files(const std::string& registries_file,
                                  const std::vector<std::string>& docker_config_files);

}  // namespace belay::webhook::registry
