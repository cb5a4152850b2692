// HTTPS requests that belay itself makes, on libcurl: to the Kubernetes API and to registries.
// Every request ends by a deadline, follows no redirect, and reads no more than it was told to.
//
// A Client is thread-safe; connections are kept and shared between its calls. The process ignores
// SIGPIPE from the first Client on, because a peer that hangs up is an error here, not a signal.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "webhook/http_client/address_guard.h"
#include "webhook/http_client/proxy.h"

namespace belay::webhook::http_client {

/// How a client connects. Every field states its default and consequence.
struct ClientOptions {
  std::string ca_pem = {};           ///< authorities to trust; "": the system's
  std::string client_cert_pem = {};  ///< with client_key_pem: TLS client authentication
  std::string client_key_pem = {};
  std::string server_name = {};  ///< checked instead of the URL's host, sent as SNI; "": the host
  std::string agent = "belay";
  Proxies proxies = {};  ///< proxies_of_environment() for registries; none for the API server
  /// Which addresses may be dialled. A request through a proxy dials the proxy, which is the
  /// admin's choice, and is not guarded: the proxy has to be.
  AddressGuard guard = AddressGuard::kNone;
  std::chrono::milliseconds connect_timeout{3'000};
};

using Header = std::pair<std::string, std::string>;

struct ClientRequest {
  std::string_view method = "GET";
  std::string url = {};
  std::vector<Header> headers = {};
  std::string_view body = {};
  std::chrono::milliseconds deadline{10'000};         ///< whole request, name lookup included
  std::size_t max_response = std::size_t{64} << 20U;  ///< bytes of a body that is returned
};

struct ClientResponse {
  int status = 0;
  std::vector<Header> headers = {};  ///< names in lower case
  std::string body = {};
  /// \return the first header of that lower-case name, or nullptr.
  const std::string* header(std::string_view name) const;
};

/// Why there is no response.
struct ClientError {
  enum class Kind : std::uint8_t {
    kUnreachable,
    kTls,
    kTimeout,
    kTooLarge,
    kProtocol,
    kStopped,
    kRefusedAddress,  ///< every address of the name is one that the guard forbids
  };
  Kind kind = Kind::kUnreachable;
  std::string message = {};  ///< a sentence; no credentials, no query string
};

class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// One request and its whole response, whatever its status.
  /// \param stop  ends it with kStopped
  std::expected<ClientResponse, ClientError> send(const ClientRequest& request,
                                                  const std::stop_token& stop = {}) const;

  /// Hands over a 2xx response's body as it comes (`on_data` returns false to end it); any other
  /// response is returned whole. Ends without error when the peer ends it or `on_data` does.
  /// \param request  its deadline covers the time until the response's head
  /// \param silence  longest time without a byte
  using OnData = std::function<bool(std::string_view data)>;
  std::expected<ClientResponse, ClientError> stream(const ClientRequest& request,
                                                    std::chrono::milliseconds silence,
                                                    const std::stop_token& stop,
                                                    const OnData& on_data) const;

 private:
  class Pool;
  std::unique_ptr<Pool> pool_;
};

}  // namespace belay::webhook::http_client
