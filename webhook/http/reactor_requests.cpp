// The reactor's way of a request: TLS bytes -> framing -> handler -> one TLS record.
//
// Reads go into scratch memory that all connections of the reactor share; only a request that is
// not whole at the end of an event is copied into memory of its connection. So a connection between
// two requests holds no buffer, and a request that came in one piece is never copied.
#include <openssl/err.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "webhook/http/reactor.h"

namespace belay::webhook::http {
namespace {

constexpr std::size_t kScratchBytes = std::size_t{64} << 10U;
/// A larger request is read straight into memory of its connection, which begins with this size.
constexpr std::size_t kLargeBytes = std::size_t{256} << 10U;
/// Bytes read from one connection before the others have their turn.
constexpr std::size_t kReadBudget = std::size_t{512} << 10U;
/// Pipelined answers are sent on as soon as they are this long together.
constexpr std::size_t kOutputBytes = std::size_t{16} << 10U;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kInternalError =
    "{\"error\":{\"code\":\"internal\",\"message\":\"the request could not be evaluated\"}}\n";

}  // namespace

Reactor::Window Reactor::scratch_window() { return {scratch_.get(), 0, 0, kScratchBytes}; }

void Reactor::pump(Connection& connection, bool readable) {
  Window window = open_window(connection);
  std::size_t budget = kReadBudget;
  bool more = readable || SSL_has_pending(connection.ssl.get()) == 1;
  bool drained = false;
  bool peer_closed = false;
  bool answered = false;
  for (;;) {
    const std::size_t before = window.end - window.start;
    const bool starved = frame(connection, window);
    answered = answered || window.end - window.start != before;
    if (!out_.empty() && !write(connection)) {
      if (!connection.dead && !park(connection, window)) close(connection);
      return;
    }
    if (connection.closing) {
      peer_closed ? close(connection) : linger(connection);
      return;
    }
    if (connection.parked != nullptr) break;
    if (!starved) continue;
    if (peer_closed) {
      close(connection);
      return;
    }
    // A body that is not whole is read for on the spot; a head waits for epoll to tell.
    if (drained || (!more && connection.framer.state() != FrameState::kNeedBody)) break;
    if (budget == 0) {  // what OpenSSL holds already, epoll won't tell of
      resume_.push_back(&connection);
      break;
    }
    switch (read(connection, window)) {
      case Reading::kData:
        budget -= std::min(budget, last_read_);
        more = SSL_has_pending(connection.ssl.get()) == 1;
        break;
      case Reading::kNothing:
        drained = true;
        break;
      case Reading::kPeerClosed:
        peer_closed = true;
        break;
      case Reading::kOverload:
        reject(connection, kTooManyBytes);
        break;
    }
    if (connection.dead) return;
  }
  const bool partial = window.start != window.end;
  if (!park(connection, window)) {
    unpark(connection);
    reject(connection, kTooManyBytes);
    if (write(connection)) linger(connection);
    return;
  }
  if (connection.parked != nullptr) {
    wait_for_answer(connection);
    return;
  }
  const Phase phase = connection.phase;
  if (partial) {
    const bool begun = phase == Phase::kRequest || phase == Phase::kFirstRequest;
    if (!begun || answered) {
      enter(connection, connection.served ? Phase::kRequest : Phase::kFirstRequest);
    }
  } else if (phase != Phase::kFresh || connection.served) {
    enter(connection, connection.served ? Phase::kIdle : Phase::kFresh);
  }
}

/// Answers the requests that are whole.
/// \return true if more bytes are needed, false if the answers should be written first
bool Reactor::frame(Connection& connection, Window& window) {
  while (!connection.closing && connection.parked == nullptr && window.start != window.end) {
    if (out_.size() >= kOutputBytes) return false;
    switch (connection.framer.advance(window.rest())) {
      case FrameState::kNeedHead:
        return true;
      case FrameState::kNeedBody:
        if (connection.framer.head().expects_continue && !connection.continued) {
          connection.continued = true;
          out_ += kContinue;
        }
        return true;
      case FrameState::kWhole:
        answer(connection, window);
        break;
      case FrameState::kRejected:
        reject(connection, connection.framer.rejection());
        break;
    }
  }
  return true;
}

void Reactor::answer(Connection& connection, Window& window) {
  const RequestHead& head = connection.framer.head();
  char* const begin = window.base + window.start;
  char* const body = begin + head.head_bytes;
  const std::string_view text(begin, head.head_bytes);
  // The handler may write the byte behind the body, which may be the next request's first.
  char& behind = body[head.body_bytes];
  const char saved = behind;
  begin_response();
  try {
    handler_->handle({shared_.options.paths[head.path_index],
                      head.query.of(text),
                      head.content_type.of(text),
                      {body, head.body_bytes}},
                     response_);
  } catch (...) {
    fail_response();
  }
  behind = saved;
  const std::size_t bytes = head.total_bytes();
  const bool close = head.close;
  window.start += bytes;
  connection.framer.reset();
  connection.continued = false;
  if (connection.large) {  // holds this one request alone
    forget_input(connection);
    window = scratch_window();
  }
  if (response_.later != nullptr) {
    postpone(connection, close, bytes);
  } else {
    conclude(connection, close);
  }
}

void Reactor::begin_response() {
  response_.status = 200;
  response_.body.clear();
  response_.close = false;
}

/// The handler threw, so it could not decide: an error, never a verdict.
void Reactor::fail_response() {
  response_.status = 500;
  response_.body = kInternalError;
  response_.later.reset();
}

/// Puts response_ behind the answers of this event. \param close  the peer asked for the end
void Reactor::conclude(Connection& connection, bool close) {
  served_ = true;
  connection.closing = close || response_.close || now_ >= connection.retire ||
                       stopping_.has_value() || shared_.draining.load(std::memory_order_relaxed);
  append_response(response_.status, date(), connection.closing, response_.body, out_);
  connection.served = true;
}

void Reactor::reject(Connection& connection, const RejectionText& text) {
  append_rejection(text, date(), out_);
  connection.closing = true;
  shared_.events.rejected(text.reason);
}

Reactor::Reading Reactor::read(Connection& connection, Window& window) {
  if (!make_room(connection, window)) return Reading::kOverload;
  SSL* const ssl = connection.ssl.get();
  std::size_t room = window.capacity - window.end;
  if (connection.large) {
    room = std::min(room, connection.framer.head().total_bytes() - window.end);
  }
  std::size_t got = 0;
  if (const int result = SSL_read_ex(ssl, window.base + window.end, room, &got); result != 1) {
    switch (SSL_get_error(ssl, result)) {
      case SSL_ERROR_WANT_READ:
        return Reading::kNothing;
      case SSL_ERROR_WANT_WRITE:  // a TLS 1.3 key update that can't be answered yet
        want(connection, EPOLLIN | EPOLLOUT);
        return Reading::kNothing;
      case SSL_ERROR_ZERO_RETURN:
        return Reading::kPeerClosed;
      default:
        ERR_clear_error();
        connection.tls_usable = false;
        out_.clear();
        close(connection);
        return Reading::kNothing;
    }
  }
  if (connection.interest != EPOLLIN) want(connection, EPOLLIN);
  window.end += got;
  last_read_ = got;
  return Reading::kData;
}

/// Makes room for more bytes of a request that is not whole.
/// \return false if that would pass the limit of bytes in flight
bool Reactor::make_room(Connection& connection, Window& window) {
  if (connection.large) {
    if (window.end < window.capacity) return true;
    const std::size_t capacity =
        std::min(window.capacity * 2, connection.framer.head().total_bytes());
    if (!shared_.bytes.take(capacity - window.capacity)) return false;
    connection.accounted += capacity - window.capacity;
    connection.input.grow(capacity);
    window = {connection.input.data(), window.start, window.end, capacity};
    return true;
  }
  if (window.start > 0) {
    std::memmove(window.base, window.base + window.start, window.end - window.start);
    window.end -= window.start;
    window.start = 0;
  }
  if (connection.framer.state() != FrameState::kNeedBody) return true;
  const std::size_t total = connection.framer.head().total_bytes();
  if (total <= window.capacity) return true;
  const std::size_t capacity = std::min(total, kLargeBytes);
  if (!shared_.bytes.take(capacity)) return false;
  connection.accounted += capacity;
  connection.input.grow(capacity);
  connection.large = true;
  std::memcpy(connection.input.data(), window.base, window.end);
  window = {connection.input.data(), 0, window.end, capacity};
  return true;
}

/// Writes out_. What the socket does not take is kept, and the connection waits in kWrite.
/// \return true if everything is written; false also if the connection is closed
bool Reactor::write(Connection& connection) {
  connection.output.swap(out_);
  const bool done = resume_write(connection);
  if (done) connection.output.swap(out_);  // back to the reactor, empty, with its capacity
  return done;
}

bool Reactor::resume_write(Connection& connection) {
  SSL* const ssl = connection.ssl.get();
  std::string& output = connection.output;
  while (connection.written < output.size()) {
    std::size_t sent = 0;
    const int result = SSL_write_ex(ssl, output.data() + connection.written,
                                    output.size() - connection.written, &sent);
    if (result == 1) {
      connection.written += sent;
      continue;
    }
    const int error = SSL_get_error(ssl, result);
    if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) {
      if (connection.phase != Phase::kWrite) {
        const std::size_t size = output.capacity();
        const bool taken = shared_.bytes.take(size);
        if (taken) connection.accounted += size;
        if (taken && want(connection, error == SSL_ERROR_WANT_WRITE ? EPOLLOUT : EPOLLIN)) {
          enter(connection, Phase::kWrite);
          return false;
        }
      } else {
        return false;
      }
    }
    ERR_clear_error();
    connection.tls_usable = false;
    close(connection);
    return false;
  }
  output.clear();
  connection.written = 0;
  if (connection.phase == Phase::kWrite) {
    const std::size_t kept =
        connection.input.capacity() + (connection.parked != nullptr ? connection.parked->bytes : 0);
    shared_.bytes.give(connection.accounted - kept);
    connection.accounted = kept;
    output.shrink_to_fit();
    if (!want(connection, EPOLLIN)) {
      close(connection);
      return false;
    }
    if (connection.closing) {
      linger(connection);
      return false;
    }
  }
  return true;
}

