#include "webhook/http_client/proxy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <system_error>
#include <vector>

#include "policy/text/ascii.h"

namespace belay::webhook::http_client {
namespace {

std::string first_of_environment(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it
    if (value != nullptr && *value != '\0') return value;
  }
  return {};
}

bool same(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, policy::to_lower, policy::to_lower);
}

/// What a URL or an entry of no_proxy names.
struct Place {
  std::string_view host;  ///< an IPv6 address without brackets
  std::string_view port;  ///< "" where there is none
};

/// \param authority  "registry.corp:5000", "[fd12::1]:5000", "fd12::1"
Place place_of(std::string_view authority) {
  if (authority.starts_with('[')) {
    const std::size_t end = std::min(authority.find(']'), authority.size());
    const std::string_view behind = authority.substr(std::min(end + 1, authority.size()));
    return {authority.substr(1, end - 1), behind.starts_with(':') ? behind.substr(1) : ""};
  }
  const std::size_t colon = authority.find(':');
  if (colon == std::string_view::npos || colon != authority.rfind(':')) return {authority, ""};
  return {authority.substr(0, colon), authority.substr(colon + 1)};
}

Place place_of_url(std::string_view url) {
  const std::string_view otherwise = url.starts_with("https://") ? "443" : "80";
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  const Place place = place_of(url.substr(0, url.find_first_of("/?#")));
  return {place.host, place.port.empty() ? otherwise : place.port};
}

/// An address in network order: 4 bytes, 16 bytes, or none where the text is no address.
std::vector<std::uint8_t> address_of(std::string_view text) {
  std::array<std::uint8_t, 16> bytes{};
  const std::string zero_ended(text);
  if (inet_pton(AF_INET, zero_ended.c_str(), bytes.data()) == 1) {
    return {bytes.begin(), bytes.begin() + 4};
  }
  if (inet_pton(AF_INET6, zero_ended.c_str(), bytes.data()) == 1) {
    return {bytes.begin(), bytes.end()};
  }
  return {};
}

/// \param network  "10.0.0.0/8"
bool is_in(std::string_view network, std::string_view host) {
  const std::size_t slash = network.find('/');
  const auto address = address_of(host);
  const auto first = address_of(network.substr(0, slash));
  const std::string_view length = network.substr(slash + 1);
  std::size_t bits = 0;
  const auto read = std::from_chars(length.data(), length.data() + length.size(), bits);
  if (read.ec != std::errc{} || read.ptr != length.data() + length.size() || address.empty() ||
      address.size() != first.size() || bits > 8 * first.size()) {
    return false;
  }
  const std::size_t whole = bits / 8;
  const std::size_t rest = 8 - bits % 8;
  return std::equal(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(whole),
                    address.begin()) &&
         (rest == 8 || first[whole] >> rest == address[whole] >> rest);
}

bool is_or_is_below(std::string_view host, std::string_view name) {
  if (same(host, name)) return true;
  return host.size() > name.size() && host[host.size() - name.size() - 1] == '.' &&
         same(name, host.substr(host.size() - name.size()));
}

bool is_excepted(std::string_view list, const Place& place) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find_first_of(", "), list.size());
    std::string_view entry = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    if (entry == "*") return true;
    while (entry.starts_with('.')) entry.remove_prefix(1);
    if (entry.empty()) continue;
    if (entry.find('/') != std::string_view::npos) {
      if (is_in(entry, place.host)) return true;
      continue;
    }
    const auto [host, port] = place_of(entry);
    if (is_or_is_below(place.host, host) && (port.empty() || port == place.port)) return true;
  }
  return false;
}

}  // namespace

Proxies proxies_of_environment() {
  return {.https = first_of_environment({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}),
          .http = first_of_environment({"http_proxy", "all_proxy", "ALL_PROXY"}),
          .none = first_of_environment({"no_proxy", "NO_PROXY"})};
}

std::string_view proxy_for(const Proxies& proxies, std::string_view url) {
  const std::string& proxy = url.starts_with("https://") ? proxies.https : proxies.http;
  return proxy.empty() || is_excepted(proxies.none, place_of_url(url)) ? std::string_view() : proxy;
}

}  // namespace belay::webhook::http_client
