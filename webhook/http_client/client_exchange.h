// One request on its way through libcurl, and the callbacks that libcurl makes for it. For
// client.cpp only; belongs to one call.
#pragma once

#include <chrono>
#include <cstddef>

#include "webhook/http_client/client.h"
#include "webhook/http_client/libcurl.h"

namespace belay::webhook::http_client {

inline constexpr std::size_t kMaxHeaderBytes = std::size_t{256} << 10U;  ///< of a response

/// One exchange: what comes in, and why it ended where that was our doing.
struct Exchange {
  const ClientRequest& request;
  const Client::OnData* on_data = nullptr;  ///< of stream()
  CURL* easy = nullptr;
  ClientResponse response{};
  std::size_t header_bytes = 0;
  bool head_read = false;  // the final response's, not that of an interim one
  bool ended_by_caller = false;
  bool too_large = false;
  AddressGuard guard = AddressGuard::kNone;
  bool refused_address = false;  ///< the guard kept at least one address from being dialled
  bool dialled_address = false;  ///< at least one was
  std::chrono::steady_clock::time_point last_byte{};

  /// Whether there is no response because the guard forbids every address of the name. Where one
  /// was dialled, what became of that is the cause.
  bool refused() const { return refused_address && !dialled_address && !head_read; }
  bool streams() const {
    return on_data != nullptr && response.status >= 200 && response.status < 300;
  }
};

// Callbacks of libcurl; `user` is the Exchange.
std::size_t take_header(char* data, std::size_t one, std::size_t size, void* user);
std::size_t take_body(char* data, std::size_t one, std::size_t size, void* user);
/// Makes the socket for an address that was just resolved, unless the guard forbids it.
curl_socket_t open_socket(void* user, curlsocktype purpose, curl_sockaddr* address);

}  // namespace belay::webhook::http_client
