// The scheme Bearer: a token from the token service that the challenge names, asked for with user
// and password, with a refresh token (OAuth2), or anonymously.
#include <fmt/format.h>

#include <utility>

#include "webhook/registry/auth/scheme.h"
#include "webhook/registry/auth/token.h"
#include "webhook/registry/url.h"

namespace belay::webhook::registry {
namespace {

LoginRequest with_refresh_token(const Login& login, std::string url) {
  return {.method = "POST",
          .url = std::move(url),
          .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
          .body = fmt::format(
              "grant_type=refresh_token&client_id=belay&service={}&scope={}&refresh_token={}",
              encode_query(login.challenge.get("service")), encode_query(login.scope),
              encode_query(login.credential.identity_token))};
}

LoginRequest with_password(const Login& login, std::string url) {
  LoginRequest request{.method = "GET", .url = std::move(url), .headers = {}};
  if (!login.credential.username.empty()) {
    request.headers.emplace_back("Authorization", basic_header(login.credential));
  }
  return request;
}

}  // namespace

LoginResult log_in_bearer(const Login& login) {
  const bool refresh = !login.credential.identity_token.empty();
  // A refresh token goes into the body, so the URL keeps the challenge's query alone.
  auto url = token_url(login.challenge, login.endpoint, refresh ? "" : login.scope);
  if (!url) return std::unexpected(Failure::kRefusedRealm);
  const auto asked = Clock::now();
  const auto response = login.send(refresh ? with_refresh_token(login, std::move(*url))
                                           : with_password(login, std::move(*url)));
  if (!response) return std::unexpected(response.error());
  const auto token = read_token(response->body);
  if (!token) return std::unexpected(Failure::kInvalidResponse);
  // A tenth is left for clocks and ways.
  return Authorization{.header = "Bearer " + token->text,
                       .expiry = asked + token->lifetime * 9 / 10};
}

}  // namespace belay::webhook::registry
