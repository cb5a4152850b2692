// Which requests go through a proxy, by the environment's HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
// Decided here and not in libcurl, because a request through a proxy dials the admin's proxy and no
// address of its own: the address guard has to know. Pure, but for proxies_of_environment().
#pragma once

#include <string>
#include <string_view>

namespace belay::webhook::http_client {

struct Proxies {
  std::string https;  ///< proxy for https URLs, "" for none
  std::string http;   ///< the same for http URLs
  /// What is asked directly: names (with all below them), addresses, networks ("10.0.0.0/8"), each
  /// with a port or without; "*". A network holds addresses as they stand in a URL: no name is
  /// looked up for it.
  std::string none;
};

/// https_proxy, http_proxy, all_proxy and no_proxy, lower case before upper; HTTP_PROXY in upper
/// case is not read, as libcurl does not.
Proxies proxies_of_environment();

/// The proxy for a URL, "" where it is asked directly.
std::string_view proxy_for(const Proxies& proxies, std::string_view url);

}  // namespace belay::webhook::http_client
