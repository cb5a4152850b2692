// One reactor: a thread, two epoll sets and the connections that were handed to it. Reads TLS,
// frames requests, calls the handler, writes answers, and ends what takes too long.
//
// Connections that are still shaking hands wait in an epoll set of their own, of which a round
// takes a few: a handshake costs as much as a dozen requests, and a flood of them must not delay
// those who are being served. adopt(), stop() and load() are thread-safe; run() is the thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "webhook/http/connection.h"
#include "webhook/http/server.h"

namespace belay::webhook::http {

/// What the reactors of one server share. Immutable but for the atomics.
struct ReactorShared {
  ReactorShared(const ServerOptions& given, SslContext context, ServerEvents told)
      : options(given),
        tls(std::move(context)),
        events(std::move(told)),
        limits{options.max_header_bytes, options.max_headers, options.max_body_bytes,
               options.paths},
        bytes(options.max_bytes_in_flight) {}

  const ServerOptions options;
  const SslContext tls;
  const ServerEvents events;
  const FramingLimits limits;
  BytesInFlight bytes;
  std::atomic<bool> draining{false};
};

/// What a connection is told when memory for it would pass the limit.
inline constexpr RejectionText kTooManyBytes{Rejection::kOverload,
                                             "too many bytes are in flight, try again later"};

class Reactor {
 public:
  /// \param max_connections  of this reactor; at least 1
  Reactor(ReactorShared& shared, std::unique_ptr<Handler> handler, std::size_t max_connections);
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// Opens the epoll sets.
  std::expected<void, Error> open();
  /// Serves until stop(). Lets no exception out.
  void run() noexcept;

  /// Hands over an accepted socket. Waits while too many are waiting already, so that a flood of
  /// connects stays in the kernel's queue.
  void adopt(int socket);
  /// Finishes requests that have begun, until `deadline` at most, then ends run().
  void stop(Clock::time_point deadline);
  /// Connections held or waiting to be taken.
  std::size_t load() const { return load_.load(std::memory_order_relaxed); }

 private:
  /// The bytes at hand during one event: in the reactor's scratch memory, or, for a large body, in
  /// the connection's own buffer. The byte behind `capacity` may be written.
  struct Window {
    char* base;
    std::size_t start, end, capacity;
    std::string_view rest() const { return {base + start, end - start}; }
  };
  enum class Reading : std::uint8_t { kData, kNothing, kPeerClosed, kOverload };

  // The loop (reactor.cpp).
  void round();
  int next_timeout() const;
  void take_sockets();
  void add(int socket);
  bool evict_one();
  void step_handshakes();
  void handshake(Connection& connection);
  void on_event(Connection& connection, std::uint32_t events);
  void expire();
  void expire_one(Connection& connection);
  void wind_down();
  void enter(Connection& connection, Phase phase);
  bool want(Connection& connection, std::uint32_t events);
  void close(Connection& connection);
  void linger(Connection& connection);
  void swallow(Connection& connection);
  void bury();

  // Requests and answers (reactor_requests.cpp).
  void pump(Connection& connection, bool readable);
  bool frame(Connection& connection, Window& window);
  void answer(Connection& connection, Window& window);
  void begin_response();
  void fail_response();
  void conclude(Connection& connection, bool close);
  void reject(Connection& connection, const RejectionText& text);
  Reading read(Connection& connection, Window& window);
  bool make_room(Connection& connection, Window& window);
  bool write(Connection& connection);
  bool resume_write(Connection& connection);
  Window open_window(Connection& connection);
  Window scratch_window();
  bool park(Connection& connection, const Window& window);
  void forget_input(Connection& connection);
  std::string_view date();

  // Answers that come later (reactor_pending.cpp).
  void postpone(Connection& connection, bool close, std::size_t bytes);
  std::unique_ptr<Parked> unpark(Connection& connection);
  void wait_for_answer(Connection& connection);
  void take_answers();
  void expire_parked(Clock::time_point until);
  void wake_parked(Connection& connection, Resumed why);
  void resume(Connection& connection);

  ReactorShared& shared_;
  const std::unique_ptr<Handler> handler_;
  const std::size_t max_connections_;
  std::array<std::chrono::milliseconds, kPhaseCount> durations_;
  std::array<ConnectionList, kPhaseCount> phases_;
  std::size_t count_ = 0;
  int epoll_ = -1;
  int handshakes_ = -1;  ///< the epoll set of connections in kHandshake; a member of epoll_
  const std::shared_ptr<ReadyQueue> wakeup_ = std::make_shared<ReadyQueue>();

  Clock::time_point now_;
  std::unique_ptr<char[]> scratch_;
  std::string out_;  ///< answers of the current event
  Response response_;
  std::size_t last_read_ = 0;        ///< bytes of the last read()
  bool served_ = false;              ///< the handler was called in this round
  std::vector<Connection*> resume_;  ///< with bytes inside OpenSSL that epoll won't tell of
  std::vector<Connection*> graveyard_;
  std::set<std::pair<Clock::time_point, Connection*>> deadlines_;  ///< of parked requests
  std::vector<std::shared_ptr<PendingResponse>> ready_;
  std::array<char, 29> date_{};
  std::int64_t date_second_ = -1;

  std::atomic<std::size_t> load_{0};
  std::mutex mutex_;
  std::condition_variable inbox_has_room_;
  std::vector<int> inbox_;  ///< guarded by mutex_
  std::vector<int> taken_;
  std::optional<Clock::time_point> stop_at_;   ///< guarded by mutex_
  std::optional<Clock::time_point> stopping_;  ///< the reactor's own copy
  Clock::time_point stop_began_;
};

}  // namespace belay::webhook::http
