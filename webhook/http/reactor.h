// One reactor: a thread, two epoll sets and the connections that were handed to it. It waits for
// events and deadlines, shakes hands, has requests served by its Responder, makes room for
// newcomers, and ends what takes too long.
//
// Connections that are still shaking hands wait in an epoll set of their own, of which a round
// takes a few: a handshake costs as much as a dozen requests, and a flood of them must not delay
// those who are being served. adopt(), stop() and load() are thread-safe; run() is the thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "webhook/http/connection.h"
#include "webhook/http/phase_lists.h"
#include "webhook/http/responder.h"
#include "webhook/http/server_state.h"
#include "webhook/http/waiting_requests.h"

namespace belay::webhook::http {

class Reactor {
 public:
  /// \param max_connections  of this reactor; at least 1
  Reactor(ServerState& state, std::unique_ptr<Handler> handler, std::size_t max_connections);
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
  void round();
  int next_timeout() const;
  void on_wakeup();
  void add(int socket);
  bool evict_one();
  void step_handshakes();
  void handshake(Connection& connection);
  void on_event(Connection& connection, std::uint32_t events);
  template <typename Step>
  void step(Connection& connection, Step take_step);
  void apply(Connection& connection, Next next);
  void expire();
  Next end_of_time(Connection& connection);
  void resume_expired(Clock::time_point until);
  void wind_down();
  void close(Connection& connection);
  void bury();

  ServerState& state_;
  const std::size_t max_connections_;
  const std::shared_ptr<ReadyQueue> wakeup_ = std::make_shared<ReadyQueue>();
  WaitingRequests waiting_{wakeup_};
  Responder responder_;
  PhaseLists phases_;
  std::size_t count_ = 0;
  int epoll_ = -1;
  int handshakes_ = -1;  ///< the epoll set of connections in kHandshake; a member of epoll_

  Clock::time_point now_;
  std::vector<Connection*> unread_;  ///< with bytes inside OpenSSL that epoll won't tell of
  std::vector<Connection*> graveyard_;
  std::optional<Clock::time_point> stopping_;  ///< the reactor's own copy of stop_at_
  Clock::time_point stop_began_;

  std::atomic<std::size_t> load_{0};
  std::mutex mutex_;
  std::condition_variable inbox_has_room_;
  std::vector<int> inbox_;                    ///< guarded by mutex_
  std::optional<Clock::time_point> stop_at_;  ///< guarded by mutex_
  std::vector<int> taken_;                    ///< from inbox_
};

}  // namespace belay::webhook::http