Reactor::Window Reactor::open_window(Connection& connection) {
  InputBuffer& input = connection.input;
  if (connection.large) return {input.data(), 0, input.size, input.capacity()};
  Window window = scratch_window();
  if (input.size > 0) {
    std::memcpy(window.base, input.data(), input.size);
    window.end = input.size;
    forget_input(connection);
  }
  return window;
}

/// Keeps what is left of a window for the next event.
/// \return false if that would pass the limit of bytes in flight
bool Reactor::park(Connection& connection, const Window& window) {
  InputBuffer& input = connection.input;
  if (connection.large) {
    input.size = window.end;
    return true;
  }
  const std::string_view rest = window.rest();
  if (rest.empty()) return true;
  if (!shared_.bytes.take(rest.size())) return false;
  connection.accounted += rest.size();
  input.grow(rest.size());
  input.size = rest.copy(input.data(), rest.size());
  return true;
}

void Reactor::forget_input(Connection& connection) {
  shared_.bytes.give(connection.input.capacity());
  connection.accounted -= connection.input.capacity();
  connection.input.release();
  connection.large = false;
}

std::string_view Reactor::date() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME_COARSE, &time);
  if (time.tv_sec != date_second_) {
    date_second_ = time.tv_sec;
    date_ = format_date(time.tv_sec);
  }
  return {date_.data(), date_.size()};
}

}  // namespace belay::webhook::http
