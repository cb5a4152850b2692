// Credentials for registries, and which of them are for an image. Values; thread-safe to read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace belay::webhook::registry {

/// What a registry (or its token service) may be shown. Never logged, never in a message.
struct Credential {
  std::string username, password;
  std::string identity_token;  ///< an OAuth2 refresh token, in place of a password
  std::string registry_token;  ///< a bearer token that is sent as it is
  /// Keeps what one credential learned from another's requests: "anonymous", or a digest over
  /// whom it belongs to and what it says. Equal for equal credentials only.
  std::string identity = "anonymous";
};
const Credential& anonymous();

/// One place that credentials are for: of `auths`, a key.
struct KeyringEntry {
  std::string host;  ///< "registry.corp:5000", in lower case; may hold "*" within a label
  std::string path;  ///< "team/app", "" for the whole host
  Credential credential;
};

/// The credentials of docker config files.
class Keyring {
 public:
  void add(KeyringEntry entry);
  /// Everything of `other` behind what is here.
  void add_all(const Keyring& other);
  /// Credentials for a repository, the best first: exact host (globs by label as Kubernetes'
  /// keyring has them, ports exactly), then the longest path that leads whole segments of the
  /// repository. Never by suffix. Empty where there is none.
  std::vector<Credential> find(std::string_view host, std::string_view repository) const;
  bool empty() const { return entries_.empty(); }

 private:
  std::vector<KeyringEntry> entries_;  ///< longest path first, else as added
};

}  // namespace belay::webhook::registry
