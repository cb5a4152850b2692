// Token services (distribution's token specification): where a token may be asked for, and what
// they respond. Pure; thread-safe. Errors are clauses for people and hold nothing of a response.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

#include "webhook/registry/auth/challenge.h"
#include "webhook/registry/registries.h"

namespace belay::webhook::registry {

/// The URL to ask for a token, query included, if the realm may be asked: an absolute URL without
/// user, https (http only where the endpoint itself is plain http and the host is the same), on the
/// endpoint's host and port or one of its `token_hosts`.
/// \param scope  "repository:shop/web:pull"; never the challenge's own
/// \return why not, as a clause for people
std::expected<std::string, std::string> token_url(const Challenge& challenge,
                                                  const Endpoint& endpoint, std::string_view scope);

struct Token {
  std::string text;
  std::chrono::seconds lifetime{60};  ///< from when it was asked for; 60 s where nothing is said
};
/// `token` or `access_token`, `expires_in`. A token with other signs than RFC 6750's is refused.
std::expected<Token, std::string> read_token(std::string_view body);

}  // namespace belay::webhook::registry
