// The way of a request through one reactor: TLS bytes -> framing -> handler -> one TLS record.
// What a connection waits for afterwards is returned, and the Reactor's to arrange. Belongs to the
// reactor's thread.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "webhook/http/connection.h"
#include "webhook/http/server_state.h"
#include "webhook/http/waiting_requests.h"

namespace belay::webhook::http {

/// What a connection does next.
enum class Next : std::uint8_t {
  kStay,      ///< waits on for what it waited for
  kRequest,   ///< a request has begun and is not whole
  kIdle,      ///< nothing is asked
  kWrite,     ///< the socket did not take all of a response
  kResponse,  ///< the response comes later
  kLinger,    ///< the last response is written
  kClose,
};

class Responder {
 public:
  Responder(ServerState& state, std::unique_ptr<Handler> handler, WaitingRequests& waiting);

  /// What the clock said at the begin of this round.
  void begin_round(Clock::time_point now) { now_ = now; }
  /// Ends a round: the handler passes on what it gathered.
  void end_round();
  /// From now on every response closes its connection.
  void close_connections() { closing_ = true; }

  /// Serves what has come. \param readable  epoll told of bytes
  Next serve(Connection& connection, bool readable);
  /// Goes on writing, and then serving. \pre the connection's phase is kWrite
  Next resume_write(Connection& connection);
  /// Asks for the response that was waited for, and serves on.
  /// \pre waiting->resumed, and nothing is being written
  Next resume(Connection& connection);
  /// Ends the connection with a rejection.
  Next reject(Connection& connection, const RejectionText& text);
  /// Forgets a response after an exception (out of memory): its connection ends.
  void abandon() { out_.clear(); }

  /// Memory for one event, empty.
  Window scratch() const;

 private:
  bool frame(Connection& connection, Window& window);
  void respond(Connection& connection, Window& window);
  void begin_response();
  void fail_response();
  void conclude(Connection& connection, bool close);
  void append_rejection_to(Connection& connection, const RejectionText& text);
  Connection::Write write(Connection& connection);
  std::string_view date();

  ServerState& state_;
  const std::unique_ptr<Handler> handler_;
  WaitingRequests& waiting_;
  const std::unique_ptr<char[]> scratch_;
  std::string out_;  ///< responses of the current event
  Response response_;
  bool served_ = false;  ///< the handler was called in this round
  bool closing_ = false;
  Clock::time_point now_;
  std::array<char, 29> date_{};
  std::int64_t date_second_ = -1;
};

}  // namespace belay::webhook::http
