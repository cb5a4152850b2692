// WWW-Authenticate of a registry (RFC 9110 section 11.6.1; distribution's token specification), and
// whether the token service it names may be asked. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/registry/registries.h"

namespace belay::webhook::registry {

enum class Scheme : std::uint8_t { kBasic, kBearer };

struct Challenge {
  Scheme scheme = Scheme::kBasic;
  std::string realm, service, scope;  ///< of Bearer; unescaped
};

/// The challenges of one header's value that belay can answer, in their order. Text that breaks the
/// grammar ends the reading; what was read before it counts. Other schemes are passed over.
std::vector<Challenge> read_challenges(std::string_view value);

/// The URL to ask for a token, query included, if the realm may be asked: an absolute URL without
/// user, https (http only where the endpoint itself is plain http and the host is the same), on the
/// endpoint's host and port or one of its `token_hosts`.
/// \param scope  "repository:shop/web:pull"; never the challenge's own
/// \return why not, as a clause for people
std::expected<std::string, std::string> token_url(const Challenge& challenge,
                                                  const Endpoint& endpoint, std::string_view scope);

}  // namespace belay::webhook::registry
