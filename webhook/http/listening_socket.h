// A TCP port that is listened on, for the webhook port and the admin port.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "webhook/http/server.h"

namespace belay::webhook::http {

/// What came of one accept().
struct Accepted {
  enum class State : std::uint8_t {
    kSocket,  ///< `socket` is the caller's: close-on-exec, does not block, TCP_NODELAY
    kNone,    ///< nobody is there (any more)
    kScarce,  ///< no descriptor or memory: worth another attempt after a pause
    kBroken,  ///< the port is closed, or beyond repair
  };
  State state = State::kNone;
  int socket = -1;
};

class ListeningSocket {
 public:
  ListeningSocket() = default;
  ~ListeningSocket();
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;

  /// \param host     a name or an address; "::" takes IPv4, too
  /// \param port     0 picks a free one
  /// \param backlog  connections that the kernel holds until accept()
  std::expected<void, Error> open(const std::string& host, std::uint16_t port, int backlog);
  int fd() const { return fd_; }
  std::uint16_t port() const { return port_; }

  /// Waits for a connection, if the socket blocks.
  Accepted accept();
  /// accept() no longer waits. For a thread that only polls.
  bool set_nonblocking();
  /// Closes the port: new connections are refused, and accept() returns kBroken. Thread-safe
  /// beside accept(); the descriptor lives until the destructor.
  void shut_down();

 private:
  int fd_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace belay::webhook::http
