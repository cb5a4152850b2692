// One connection of the webhook port: its socket, its TLS, and what it holds of a request or a
// response that is not whole. It moves bytes; what they say is the Responder's business, and how
// long it may take the Reactor's. Belongs to one reactor's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "webhook/http/framing.h"
#include "webhook/http/input_buffer.h"
#include "webhook/http/tls_context.h"
#include "webhook/http/waiting_requests.h"

namespace belay::webhook::http {

using Clock = std::chrono::steady_clock;

/// What a connection waits for. Each phase has one duration, so each phase's list is in the order
/// of deadlines without sorting.
enum class Phase : std::uint8_t {
  kHandshake,     ///< TLS is not up yet
  kFresh,         ///< nothing was asked yet
  kFirstRequest,  ///< its first request is not whole
  kRequest,       ///< a later request is not whole
  kIdle,          ///< served at least once, nothing is asked
  kWrite,         ///< the peer does not read its response
  kWaiting,       ///< its response comes later
  kLinger,        ///< our side is closed; what still comes is thrown away
};
inline constexpr std::size_t kPhaseCount = 8;

class Connection {
 public:
  enum class Read : std::uint8_t { kData, kNothing, kPeerClosed, kOverload, kBroken };
  enum class Write : std::uint8_t { kDone, kBlocked, kBroken };

  Connection(int socket, SslHandle handle, const FramingLimits& limits, BytesInFlight& bytes)
      : fd(socket), ssl(std::move(handle)), framer(limits), bytes_(bytes) {}
  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Leaves the epoll set that it is in, and enters another, to be told of what can be read.
  bool watch(int epoll_set);
  /// Which events of epoll it is told of from now on.
  bool want(std::uint32_t events);

  /// What was kept of the last event. \param scratch  empty; what is small is moved into it
  Window open_window(const Window& scratch);
  /// Reads once, into a window that grows as the request asks for.
  /// \param got  the bytes that came, in kData
  Read read(Window& window, std::size_t& got);
  /// Keeps what is left of a window for the next event.
  /// \return false if that would pass the limit of bytes in flight
  bool keep(const Window& window);
  void forget_input();

  /// Writes `output`. In kBlocked epoll will tell when to go on.
  Write write();

  /// Takes bytes for something that it holds until give() or its end.
  /// \return false, with nothing taken, if the limit would be passed
  bool take(std::size_t bytes);
  void give(std::size_t bytes);

  /// Ends our side, so that the peer reads what was written before it learns of the end.
  bool begin_linger();
  /// Throws away what comes after that. \return false once the connection is to be closed
  bool swallow(const Window& scratch);
  /// Ends it, with a farewell if the socket takes it, and gives back what it held.
  void close();

  int fd;
  SslHandle ssl;
  Framer framer;
  std::string output;                       ///< of a response that is not written yet
  std::unique_ptr<WaitingRequest> waiting;  ///< may be there in kWaiting and kWrite
  Clock::time_point retire{};               ///< from then on the next response closes
  Clock::time_point entered{};              ///< the phase
  Connection* previous = nullptr;           ///< of the phase's list
  Connection* next = nullptr;
  Phase phase = Phase::kHandshake;
  bool large = false;       ///< the input is read into memory of its own directly
  bool served = false;      ///< a request was responded to
  bool continued = false;   ///< "100 Continue" was sent for the current request
  bool closing = false;     ///< the last response is written or on its way
  bool unread = false;      ///< OpenSSL holds bytes that epoll won't tell of
  bool tls_usable = false;  ///< the handshake is over and nothing has broken since
  bool dead = false;        ///< closed; deleted at the end of the round

 private:
  bool make_room(Window& window);
  bool finish_write();

  BytesInFlight& bytes_;
  InputBuffer input_;  ///< of a request that is not whole, between two events
  std::size_t written_ = 0;
  std::size_t accounted_ = 0;  ///< of BytesInFlight
  std::size_t blocked_ = 0;    ///< of those, for output that the socket did not take
  std::size_t lingered_ = 0;   ///< bytes thrown away
  int epoll_ = -1;
  std::uint32_t interest_ = 0;  ///< of epoll
};

}  // namespace belay::webhook::http
