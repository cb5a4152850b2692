// URLs of registries, token services and blob stores: a strict reading, so that what is checked is
// what is dialled (the text that goes to the HTTP client is made of the parts). Pure; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::webhook::registry {

inline constexpr std::size_t kMaxUrl = 2'048;  ///< bytes

struct Url {
  bool https = true;
  std::string host;  ///< in lower case, an IPv6 address in brackets
  std::uint16_t port = 443;
  std::string path;   ///< begins with "/", or ""
  std::string query;  ///< without "?", or ""

  std::string text() const;
  /// "host" where the port is that of the scheme, else "host:port".
  std::string authority() const;
};

/// Reads "https://host[:port][/path][?query]" and the same with http. Nothing else is a URL here:
/// no user, no fragment, no backslash, no percent sign in the host, no sign that has to be escaped.
std::optional<Url> parse_url(std::string_view text);

/// Whether a list of `host[:port]` names where the URL leads; an entry without a port is for the
/// scheme's own.
bool is_listed(const Url& url, const std::vector<std::string>& hosts);

/// Whether a host is written as a number in a way that only some software takes for an IPv4 address
/// ("127.1", "0x7f.1", "2130706433"): its last label is a number and it is no dotted quad.
bool is_odd_number(std::string_view host);

/// RFC 3986 percent-encoding of everything but unreserved characters, "/" and ":".
std::string encode_query(std::string_view text);

}  // namespace belay::webhook::registry
