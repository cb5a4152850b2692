// Which registries belay may ask, and how each is reached: the file of `--registries`. Immutable
// values after reading; a reload swaps the whole.
//
//   apiVersion: belay.dev/v1alpha1
//   kind: Registries
//   registries:
//     - host: registry.corp:5000        # as references name it; docker.io for Docker Hub
//       endpoint: https://10.1.2.3:5000 # default https://<host>; plain http only where it says so
//       allowPrivate: true              # addresses of private networks may be dialled
//       ca: /etc/belay/corp-ca.pem      # trusted instead of the system's authorities
//       clientCertificate: /etc/…       # with clientKey
//       tokenHosts: [auth.corp]         # realms beside the registry's own host and port
//       blobHosts: [store.corp]         # blob stores that may have private addresses, too
//       mirrors:                        # asked first, in this order; the same keys
//         - endpoint: https://mirror.corp
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace belay::webhook::registry {

/// Where a registry is reached: itself, or one of its mirrors.
struct Endpoint {
  std::string url;  ///< "https://host[:port][/prefix]", no slash at its end; http where allowed
  bool allow_private = false;        ///< private, loopback and link-local-free ULA addresses
  std::string ca_pem = {};           ///< authorities to trust instead of the system's; "": those
  std::string client_cert_pem = {};  ///< with client_key_pem
  std::string client_key_pem = {};
  std::vector<std::string> token_hosts = {};  ///< host[:port] of realms allowed beside its own
  /// host[:port] of blob stores that allow_private is for, too; others are dialled where public.
  std::vector<std::string> blob_hosts = {};
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Registry {
  std::string host;                 ///< in lower case, "docker.io", "registry.corp:5000"
  std::vector<Endpoint> endpoints;  ///< mirrors first, the registry itself last; never empty
  friend bool operator==(const Registry&, const Registry&) = default;
};

struct Registries {
  std::vector<Registry> list;
  /// The registry that a canonical reference names; hosts compare without case, ports exactly.
  const Registry* find(std::string_view host) const;
};

/// Reads the file's text, strictly: unknown keys, duplicates, hosts that are no hosts, http without
/// `plainHttp: true` are errors, all reported at once.
/// \param name  stands in errors: `registries.yaml:4:5: registries[0].endpoint: …`
/// \param read_file  how files it names (ca, client certificate) are read; relative paths as given
using ReadFile = std::expected<std::string, std::string> (*)(const std::string& path);
std::expected<Registries, std::vector<std::string>> read_registries(std::string_view text,
                                                                    const std::string& name,
                                                                    ReadFile read_file);

}  // namespace belay::webhook::registry
