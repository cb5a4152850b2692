// How to log in to a registry: one table of schemes, one file a scheme. A scheme turns a challenge
// and a credential into the Authorization header of the next request. Thread-safe.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/http_client/client.h"
#include "webhook/registry/auth/challenge.h"
#include "webhook/registry/credentials.h"
#include "webhook/registry/registries.h"
#include "webhook/registry/registry_client.h"

namespace belay::webhook::registry {

/// A request to whom a challenge names, such as a token service.
struct LoginRequest {
  std::string_view method;
  std::string url;  ///< that the scheme has found to be allowed
  std::vector<http_client::Header> headers;
  std::string body = {};
};

/// What a scheme has to go by.
struct Login {
  const Challenge& challenge;
  const Credential& credential;
  const Endpoint& endpoint;
  std::string_view scope;  ///< "repository:shop/web:pull"
  /// Sends a request within the time that is left; a 2xx response, or a Failure.
  std::function<std::expected<http_client::ClientResponse, Failure>(LoginRequest)> send;
};

struct Authorization {
  std::string header;        ///< "Basic dXNlcjpwYXNz"; the value of Authorization
  Clock::time_point expiry;  ///< until when requests carry it at once
};

/// The header; nothing where the credential is none for this scheme, so that the next challenge is
/// tried.
using LoginResult = std::expected<std::optional<Authorization>, Failure>;

/// A row of the table in scheme.cpp.
struct AuthScheme {
  std::string_view name;  ///< as a challenge has it, in lower case
  LoginResult (*log_in)(const Login& login);
};

/// The scheme of that name, or nullptr.
const AuthScheme* find_auth_scheme(std::string_view name);

/// "Basic …" with the user and the password.
std::string basic_header(const Credential& credential);

}  // namespace belay::webhook::registry
