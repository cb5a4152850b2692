// The scheme Basic (RFC 7617): user and password with every request.
#include "policy/text/base64.h"
#include "webhook/registry/auth/scheme.h"

namespace belay::webhook::registry {
namespace {

/// After that a registry says once more whether it wants it.
constexpr std::chrono::minutes kLifetime{5};

}  // namespace

std::string basic_header(const Credential& credential) {
  return "Basic " + policy::base64_encode(credential.username + ":" + credential.password);
}

LoginResult log_in_basic(const Login& login) {
  if (login.credential.username.empty()) return std::nullopt;
  return Authorization{.header = basic_header(login.credential),
                       .expiry = Clock::now() + kLifetime};
}

}  // namespace belay::webhook::registry
