#include "webhook/registry/auth/token.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "policy/text/ascii.h"
#include "webhook/registry/json_text.h"
#include "webhook/registry/url.h"

namespace belay::webhook::registry {
namespace {

constexpr std::size_t kMaxToken = 16'384;
constexpr std::int64_t kLongestLife = 3'600;

/// RFC 6750, section 2.1: b64token. It goes into a header as it is.
bool is_token(std::string_view text) {
  if (text.size() > kMaxToken) return false;
  while (text.ends_with('=')) text.remove_suffix(1);
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return policy::is_alphanumeric(c) ||
           std::string_view("-._~+/").find(c) != std::string_view::npos;
  });
}

/// Whether a query asks for a scope already. A name that hides behind "%" counts as one.
bool has_scope(std::string_view query) {
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(part.size() + 1, query.size()));
    const std::string_view name = part.substr(0, part.find('='));
    if (name.find('%') != std::string_view::npos || policy::lower_case(name) == "scope")
      return true;
  }
  return false;
}

}  // namespace

std::expected<std::string, std::string> token_url(const Challenge& challenge,
                                                  const Endpoint& endpoint,
                                                  std::string_view scope) {
  const auto own = parse_url(endpoint.url);
  auto realm = parse_url(challenge.get("realm"));
  if (!own || !realm) return std::unexpected("the URL of its token service is invalid");
  const bool same = realm->host == own->host && realm->port == own->port;
  if (!realm->https && (own->https || !same)) {
    return std::unexpected("its token service does not use https");
  }
  if (!same && !is_listed(*realm, endpoint.token_hosts)) {
    return std::unexpected("its token service is on a host that is not in tokenHosts");
  }
  if (has_scope(realm->query)) {
    return std::unexpected("the URL of its token service already has a scope");
  }
  const auto add = [&realm](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    if (!realm->query.empty()) realm->query += '&';
    realm->query += fmt::format("{}={}", name, encode_query(value));
  };
  add("service", challenge.get("service"));
  add("scope", scope);
  std::string url = realm->text();
  if (url.size() > kMaxUrl) return std::unexpected("the URL to ask for a token would be too long");
  return url;
}

std::expected<Token, std::string> read_token(std::string_view body) {
  try {
    const auto root = parse_object(body, kMaxResponse);
    for (const char* name : {"token", "access_token"}) {
      const auto found = root.find(name);
      if (found == root.end() || !found->is_string()) continue;
      Token token{.text = found->get<std::string>()};
      if (token.text.empty()) continue;
      if (!is_token(token.text)) return std::unexpected("its token contains invalid characters");
      const auto life = root.find("expires_in");
      if (life != root.end() && life->is_number()) {
        token.lifetime = std::chrono::seconds(static_cast<std::int64_t>(
            std::clamp(life->get<double>(), 0.0, static_cast<double>(kLongestLife))));
      }
      return token;
    }
    return std::unexpected("its response contains no token");
  } catch (const Fault& fault) {
    return std::unexpected("its response is invalid: " + fault.message);
  }
}

}  // namespace belay::webhook::registry
