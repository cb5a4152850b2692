// The reactor's loop: rounds of events, handshakes, deadlines, and the end.
#include "webhook/http/reactor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace belay::webhook::http {
namespace {

constexpr std::size_t kEventsPerRound = 128;
constexpr std::size_t kHandshakesPerRound = 8;  // about 3 ms
constexpr std::size_t kInboxLimit = 64;
constexpr std::size_t kLingerBytes = std::size_t{32} << 20U;
constexpr std::chrono::milliseconds kLingerTime{2'000};
/// How long connections without a request may live once the server stops: time for a request that
/// is on its way.
constexpr std::chrono::milliseconds kStopNewcomers{1'000};
constexpr std::chrono::milliseconds kStopIdle{50};

std::size_t index_of(Phase phase) { return static_cast<std::size_t>(phase); }

}  // namespace

Reactor::Reactor(ReactorShared& shared, std::unique_ptr<Handler> handler,
                 std::size_t max_connections)
    : shared_(shared), handler_(std::move(handler)), max_connections_(max_connections) {
  const ServerOptions& options = shared.options;
  durations_ = {options.handshake_timeout, options.idle_timeout, options.request_timeout,
                options.request_timeout,   options.idle_timeout, options.write_timeout,
                options.request_timeout,   kLingerTime};
}

Reactor::~Reactor() {
  for (const int socket : inbox_) ::close(socket);
  for (ConnectionList& list : phases_) {
    while (!list.empty()) close(*list.front());
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
    scratch_ = std::make_unique_for_overwrite<char[]>(scratch_window().capacity + 1);
    now_ = Clock::now();
    while (!stopping_ || count_ > 0) round();
  } catch (const std::exception& error) {
    shared_.events.fatal(error.what());
  } catch (...) {
    shared_.events.fatal("unknown error in a reactor");
  }
}

void Reactor::round() {
  std::array<epoll_event, kEventsPerRound> events;
  const int ready = epoll_wait(epoll_, events.data(), kEventsPerRound, next_timeout());
  if (ready < 0 && errno != EINTR) throw std::runtime_error("epoll_wait failed");
  now_ = Clock::now();
  bool woken = false;
  bool shaking = false;
  std::vector<Connection*> resumed;
  resumed.swap(resume_);
  for (Connection* const connection : resumed) on_event(*connection, EPOLLIN);
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
  if (woken) take_sockets();
  if (served_) {
    served_ = false;
    handler_->flush();
  }
  expire();
  if (stopping_) wind_down();
  bury();
}

int Reactor::next_timeout() const {
  if (!resume_.empty()) return 0;
  auto earliest = Clock::time_point::max();
  for (std::size_t i = 0; i < kPhaseCount; ++i) {
    if (const Connection* const first = phases_[i].front()) {
      earliest = std::min(earliest, first->entered + durations_[i]);
    }
  }
  if (!deadlines_.empty()) earliest = std::min(earliest, deadlines_.begin()->first);
  if (stopping_) earliest = std::min(earliest, now_ + std::chrono::milliseconds(20));
  if (earliest == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(earliest - now_).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void Reactor::take_sockets() {
  std::uint64_t count = 0;
  std::ignore = ::read(wakeup_->fd(), &count, sizeof count);
  {
    const std::lock_guard lock(mutex_);
    taken_.swap(inbox_);
    if (stop_at_ && !stopping_) {
      stopping_ = stop_at_;
      stop_began_ = now_;
    }
  }
  inbox_has_room_.notify_all();
  for (const int socket : taken_) add(socket);
  taken_.clear();
  take_answers();
}

void Reactor::add(int socket) {
  while (count_ >= max_connections_ && evict_one()) {
  }
  SslHandle ssl(count_ < max_connections_ ? SSL_new(shared_.tls.get()) : nullptr);
  if (ssl == nullptr || SSL_set_fd(ssl.get(), socket) != 1) {
    ::close(socket);
    load_.fetch_sub(1, std::memory_order_relaxed);
    shared_.events.rejected(Rejection::kOverload);
    return;
  }
  SSL_set_accept_state(ssl.get());
  auto connection = std::make_unique<Connection>(socket, std::move(ssl), shared_.limits);
  connection->interest = EPOLLIN;
  // Up to a tenth earlier, so that connections made together do not all end together.
  const auto spread = shared_.options.max_age / 10 / 64 * (socket % 64);
  connection->retire = now_ + shared_.options.max_age - spread;
  connection->entered = now_;
  epoll_event event{EPOLLIN, {.ptr = connection.get()}};
  if (epoll_ctl(handshakes_, EPOLL_CTL_ADD, socket, &event) != 0) {
    load_.fetch_sub(1, std::memory_order_relaxed);
    shared_.events.rejected(Rejection::kOverload);
    return;
  }
  phases_[index_of(Phase::kHandshake)].push_back(*connection.release());
  ++count_;
}

bool Reactor::evict_one() {
  // Who never had an answer goes first, longest waiting first: sockets that hold a place without
  // using it. API servers' pooled connections go last, work in progress never.
  Connection* oldest = phases_[index_of(Phase::kLinger)].front();
  if (oldest == nullptr) {
    for (const Phase phase : {Phase::kHandshake, Phase::kFresh, Phase::kFirstRequest}) {
      Connection* const first = phases_[index_of(phase)].front();
      if (first != nullptr && (oldest == nullptr || first->entered < oldest->entered)) {
        oldest = first;
      }
    }
  }
  if (oldest == nullptr) oldest = phases_[index_of(Phase::kIdle)].front();
  if (oldest == nullptr) return false;
  if (oldest->phase != Phase::kLinger) shared_.events.rejected(Rejection::kOverload);
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
      if (!want(connection, error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT)) close(connection);
      return;
    }
    ERR_clear_error();
    shared_.events.rejected(Rejection::kHandshake);
    close(connection);
    return;
  }
  connection.tls_usable = true;
  epoll_ctl(handshakes_, EPOLL_CTL_DEL, connection.fd, nullptr);
  connection.interest = EPOLLIN;
  epoll_event event{EPOLLIN, {.ptr = &connection}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) {
    close(connection);
    return;
  }
  enter(connection, Phase::kFresh);
  // The first request may have come with the last flight of the handshake.
  if (SSL_has_pending(ssl) == 1) on_event(connection, EPOLLIN);
}

void Reactor::on_event(Connection& connection, std::uint32_t events) {
  if (connection.dead) return;
  try {
    switch (connection.phase) {
      case Phase::kLinger:
        swallow(connection);
        break;
      case Phase::kWrite:
        if (!resume_write(connection)) break;
        if (connection.parked == nullptr) {
          pump(connection, false);
        } else if (connection.parked->resumed) {
          resume(connection);
        } else {
          wait_for_answer(connection);
        }
        break;
      case Phase::kParked:  // one that came in the round in which it was parked tells nothing
        if ((events & (EPOLLHUP | EPOLLERR)) != 0) close(connection);
        break;
      default:
        pump(connection, true);
        break;
    }
  } catch (const std::exception&) {  // out of memory: this connection ends, the others go on
    out_.clear();
    if (!connection.dead) close(connection);
  }
}

void Reactor::expire() {
  expire_parked(now_);
  for (std::size_t i = 0; i < kPhaseCount; ++i) {
    for (Connection* first = phases_[i].front();
         first != nullptr && first->entered + durations_[i] <= now_; first = phases_[i].front()) {
      expire_one(*first);
    }
  }
}

void Reactor::expire_one(Connection& connection) {
  switch (connection.phase) {
    case Phase::kHandshake:
      shared_.events.rejected(Rejection::kHandshake);
      break;
    case Phase::kFirstRequest:
    case Phase::kRequest:
      reject(connection,
             {Rejection::kTimeout, "the request took too long to arrive",
              static_cast<std::size_t>(shared_.options.request_timeout.count()), "milliseconds"});
      if (write(connection)) linger(connection);
      return;
    default:
      break;
  }
  close(connection);
}

void Reactor::wind_down() {
  const auto waited = now_ - stop_began_;
  const auto close_all = [&](Phase phase) {
    ConnectionList& list = phases_[index_of(phase)];
    while (!list.empty()) close(*list.front());
  };
  if (waited >= kStopIdle) {  // a request that had arrived already was answered meanwhile
    close_all(Phase::kIdle);
    close_all(Phase::kLinger);
  }
  if (waited >= kStopNewcomers) {
    close_all(Phase::kHandshake);
    close_all(Phase::kFresh);
  }
  if (now_ >= *stopping_) {
    expire_parked(Clock::time_point::max());
    for (std::size_t i = 0; i < kPhaseCount; ++i) close_all(static_cast<Phase>(i));
  }
}

void Reactor::enter(Connection& connection, Phase phase) {
  phases_[index_of(connection.phase)].remove(connection);
  connection.phase = phase;
  connection.entered = now_;
  phases_[index_of(phase)].push_back(connection);
}

bool Reactor::want(Connection& connection, std::uint32_t events) {
  if (connection.interest == events) return true;
  connection.interest = events;
  epoll_event event{events, {.ptr = &connection}};
  const int set = connection.phase == Phase::kHandshake ? handshakes_ : epoll_;
  return epoll_ctl(set, EPOLL_CTL_MOD, connection.fd, &event) == 0;
}

void Reactor::close(Connection& connection) {
  if (connection.tls_usable && connection.phase != Phase::kLinger) {
    SSL_shutdown(connection.ssl.get());  // a farewell if the socket takes it, nothing more
    ERR_clear_error();
  }
  phases_[index_of(connection.phase)].remove(connection);
  unpark(connection);
  forget_input(connection);
  shared_.bytes.give(connection.accounted);
  connection.accounted = 0;
  connection.ssl.reset();
  ::close(connection.fd);
  connection.fd = -1;
  connection.dead = true;
  graveyard_.push_back(&connection);
  --count_;
  load_.fetch_sub(1, std::memory_order_relaxed);
}

void Reactor::linger(Connection& connection) {
  // Closing with unread bytes would reset the connection and take our answer with it.
  forget_input(connection);
  SSL_shutdown(connection.ssl.get());
  ERR_clear_error();
  if (shutdown(connection.fd, SHUT_WR) != 0 || !want(connection, EPOLLIN)) {
    close(connection);
    return;
  }
  enter(connection, Phase::kLinger);
}

void Reactor::swallow(Connection& connection) {
  const ssize_t got = recv(connection.fd, scratch_.get(), scratch_window().capacity, 0);
  if (got > 0) connection.lingered += static_cast<std::size_t>(got);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR) ||
      connection.lingered > kLingerBytes) {
    close(connection);
  }
}

void Reactor::bury() {
  if (graveyard_.empty()) return;
  std::erase_if(resume_, [](const Connection* connection) { return connection->dead; });
  for (const Connection* const connection : graveyard_) delete connection;
  graveyard_.clear();
}

}  // namespace belay::webhook::http
