// cpp-httplib as a listener: binds, listens and accepts, and hands every socket to us instead of
// to its thread-per-connection loop. The one place that includes httplib.h and knows how versions
// 0.11 to 0.53 differ.
#pragma once

#include <httplib.h>

#include <expected>
#include <functional>
#include <string>

#include "webhook/http/server.h"

namespace belay::webhook::http {

class HttplibServer : public httplib::Server {
 public:
  HttplibServer();
  ~HttplibServer() override;
  HttplibServer(const HttplibServer&) = delete;
  HttplibServer& operator=(const HttplibServer&) = delete;

  /// Binds and listens. cpp-httplib listens with a backlog of 5 (compiled into the library), under
  /// which a burst of connects waits a second for TCP's retransmission; so we listen again.
  std::expected<void, Error> bind(const std::string& host, std::uint16_t port, int backlog);
  std::uint16_t port() const { return port_; }

  /// Accepts until end_accepting(); calls take() for every socket, on this thread. cpp-httplib
  /// closes its socket at the first error of accept() that it doesn't know (ECONNABORTED, ENFILE);
  /// the listening socket is kept by a duplicate, and accepting goes on.
  /// \return true after end_accepting(), false if the socket is beyond repair
  bool accept_all();
  /// Thread-safe. Ends accept_all() and closes the port.
  void end_accepting();

 protected:
  /// Owns the socket from here on.
  virtual void take(int socket) = 0;

  /// Lets cpp-httplib answer one request whose head is `head`.
  /// \return the bytes of its answer
  std::string answer(std::string_view head);

 private:
  bool process_and_close_socket(socket_t socket) final;

  std::uint16_t port_ = 0;
  int keeper_ = -1;  ///< a duplicate of the listening socket
  std::atomic<bool> ending_{false};
};

}  // namespace belay::webhook::http
