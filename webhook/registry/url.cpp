#include "webhook/registry/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include "policy/text/ascii.h"

namespace belay::webhook::registry {
namespace {

bool is_host_sign(char c) { return policy::is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; }

/// What may stand in a path or query as it is.
bool is_path_sign(char c) {
  return policy::is_alphanumeric(c) ||
         std::string_view("-._~!$&'()*+,;=:@/%?").find(c) != std::string_view::npos;
}

/// Takes "host" off the text, in lower case; "" where there is none.
std::string take_host(std::string_view& text) {
  std::size_t end = 0;
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == std::string_view::npos || end == 1) return {};
    const std::string_view inside = text.substr(1, end - 1);
    if (!std::ranges::all_of(inside,
                             [](char c) { return policy::is_hex(c) || c == ':' || c == '.'; })) {
      return {};
    }
    ++end;
  } else {
    end = static_cast<std::size_t>(std::ranges::find_if_not(text, is_host_sign) - text.begin());
  }
  std::string host = policy::lower_case(text.substr(0, end));
  text.remove_prefix(end);
  return host;
}

std::optional<std::uint16_t> take_port(std::string_view& text) {
  text.remove_prefix(1);  // ":"
  std::uint16_t port = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  if (read.ec != std::errc{} || port == 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  return port;
}

bool names_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  const std::size_t bracket = host.rfind(']');
  return colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
}

std::uint16_t usual_port(bool https) { return https ? 443 : 80; }

}  // namespace

std::string Url::authority() const {
  return port == usual_port(https) ? host : fmt::format("{}:{}", host, port);
}

std::string Url::text() const {
  return fmt::format("{}://{}{}{}{}", https ? "https" : "http", authority(), path,
                     query.empty() ? "" : "?", query);
}

std::optional<Url> parse_url(std::string_view text) {
  if (text.size() > kMaxUrl) return std::nullopt;
  Url url;
  url.https = text.starts_with("https://");
  if (!url.https && !text.starts_with("http://")) return std::nullopt;
  text.remove_prefix(url.https ? 8 : 7);
  url.host = take_host(text);
  if (url.host.empty() || url.host.starts_with('.') || is_odd_number(url.host)) return std::nullopt;
  url.port = usual_port(url.https);
  if (text.starts_with(':')) {
    const auto port = take_port(text);
    if (!port) return std::nullopt;
    url.port = *port;
  }
  if (!text.empty() && text.front() != '/' && text.front() != '?') return std::nullopt;
  if (!std::ranges::all_of(text, is_path_sign)) return std::nullopt;
  const std::size_t query = std::min(text.find('?'), text.size());
  url.path = text.substr(0, query);
  if (query < text.size()) url.query = text.substr(query + 1);
  return url;
}

bool is_listed(const Url& url, const std::vector<std::string>& hosts) {
  return std::ranges::any_of(hosts, [&url](const std::string& host) {
    return policy::lower_case(host) ==
           (names_port(host) ? fmt::format("{}:{}", url.host, url.port) : url.authority());
  });
}

bool is_odd_number(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::size_t dot = host.rfind('.');
  const std::string_view last = dot == std::string_view::npos ? host : host.substr(dot + 1);
  const bool hex = last.size() > 2 && last[0] == '0' && (last[1] == 'x' || last[1] == 'X');
  if (!hex && (last.empty() || !std::ranges::all_of(last, policy::is_digit))) return false;
  // A dotted quad, each part without leading zeros.
  for (int part = 0; part < 4; ++part) {
    std::uint8_t number = 0;
    const auto read = std::from_chars(host.data(), host.data() + host.size(), number);
    const auto digits = static_cast<std::size_t>(read.ptr - host.data());
    if (read.ec != std::errc{} || (digits > 1 && host[0] == '0')) return true;
    host.remove_prefix(digits);
    if (part == 3) return !host.empty();
    if (!host.starts_with('.')) return true;
    host.remove_prefix(1);
  }
  return true;
}

std::string encode_query(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (policy::is_alphanumeric(c) ||
        std::string_view("-._~/:").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace belay::webhook::registry
