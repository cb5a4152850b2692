// One connection of the webhook port and the lists that keep connections in the order of their
// deadlines. Everything here belongs to one reactor's thread, but for BytesInFlight.
#pragma once

#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "webhook/http/framing.h"
#include "webhook/http/pending_response.h"
#include "webhook/http/tls_context.h"

namespace belay::webhook::http {

using Clock = std::chrono::steady_clock;

/// Bytes that connections hold for requests and answers that are not whole. Thread-safe.
class BytesInFlight {
 public:
  explicit BytesInFlight(std::size_t limit) : limit_(limit) {}
  /// \return false, with nothing taken, if the limit would be passed
  bool take(std::size_t bytes) {
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= limit_) return true;
    give(bytes);
    return false;
  }
  void give(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> used_{0};
};

/// Bytes of a request that is not whole; one byte more than its capacity may be written. Grows by
/// realloc, so large bodies move by page tables rather than by copying.
class InputBuffer {
 public:
  char* data() { return bytes_.get(); }
  std::size_t capacity() const { return capacity_; }
  std::size_t size = 0;

  /// \pre capacity >= size
  void grow(std::size_t capacity) {
    char* const bytes = static_cast<char*>(std::realloc(bytes_.get(), capacity + 1));
    if (bytes == nullptr) throw std::bad_alloc();
    std::ignore = bytes_.release();
    bytes_.reset(bytes);
    capacity_ = capacity;
  }
  void release() {
    bytes_.reset();
    capacity_ = size = 0;
  }

 private:
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<char, Free> bytes_;
  std::size_t capacity_ = 0;
};

/// What a connection waits for. Each phase has one duration, so each phase's list is in the order
/// of deadlines without sorting.
enum class Phase : std::uint8_t {
  kHandshake,     ///< TLS is not up yet
  kFresh,         ///< nothing was asked yet
  kFirstRequest,  ///< its first request is not whole
  kRequest,       ///< a later request is not whole
  kIdle,          ///< answered at least once, nothing is asked
  kWrite,         ///< the peer does not read its answer
  kParked,        ///< its answer comes later
  kLinger,        ///< our side is closed; what still comes is thrown away
};
inline constexpr std::size_t kPhaseCount = 8;

/// A request whose answer comes later.
struct Parked {
  std::shared_ptr<PendingResponse> answer;
  Clock::time_point deadline;
  std::size_t bytes;  ///< of BytesInFlight
  bool close;         ///< the peer asked for the connection's end
  std::optional<Resumed> resumed =
      std::nullopt;  ///< set where earlier answers must be written first
};

struct Connection {
  Connection(int socket, SslHandle handle, const FramingLimits& limits)
      : fd(socket), ssl(std::move(handle)), framer(limits) {}
  ~Connection() {
    ssl.reset();
    if (fd >= 0) ::close(fd);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd;
  SslHandle ssl;
  Framer framer;
  InputBuffer input;               ///< of a request that is not whole, between two events
  std::string output;              ///< of an answer that could not be written at once
  std::unique_ptr<Parked> parked;  ///< what it waits for; may be there in kParked and kWrite
  std::size_t written = 0;
  std::size_t accounted = 0;    ///< of BytesInFlight
  std::size_t lingered = 0;     ///< bytes thrown away in kLinger
  Clock::time_point retire{};   ///< from then on the next answer closes
  Clock::time_point entered{};  ///< the phase
  Connection* previous = nullptr;
  Connection* next = nullptr;
  std::uint32_t interest = 0;  ///< of epoll
  Phase phase = Phase::kHandshake;
  bool large = false;      ///< `input` is read into directly
  bool served = false;     ///< a request was answered
  bool continued = false;  ///< "100 Continue" was sent for the current request
  bool closing = false;    ///< the last answer is written or on its way
  bool tls_usable = false;
  bool dead = false;  ///< closed; deleted at the end of the round
};

/// Connections of one phase, longest waiting first. Does not own them.
class ConnectionList {
 public:
  bool empty() const { return first_ == nullptr; }
  Connection* front() const { return first_; }

  void push_back(Connection& connection) {
    connection.previous = last_;
    connection.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &connection;
    last_ = &connection;
  }
  void remove(Connection& connection) {
    (connection.previous != nullptr ? connection.previous->next : first_) = connection.next;
    (connection.next != nullptr ? connection.next->previous : last_) = connection.previous;
    connection.previous = connection.next = nullptr;
  }

 private:
  Connection* first_ = nullptr;
  Connection* last_ = nullptr;
};

}  // namespace belay::webhook::http
