// One endpoint of a registry: a request, logging in where it is challenged (auth/scheme.h), retries
// within the deadline, the circuit breaker. Knows HTTP's responses, not what stands in them.
// Thread-safe; blocks until the deadline at most.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "webhook/http_client/client.h"
#include "webhook/registry/auth/authorization_store.h"
#include "webhook/registry/auth/scheme.h"
#include "webhook/registry/circuit_breaker.h"
#include "webhook/registry/registry_client.h"
#include "webhook/registry/slots.h"

namespace belay::webhook::registry {

/// What is asked of an endpoint.
struct RegistryRequest {
  std::string_view method;       ///< "HEAD", "GET"
  std::string path;              ///< below the endpoint: "/v2/shop/web/manifests/v1"
  std::string_view accept;       ///< media types, "" for any
  std::string scope;             ///< "repository:shop/web:pull"
  bool follow_redirect = false;  ///< of a blob: once, to https, without credentials
};

class EndpointClient {
 public:
  /// \param all  slots over all registries; outlives the client, as `endpoint` does
  EndpointClient(const Endpoint& endpoint, const RegistryClientOptions& options, Slots& all);
  ~EndpointClient() = default;
  EndpointClient(const EndpointClient&) = delete;
  EndpointClient& operator=(const EndpointClient&) = delete;

  /// A 2xx answer, or 405 to a HEAD; anything else is a Failure.
  std::expected<http_client::ClientResponse, Failure> ask(const RegistryRequest& request,
                                                          const Credential& credential,
                                                          Clock::time_point deadline);
  const Endpoint& endpoint() const { return endpoint_; }

 private:
  using Answer = std::expected<http_client::ClientResponse, Failure>;

  /// One attempt at a request.
  struct Attempt {
    Clock::time_point deadline;
    /// It ended in a timeout that is the asker's: too little time was left for the registry, or
    /// none, so it says nothing of the registry.
    bool cut_short = false;
  };

  bool sit_out_pause(Clock::time_point deadline, Clock::time_point not_before = {});
  Answer ask_once(const RegistryRequest& request, const Credential& credential, Attempt& attempt);
  Answer send(const http_client::Client& client, std::string_view method, const std::string& url,
              std::vector<http_client::Header> headers, Attempt& attempt,
              std::string_view body = {}) const;
  std::optional<Failure> check(const http_client::ClientResponse& answer);
  Answer follow(const http_client::ClientResponse& redirect, const RegistryRequest& request,
                Attempt& attempt);
  std::expected<std::string, Failure> authorize(const http_client::ClientResponse& refusal,
                                                const RegistryRequest& request,
                                                const Credential& credential, Attempt& attempt);
  Answer send_login(LoginRequest request, Attempt& attempt);

  const Endpoint& endpoint_;
  const RegistryClientOptions options_;
  const bool https_;  ///< credentials are sent to nothing else
  const http_client::Client client_;
  const http_client::Client
      elsewhere_;  ///< token services and listed blob stores: no client certificate
  const http_client::Client public_;  ///< other blob stores: public addresses only
  Slots& all_slots_;
  Slots slots_;
  CircuitBreaker breaker_;
  AuthorizationStore authorizations_;
};

}  // namespace belay::webhook::registry
