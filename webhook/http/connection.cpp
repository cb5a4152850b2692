// TLS bytes in and out of one connection.
//
// Reads go into scratch memory that all connections of the reactor share; only a request that is
// not whole at the end of an event is copied into memory of its connection. So a connection between
// two requests holds no buffer, and a request that came in one piece is never copied.
#include "webhook/http/connection.h"

#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace belay::webhook::http {
namespace {

/// A request that scratch memory can't hold is read straight into memory of its connection, which
/// begins with this size.
constexpr std::size_t kLargeBytes = std::size_t{256} << 10U;
constexpr std::size_t kLingerBytes = std::size_t{32} << 20U;

}  // namespace

bool Connection::watch(int epoll_set) {
  if (epoll_ >= 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  epoll_ = epoll_set;
  interest_ = EPOLLIN;
  epoll_event event{EPOLLIN, {.ptr = this}};
  return epoll_ctl(epoll_set, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool Connection::want(std::uint32_t events) {
  if (interest_ == events) return true;
  interest_ = events;
  epoll_event event{events, {.ptr = this}};
  return epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0;
}

bool Connection::take(std::size_t bytes) {
  if (!bytes_.take(bytes)) return false;
  accounted_ += bytes;
  return true;
}

void Connection::give(std::size_t bytes) {
  bytes_.give(bytes);
  accounted_ -= bytes;
}

Window Connection::open_window(const Window& scratch) {
  if (large) return {input_.data(), 0, input_.size, input_.capacity()};
  Window window = scratch;
  if (input_.size > 0) {
    std::memcpy(window.base, input_.data(), input_.size);
    window.end = input_.size;
    forget_input();
  }
  return window;
}

Connection::Read Connection::read(Window& window, std::size_t& got) {
  if (!make_room(window)) return Read::kOverload;
  std::size_t room = window.capacity - window.end;
  if (large) room = std::min(room, framer.head().total_bytes() - window.end);
  if (const int result = SSL_read_ex(ssl.get(), window.base + window.end, room, &got);
      result != 1) {
    switch (SSL_get_error(ssl.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return Read::kNothing;
      case SSL_ERROR_WANT_WRITE:  // a TLS 1.3 key update that can't be confirmed yet
        want(EPOLLIN | EPOLLOUT);
        return Read::kNothing;
      case SSL_ERROR_ZERO_RETURN:
        return Read::kPeerClosed;
      default:
        ERR_clear_error();
        tls_usable = false;
        return Read::kBroken;
    }
  }
  want(EPOLLIN);
  window.end += got;
  return Read::kData;
}

/// Makes room for more bytes of a request that is not whole.
/// \return false if that would pass the limit of bytes in flight
bool Connection::make_room(Window& window) {
  if (large) {
    if (window.end < window.capacity) return true;
    const std::size_t capacity = std::min(window.capacity * 2, framer.head().total_bytes());
    if (!take(capacity - window.capacity)) return false;
    input_.grow(capacity);
    window = {input_.data(), window.start, window.end, capacity};
    return true;
  }
  if (window.start > 0) {
    std::memmove(window.base, window.base + window.start, window.end - window.start);
    window.end -= window.start;
    window.start = 0;
  }
  if (framer.state() != FrameState::kNeedBody) return true;
  const std::size_t total = framer.head().total_bytes();
  if (total <= window.capacity) return true;
  const std::size_t capacity = std::min(total, kLargeBytes);
  if (!take(capacity)) return false;
  input_.grow(capacity);
  large = true;
  std::memcpy(input_.data(), window.base, window.end);
  window = {input_.data(), 0, window.end, capacity};
  return true;
}

bool Connection::keep(const Window& window) {
  if (large) {
    input_.size = window.end;
    return true;
  }
  const std::string_view rest = window.rest();
  if (rest.empty()) return true;
  if (!take(rest.size())) return false;
  input_.grow(rest.size());
  input_.size = rest.copy(input_.data(), rest.size());
  return true;
}

void Connection::forget_input() {
  give(input_.capacity());
  input_.release();
  large = false;
}

Connection::Write Connection::write() {
  while (written_ < output.size()) {
    std::size_t sent = 0;
    const int result =
        SSL_write_ex(ssl.get(), output.data() + written_, output.size() - written_, &sent);
    if (result == 1) {
      written_ += sent;
      continue;
    }
    const int error = SSL_get_error(ssl.get(), result);
    if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) {
      if (blocked_ == 0 && take(output.capacity())) blocked_ = output.capacity();
      if (blocked_ != 0 && want(error == SSL_ERROR_WANT_WRITE ? EPOLLOUT : EPOLLIN)) {
        return Write::kBlocked;
      }
    }
    ERR_clear_error();
    tls_usable = false;
    return Write::kBroken;
  }
  return finish_write() ? Write::kDone : Write::kBroken;
}

bool Connection::finish_write() {
  output.clear();
  written_ = 0;
  if (blocked_ == 0) return true;
  output.shrink_to_fit();
  give(std::exchange(blocked_, 0));
  return want(EPOLLIN);
}

bool Connection::begin_linger() {
  // Closing with unread bytes would reset the connection and take our response with it.
  forget_input();
  SSL_shutdown(ssl.get());
  ERR_clear_error();
  return shutdown(fd, SHUT_WR) == 0 && want(EPOLLIN);
}

bool Connection::swallow(const Window& scratch) {
  const ssize_t got = recv(fd, scratch.base, scratch.capacity, 0);
  if (got > 0) lingered_ += static_cast<std::size_t>(got);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return false;
  return lingered_ <= kLingerBytes;
}

void Connection::close() {
  if (dead) return;
  dead = true;
  if (tls_usable && phase != Phase::kLinger) {
    SSL_shutdown(ssl.get());  // a farewell if the socket takes it, nothing more
    ERR_clear_error();
  }
  input_.release();
  give(accounted_);
  ssl.reset();
  ::close(fd);
  fd = -1;
}

}  // namespace belay::webhook::http
