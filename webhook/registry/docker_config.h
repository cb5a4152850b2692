// Docker config files: JSON -> the credentials in them. Pure; thread-safe. What a file says never
// stands in an error.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "webhook/registry/credentials.h"

namespace belay::webhook::registry {

/// Reads a docker config file (`auths` with auth, username and password, identitytoken,
/// registrytoken) or the older .dockercfg, which is the mapping of `auths` alone.
/// \param owner  goes into the identities: "file", or namespace and uid of a Secret
/// \return the keyring; or what is wrong with the text, without any of it
std::expected<Keyring, std::string> read_docker_config(std::string_view text,
                                                       std::string_view owner);

}  // namespace belay::webhook::registry
