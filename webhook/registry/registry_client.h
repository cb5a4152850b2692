// One lookup at one registry, over HTTPS: HEAD and GET of manifests, blobs, referrers, with the
// login, tokens kept until they expire, retries within the deadline, a circuit breaker for each
// registry. Thread-safe; every call blocks until its deadline at most.
//
// Only hosts that are listed are asked; each address is checked as it is dialled
// (http_client::AddressGuard); no redirect of a manifest is followed; nothing a registry says goes
// into a message.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "webhook/http_client/proxy.h"
#include "webhook/registry/credentials.h"
#include "webhook/registry/registries.h"

namespace belay::webhook::registry {

/// Why there is no answer: closed set, label `result` of belay_registry_requests_total.
enum class Failure : std::uint8_t {
  kNotListed,       ///< the host is not in --registries
  kRefusedAddress,  ///< its name leads to an address that may not be dialled
  kUnreachable,
  kTls,
  kTimeout,
  kUnauthorized,     ///< 401 or 403 with every credential there is
  kNotFound,         ///< 404
  kRateLimited,      ///< 429
  kServerError,      ///< 5xx
  kRedirect,         ///< an answer that leads elsewhere
  kRefusedRealm,     ///< the challenge names a token service that may not be asked
  kInvalidResponse,  ///< no digest, a wrong one, a body that is invalid or too large
  kCircuitOpen,      ///< it is not asked: it failed too often a moment ago
  kBusy,             ///< too many requests wait
};
std::string_view name_of(Failure failure);  ///< "not_found"

struct RegistryError {
  Failure failure = Failure::kUnreachable;
  /// A clause for people: "registry.corp:5000 has no such tag". Never an address or a body.
  std::string message;
};

/// The failure in words: "registry.corp did not respond in time".
RegistryError error_of(std::string_view registry, Failure failure);

using Clock = std::chrono::steady_clock;

/// What is asked about: a repository on a registry, with one credential.
struct Place {
  std::string registry;    ///< "docker.io"
  std::string repository;  ///< "library/nginx"
  Credential credential;
};

/// A body with what it was said to be. Its digest was checked where one was asked for.
struct Blob {
  std::string body, media_type;
};

/// How registries are asked; RegistryClient is the real one.
class RegistryReader {
 public:
  virtual ~RegistryReader() = default;
  /// What a tag points to: the digest of the manifest or index as the registry gives it.
  virtual std::expected<std::string, RegistryError> digest(const Place& place, std::string_view tag,
                                                           Clock::time_point deadline) = 0;
  virtual std::expected<Blob, RegistryError> manifest(const Place& place, std::string_view digest,
                                                      Clock::time_point deadline) = 0;
  /// An image config: a redirect to https is followed once (to http only where the registry itself
  /// speaks it, and on its own host), without credentials, because registries keep blobs in object
  /// stores. To public addresses only, unless it is the registry's own host and port or one of its
  /// `blob_hosts`.
  virtual std::expected<Blob, RegistryError> blob(const Place& place, std::string_view digest,
                                                  Clock::time_point deadline) = 0;
  /// Artifacts attached to a digest: the referrers API with all its pages as one index, else the
  /// tag schema "sha256-<hex>". An empty index where there are none.
  virtual std::expected<Blob, RegistryError> referrers(const Place& place, std::string_view digest,
                                                       Clock::time_point deadline) = 0;
};

/// Told of every request; thread-safe and quick.
class RegistryObserver {
 public:
  virtual ~RegistryObserver() = default;
  /// \param registry  a host of the list, or "other"
  /// \param result    "ok" or name_of(Failure)
  virtual void requested(std::string_view registry, std::string_view result,
                         std::chrono::nanoseconds duration) = 0;
};

struct RegistryClientOptions {
  http_client::Proxies proxies =
      {};  ///< what goes through one is guarded by the proxy (http/client.h)
  std::chrono::milliseconds connect_timeout{1'000};
  std::chrono::milliseconds request_timeout{2'000};  ///< of one request, within the deadline
  int retries = 2;                                   ///< after 5xx and broken connections
  std::size_t connections = 32;                      ///< at once, over all registries
  std::size_t connections_each = 8;                  ///< at once, to one registry
  int failures_to_open = 5;                          ///< in a row, then the circuit is open
  std::chrono::milliseconds open_time{10'000};       ///< until one request tries again
  bool sit_out_pauses =
      false;  ///< wait for the end of a 429's pause if it comes before the deadline
};

class RegistryClient final : public RegistryReader {
 public:
  /// \param observer  outlives the client; may be nullptr
  RegistryClient(Registries registries, const RegistryClientOptions& options,
                 RegistryObserver* observer);
  ~RegistryClient() override;
  RegistryClient(const RegistryClient&) = delete;
  RegistryClient& operator=(const RegistryClient&) = delete;

  std::expected<std::string, RegistryError> digest(const Place& place, std::string_view tag,
                                                   Clock::time_point deadline) override;
  std::expected<Blob, RegistryError> manifest(const Place& place, std::string_view digest,
                                              Clock::time_point deadline) override;
  std::expected<Blob, RegistryError> blob(const Place& place, std::string_view digest,
                                          Clock::time_point deadline) override;
  std::expected<Blob, RegistryError> referrers(const Place& place, std::string_view digest,
                                               Clock::time_point deadline) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::registry
