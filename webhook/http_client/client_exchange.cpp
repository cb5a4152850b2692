#include "webhook/http_client/client_exchange.h"

#include <sys/socket.h>

#include <string>
#include <string_view>

#include "policy/text/ascii.h"

namespace belay::webhook::http_client {

using Clock = std::chrono::steady_clock;

std::size_t take_header(char* data, std::size_t, std::size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  exchange.last_byte = Clock::now();
  exchange.header_bytes += size;
  if (exchange.header_bytes > kMaxHeaderBytes) {
    exchange.too_large = true;
    return 0;
  }
  std::string_view line(data, size);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {  // an interim response's headers go when the next head begins
    exchange.response.headers.clear();
    return size;
  }
  if (line.empty()) {
    long status = 0;
    libcurl()->easy_getinfo(exchange.easy, CURLINFO_RESPONSE_CODE, &status);
    exchange.response.status = static_cast<int>(status);
    exchange.head_read = status >= 200;
    return size;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string name(line.substr(0, colon));
  for (char& letter : name) letter = policy::to_lower(letter);
  std::string_view value = line.substr(colon + 1);
  const std::size_t first = value.find_first_not_of(" \t");
  value = first == std::string_view::npos ? "" : value.substr(first);
  while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);
  exchange.response.headers.emplace_back(std::move(name), value);
  return size;
}

std::size_t take_body(char* data, std::size_t, std::size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  exchange.last_byte = Clock::now();
  if (exchange.streams()) {
    if ((*exchange.on_data)(std::string_view(data, size))) return size;
    exchange.ended_by_caller = true;
    return CURL_WRITEFUNC_ERROR;
  }
  if (size > exchange.request.max_response - exchange.response.body.size()) {
    exchange.too_large = true;
    return CURL_WRITEFUNC_ERROR;
  }
  exchange.response.body.append(data, size);
  return size;
}

curl_socket_t open_socket(void* user, curlsocktype /*purpose*/, curl_sockaddr* address) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (!may_dial(exchange.guard, address->addr)) {
    exchange.refused_address = true;
    return CURL_SOCKET_BAD;
  }
  const int made = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  exchange.dialled_address |= made >= 0;
  return made;
}

}  // namespace belay::webhook::http_client
