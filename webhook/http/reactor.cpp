// The reactor's loop: rounds of events, handshakes, deadlines, and the end.
#include "webhook/http/reactor.h"

#include <openssl/err.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace belay::webhook::http {
namespace {

constexpr std::size_t kEventsPerRound = 128;
constexpr std::size_t kHandshakesPerRound = 8;  // about 3 ms
constexpr std::size_t kInboxLimit = 64;
constexpr std::chrono::milliseconds kLingerTime{2'000};
/// How long connections without a request may live once the server stops: time for a request that
/// is on its way.
constexpr std::chrono::milliseconds kStopNewcomers{1'000};
constexpr std::chrono::milliseconds kStopIdle{50};

/// In the order of Phase.
PhaseLists::Durations durations_of(const ServerOptions& options) {
  return {options.handshake_timeout, options.idle_timeout, options.request_timeout,
          options.request_timeout,   options.idle_timeout, options.write_timeout,
          options.request_timeout,   kLingerTime};
}

}  // namespace

Reactor::Reactor(ServerState& state, std::unique_ptr<Handler> handler, std::size_t max_connections)
    : state_(state),
      max_connections_(max_connections),
      responder_(state, std::move(handler), waiting_),
      phases_(durations_of(state.options)) {}

Reactor::~Reactor() {
  for (const int socket : inbox_) ::close(socket);
  for (std::size_t i = 0; i < kPhaseCount; ++i) {
    while (Connection* const first = phases_.front(static_cast<Phase>(i))) close(*first);
  }
  bury();
  wakeup_->close();
  for (const int fd : {epoll_, handshakes_}) {
    if (fd >= 0) ::close(fd);
  }
}

std::expected<void, Error> Reactor::open() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  handshakes_ = epoll_create1(EPOLL_CLOEXEC);
  epoll_event wakeup{EPOLLIN, {.ptr = wakeup_.get()}};
  epoll_event handshakes{EPOLLIN, {.ptr = &handshakes_}};
  if (epoll_ < 0 || handshakes_ < 0 || wakeup_->fd() < 0 ||
      epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_->fd(), &wakeup) != 0 ||
      epoll_ctl(epoll_, EPOLL_CTL_ADD, handshakes_, &handshakes) != 0) {
    return std::unexpected(Error{std::string("cannot set up epoll: ") + std::strerror(errno)});
  }
  return {};
}

void Reactor::adopt(int socket) {
  load_.fetch_add(1, std::memory_order_relaxed);
  std::unique_lock lock(mutex_);
  inbox_has_room_.wait(lock, [&] { return inbox_.size() < kInboxLimit || stop_at_; });
  if (stop_at_) {
    load_.fetch_sub(1, std::memory_order_relaxed);
    ::close(socket);
    return;
  }
  inbox_.push_back(socket);
  if (inbox_.size() == 1) wakeup_->wake();
}

void Reactor::stop(Clock::time_point deadline) {
  {
    const std::lock_guard lock(mutex_);
    stop_at_ = deadline;
  }
  inbox_has_room_.notify_all();
  wakeup_->wake();
}

void Reactor::run() noexcept {
  try {
    now_ = Clock::now();
    while (!stopping_ || count_ > 0) round();
  } catch (const std::exception& error) {
    state_.events.fatal(error.what());
  } catch (...) {
    state_.events.fatal("unknown error in a reactor");
  }
}

void Reactor::round() {
  std::array<epoll_event, kEventsPerRound> events;
  const int ready = epoll_wait(epoll_, events.data(), kEventsPerRound, next_timeout());
  if (ready < 0 && errno != EINTR) throw std::runtime_error("epoll_wait failed");
  now_ = Clock::now();
  responder_.begin_round(now_);
  bool woken = false;
  bool shaking = false;
  std::vector<Connection*> unread;
  unread.swap(unread_);
  for (Connection* const connection : unread) on_event(*connection, EPOLLIN);
  for (int i = 0; i < ready; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    void* const source = event.data.ptr;
    if (source == wakeup_.get()) {
      woken = true;
    } else if (source == &handshakes_) {
      shaking = true;
    } else {
      on_event(*static_cast<Connection*>(source), event.events);
    }
  }
  if (shaking) step_handshakes();
  if (woken) on_wakeup();
  responder_.end_round();
  expire();
  if (stopping_) wind_down();
  bury();
}

