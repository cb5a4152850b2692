// The HTTPS server of the webhook port: epoll + OpenSSL reactors behind one listening socket,
// strict framing, deadlines for everything. Where requests go is the Handler's business.
//
// One reactor a CPU; each has a handler of its own (made by the factory), so a handler needs no
// locks. Server's own functions are thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "certs/store.h"
#include "webhook/http/pending_response.h"
#include "webhook/http/rejection.h"

namespace belay::webhook::http {

/// A request that was framed whole. Views and the body borrow from the connection's buffer and live
/// until handle() returns. The byte behind the body may be written (in-situ parsers want a NUL).
struct Request {
  std::string_view path;          ///< without query, one of ServerOptions::paths
  std::string_view query;         ///< behind "?", "" where absent
  std::string_view content_type;  ///< as sent, "" where absent
  std::span<char> body;
};

/// A response. `body` keeps its capacity from one request to the next.
struct Response {
  int status = 200;
  std::string body;    ///< JSON; sent as application/json; charset=utf-8
  bool close = false;  ///< respond with `Connection: close` and end the connection
  /// Set instead of all else where the response comes later: pending_response.h tells how.
  std::shared_ptr<PendingResponse> pending = nullptr;
};

class Handler {
 public:
  virtual ~Handler() = default;
  /// Responds to one request; must not block. `response` arrives with status 200 and an empty body.
  /// What has to wait for something sets `response.pending`.
  virtual void handle(const Request& request, Response& response) = 0;
  /// After a batch of requests: the moment to pass on what was gathered (log lines).
  virtual void flush() {}
};
using HandlerFactory = std::function<std::unique_ptr<Handler>()>;

/// What the server tells while it runs. Called on reactor threads; must be thread-safe and quick.
struct ServerEvents {
  std::function<void(Rejection)> rejected = [](Rejection) {};
  /// The server can't go on (the listening socket or epoll is broken). A process that no longer
  /// serves must not look alive: the default writes the text to stderr and ends the process with
  /// status 1. Called on one of the server's threads.
  std::function<void(std::string_view)> fatal = exit_with_message;

  [[noreturn]] static void exit_with_message(std::string_view message);
};

/// Limits of the server. Every field states its default and what it protects from.
struct ServerOptions {
  std::string host = "0.0.0.0";
  std::uint16_t port = 8443;  ///< 0 picks a free one
  unsigned threads = 0;       ///< reactors; 0 = CPUs of the quota, at least 1
  std::vector<std::string> paths = {"/validate", "/mutate",
                                    "/validate-policy"};  ///< POST only; anything else is 404
  std::string client_ca_pem;  ///< require client certificates of these CAs, if set

  std::size_t max_header_bytes = std::size_t{16}
                                 << 10U;               ///< request line and headers: endless lines
  std::size_t max_headers = 64;                        ///< header floods
  std::size_t max_body_bytes = std::size_t{8} << 20U;  ///< object + oldObject of 3 MiB each in JSON
  /// Memory over all connections; at most a quarter of what the cgroup allows.
  std::size_t max_bytes_in_flight = std::size_t{256} << 20U;
  std::size_t max_connections = 2048;                  ///< descriptors and TLS state
  int backlog = 1024;                                  ///< bursts after an API server's restart
  std::chrono::milliseconds handshake_timeout{5'000};  ///< half-open handshakes
  std::chrono::milliseconds request_timeout{10'000};   ///< whole request, however it drips
  std::chrono::milliseconds idle_timeout{150'000};     ///< longer than the API server's 90 s
  std::chrono::milliseconds write_timeout{10'000};     ///< peers that do not read
  std::chrono::milliseconds max_age{20 * 60'000};      ///< then `Connection: close`, to spread load
};

struct Error {
  std::string message;
};

class Server {
 public:
  Server(ServerOptions options, std::shared_ptr<const certs::Store> store, HandlerFactory factory,
         ServerEvents events = {});
  ~Server();  ///< stops at once if still running
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds, listens, starts the threads.
  std::expected<void, Error> start();
  /// The port that is bound.
  std::uint16_t port() const;
  /// From now on every response carries `Connection: close`; new connections are still served.
  void begin_drain();
  /// Stops accepting, lets requests that have begun finish (at most `grace`), closes the rest and
  /// joins the threads.
  void stop(std::chrono::milliseconds grace);
  std::size_t connections() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::http