int Reactor::next_timeout() const {
  if (!unread_.empty()) return 0;
  auto earliest = std::min(phases_.earliest(), waiting_.earliest());
  if (stopping_) earliest = std::min(earliest, now_ + std::chrono::milliseconds(20));
  if (earliest == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(earliest - now_).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

/// Takes what other threads have left: new sockets, the order to stop, responses.
void Reactor::on_wakeup() {
  std::uint64_t count = 0;
  std::ignore = ::read(wakeup_->fd(), &count, sizeof count);
  {
    const std::lock_guard lock(mutex_);
    taken_.swap(inbox_);
    if (stop_at_ && !stopping_) {
      stopping_ = stop_at_;
      stop_began_ = now_;
      responder_.close_connections();
    }
  }
  inbox_has_room_.notify_all();
  for (const int socket : taken_) add(socket);
  taken_.clear();
  waiting_.resume_ready([this](Connection& connection) {
    step(connection, [&] { return responder_.resume(connection); });
  });
}

void Reactor::add(int socket) {
  while (count_ >= max_connections_ && evict_one()) {
  }
  SslHandle ssl(count_ < max_connections_ ? SSL_new(state_.tls.get()) : nullptr);
  if (ssl == nullptr || SSL_set_fd(ssl.get(), socket) != 1) {
    ::close(socket);
    load_.fetch_sub(1, std::memory_order_relaxed);
    state_.events.rejected(Rejection::kOverload);
    return;
  }
  SSL_set_accept_state(ssl.get());
  auto connection =
      std::make_unique<Connection>(socket, std::move(ssl), state_.limits, state_.bytes);
  // Up to a tenth earlier, so that connections made together do not all end together.
  const auto spread = state_.options.max_age / 10 / 64 * (socket % 64);
  connection->retire = now_ + state_.options.max_age - spread;
  if (!connection->watch(handshakes_)) {
    load_.fetch_sub(1, std::memory_order_relaxed);
    state_.events.rejected(Rejection::kOverload);
    return;
  }
  phases_.add(*connection.release(), now_);
  ++count_;
}

bool Reactor::evict_one() {
  // Who never had a response goes first, longest waiting first: sockets that hold a place without
  // using it. API servers' pooled connections go last, work in progress never.
  Connection* oldest = phases_.front(Phase::kLinger);
  if (oldest == nullptr) {
    for (const Phase phase : {Phase::kHandshake, Phase::kFresh, Phase::kFirstRequest}) {
      Connection* const first = phases_.front(phase);
      if (first != nullptr && (oldest == nullptr || first->entered < oldest->entered)) {
        oldest = first;
      }
    }
  }
  if (oldest == nullptr) oldest = phases_.front(Phase::kIdle);
  if (oldest == nullptr) return false;
  if (oldest->phase != Phase::kLinger) state_.events.rejected(Rejection::kOverload);
  close(*oldest);
  return true;
}

void Reactor::step_handshakes() {
  std::array<epoll_event, kHandshakesPerRound> events;
  const int ready = epoll_wait(handshakes_, events.data(), kHandshakesPerRound, 0);
  for (int i = 0; i < ready; ++i) {
    auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
    if (!connection.dead) handshake(connection);
  }
}

void Reactor::handshake(Connection& connection) {
  SSL* const ssl = connection.ssl.get();
  const int result = SSL_do_handshake(ssl);
  if (result != 1) {
    const int error = SSL_get_error(ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
      if (!connection.want(error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT)) close(connection);
      return;
    }
    ERR_clear_error();
    state_.events.rejected(Rejection::kHandshake);
    close(connection);
    return;
  }
  connection.tls_usable = true;
  if (!connection.watch(epoll_)) {
    close(connection);
    return;
  }
  phases_.enter(connection, Phase::kFresh, now_);
  // The first request may have come with the last flight of the handshake.
  if (SSL_has_pending(ssl) == 1) on_event(connection, EPOLLIN);
}

void Reactor::on_event(Connection& connection, std::uint32_t events) {
  if (connection.dead) return;
  step(connection, [&] {
    switch (connection.phase) {
      case Phase::kLinger:
        return connection.swallow(responder_.scratch()) ? Next::kStay : Next::kClose;
      case Phase::kWrite:
        return responder_.resume_write(connection);
      case Phase::kWaiting:  // one that came in the round in which it began to wait tells nothing
        return (events & (EPOLLHUP | EPOLLERR)) != 0 ? Next::kClose : Next::kStay;
      default:
        return responder_.serve(connection, true);
    }
  });
}

/// Takes one step of a connection, and what it comes to.
template <typename Step>
void Reactor::step(Connection& connection, Step take_step) {
  try {
    apply(connection, take_step());
  } catch (const std::exception&) {  // out of memory: this connection ends, the others go on
    responder_.abandon();
    if (!connection.dead) close(connection);
  }
}

void Reactor::apply(Connection& connection, Next next) {
  if (std::exchange(connection.unread, false)) unread_.push_back(&connection);
  switch (next) {
    case Next::kStay:
      return;
    case Next::kRequest:
      phases_.enter(connection, connection.served ? Phase::kRequest : Phase::kFirstRequest, now_);
      return;
    case Next::kIdle:
      phases_.enter(connection, connection.served ? Phase::kIdle : Phase::kFresh, now_);
      return;
    case Next::kWrite:
      phases_.enter(connection, Phase::kWrite, now_);
      return;
    case Next::kResponse:  // nothing is read; epoll tells of a connection that broke all the same
      if (!connection.want(0)) break;
      phases_.enter(connection, Phase::kWaiting, now_);
      return;
    case Next::kLinger:
      if (!connection.begin_linger()) break;
      phases_.enter(connection, Phase::kLinger, now_);
      return;
    case Next::kClose:
      break;
  }
  close(connection);
}

void Reactor::expire() {
  resume_expired(now_);
  phases_.expire(now_,
                 [this](Connection& connection) { apply(connection, end_of_time(connection)); });
}

/// What becomes of a connection that was too long in its phase.
Next Reactor::end_of_time(Connection& connection) {
  switch (connection.phase) {
    case Phase::kHandshake:
      state_.events.rejected(Rejection::kHandshake);
      return Next::kClose;
    case Phase::kFirstRequest:
    case Phase::kRequest:
      return responder_.reject(
          connection,
          {Rejection::kTimeout, "the request took too long to arrive",
           static_cast<std::size_t>(state_.options.request_timeout.count()), "milliseconds"});
    default:
      return Next::kClose;
  }
}

void Reactor::resume_expired(Clock::time_point until) {
  waiting_.resume_expired(until, [this](Connection& connection) {
    step(connection, [&] { return responder_.resume(connection); });
  });
}

void Reactor::wind_down() {
  const auto waited = now_ - stop_began_;
  const auto close_all = [&](Phase phase) {
    while (Connection* const first = phases_.front(phase)) close(*first);
  };
  if (waited >= kStopIdle) {  // a request that had arrived already was served meanwhile
    close_all(Phase::kIdle);
    close_all(Phase::kLinger);
  }
  if (waited >= kStopNewcomers) {
    close_all(Phase::kHandshake);
    close_all(Phase::kFresh);
  }
  if (now_ >= *stopping_) {
    resume_expired(Clock::time_point::max());
    for (std::size_t i = 0; i < kPhaseCount; ++i) close_all(static_cast<Phase>(i));
  }
}

void Reactor::close(Connection& connection) {
  waiting_.remove(connection);
  phases_.remove(connection);
  connection.close();
  graveyard_.push_back(&connection);
  --count_;
  load_.fetch_sub(1, std::memory_order_relaxed);
}

void Reactor::bury() {
  if (graveyard_.empty()) return;
  std::erase_if(unread_, [](const Connection* connection) { return connection->dead; });
  for (const Connection* const connection : graveyard_) delete connection;
  graveyard_.clear();
}

}  // namespace belay::webhook::http
