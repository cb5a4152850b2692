// Reading, framing, handling and writing, until the socket or the budget of an event is empty.
#include "webhook/http/responder.h"

#include <sys/epoll.h>

#include <algorithm>
#include <ctime>

namespace belay::webhook::http {
namespace {

constexpr std::size_t kScratchBytes = std::size_t{64} << 10U;
/// Bytes read from one connection before the others have their turn.
constexpr std::size_t kReadBudget = std::size_t{512} << 10U;
/// Pipelined responses are sent on as soon as they are this long together.
constexpr std::size_t kOutputBytes = std::size_t{16} << 10U;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kInternalError =
    "{\"error\":{\"code\":\"internal\",\"message\":\"the request could not be evaluated\"}}\n";
/// What a connection is told when memory for it would pass the limit.
constexpr RejectionText kTooManyBytes{Rejection::kOverload,
                                      "too many bytes are in flight, try again later"};

}  // namespace

Responder::Responder(ServerState& state, std::unique_ptr<Handler> handler, WaitingRequests& waiting)
    : state_(state),
      handler_(std::move(handler)),
      waiting_(waiting),
      scratch_(std::make_unique_for_overwrite<char[]>(kScratchBytes + 1)) {}

Window Responder::scratch() const { return {scratch_.get(), 0, 0, kScratchBytes}; }

void Responder::end_round() {
  if (!served_) return;
  served_ = false;
  handler_->flush();
}

Next Responder::serve(Connection& connection, bool readable) {
  Window window = connection.open_window(scratch());
  std::size_t budget = kReadBudget;
  bool more = readable || SSL_has_pending(connection.ssl.get()) == 1;
  bool drained = false;
  bool peer_closed = false;
  bool responded = false;
  for (;;) {
    const std::size_t before = window.rest().size();
    const bool starved = frame(connection, window);
    responded = responded || window.rest().size() != before;
    if (!out_.empty()) {
      const Connection::Write written = write(connection);
      if (written == Connection::Write::kBroken) return Next::kClose;
      if (written == Connection::Write::kBlocked) {
        return connection.keep(window) ? Next::kWrite : Next::kClose;
      }
    }
    if (connection.closing) return peer_closed ? Next::kClose : Next::kLinger;
    if (connection.waiting != nullptr) break;
    if (!starved) continue;
    if (peer_closed) return Next::kClose;
    // A body that is not whole is read for on the spot; a head waits for epoll to tell.
    if (drained || (!more && connection.framer.state() != FrameState::kNeedBody)) break;
    if (budget == 0) {
      connection.unread = true;
      break;
    }
    std::size_t got = 0;
    switch (connection.read(window, got)) {
      case Connection::Read::kData:
        budget -= std::min(budget, got);
        more = SSL_has_pending(connection.ssl.get()) == 1;
        break;
      case Connection::Read::kNothing:
        drained = true;
        break;
      case Connection::Read::kPeerClosed:
        peer_closed = true;
        break;
      case Connection::Read::kOverload:
        append_rejection_to(connection, kTooManyBytes);
        break;
      case Connection::Read::kBroken:
        return Next::kClose;
    }
  }
  if (!connection.keep(window)) {
    waiting_.remove(connection);
    return reject(connection, kTooManyBytes);
  }
  if (connection.waiting != nullptr) return Next::kResponse;
  if (!window.rest().empty()) {
    const bool begun =
        connection.phase == Phase::kRequest || connection.phase == Phase::kFirstRequest;
    return begun && !responded ? Next::kStay : Next::kRequest;
  }
  return connection.phase == Phase::kFresh && !connection.served ? Next::kStay : Next::kIdle;
}

Next Responder::resume_write(Connection& connection) {
  switch (connection.write()) {
    case Connection::Write::kBlocked:
      return Next::kStay;
    case Connection::Write::kBroken:
      return Next::kClose;
    case Connection::Write::kDone:
      break;
  }
  if (connection.closing) return Next::kLinger;
  if (connection.waiting == nullptr) return serve(connection, false);
  return connection.waiting->resumed ? resume(connection) : Next::kResponse;
}

Next Responder::resume(Connection& connection) {
  const std::unique_ptr<WaitingRequest> waited = waiting_.remove(connection);
  begin_response();
  try {
    waited->response->respond(*waited->resumed, response_);
  } catch (...) {
    fail_response();
  }
  conclude(connection, waited->close);
  if (!connection.want(EPOLLIN)) {
    out_.clear();
    return Next::kClose;
  }
  return serve(connection, true);
}

Next Responder::reject(Connection& connection, const RejectionText& text) {
  append_rejection_to(connection, text);
  switch (write(connection)) {
    case Connection::Write::kDone:
      return Next::kLinger;
    case Connection::Write::kBlocked:
      return Next::kWrite;
    case Connection::Write::kBroken:
      break;
  }
  return Next::kClose;
}

/// Responds to the requests that are whole.
/// \return true if more bytes are needed, false if the responses should be written first
bool Responder::frame(Connection& connection, Window& window) {
  while (!connection.closing && connection.waiting == nullptr && window.start != window.end) {
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
        respond(connection, window);
        break;
      case FrameState::kRejected:
        append_rejection_to(connection, connection.framer.rejection());
        break;
    }
  }
  return true;
}

void Responder::respond(Connection& connection, Window& window) {
  const RequestHead& head = connection.framer.head();
  char* const begin = window.base + window.start;
  char* const body = begin + head.head_bytes;
  const std::string_view text(begin, head.head_bytes);
  // The handler may write the byte behind the body, which may be the next request's first.
  char& behind = body[head.body_bytes];
  const char saved = behind;
  begin_response();
  try {
    handler_->handle({state_.options.paths[head.path_index],
                      head.query.of(text),
                      head.content_type.of(text),
                      {body, head.body_bytes}},
                     response_);
  } catch (...) {
    fail_response();
  }
  behind = saved;
  const bool close = head.close;
  window.start += head.total_bytes();
  connection.framer.reset();
  connection.continued = false;
  if (connection.large) {  // holds this one request alone
    connection.forget_input();
    window = scratch();
  }
  conclude(connection, close);
}

void Responder::begin_response() {
  response_.status = 200;
  response_.body.clear();
  response_.close = false;
}

/// The handler threw, so it could not decide: an error, never a verdict.
void Responder::fail_response() {
  response_.status = 500;
  response_.body = kInternalError;
  response_.pending.reset();
}

/// Puts response_ behind the responses of this event, or begins to wait for it.
/// \param close  the peer asked for the connection's end
void Responder::conclude(Connection& connection, bool close) {
  if (response_.pending != nullptr) {
    const auto deadline =
        std::min(response_.pending->deadline(), now_ + state_.options.request_timeout);
    if (!waiting_.add(
            connection,
            {.response = std::move(response_.pending), .deadline = deadline, .close = close})) {
      append_rejection_to(connection, kTooManyBytes);
    }
    response_.pending.reset();
    return;
  }
  served_ = true;
  connection.served = true;
  connection.closing = close || response_.close || closing_ || now_ >= connection.retire ||
                       state_.draining.load(std::memory_order_relaxed);
  append_response(response_.status, date(), connection.closing, response_.body, out_);
}

void Responder::append_rejection_to(Connection& connection, const RejectionText& text) {
  append_rejection(text, date(), out_);
  connection.closing = true;
  state_.events.rejected(text.reason);
}

/// Writes out_. What the socket does not take stays with the connection.
Connection::Write Responder::write(Connection& connection) {
  connection.output.swap(out_);
  const Connection::Write written = connection.write();
  if (written == Connection::Write::kDone) connection.output.swap(out_);  // empty, its memory kept
  return written;
}

std::string_view Responder::date() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME_COARSE, &time);
  if (time.tv_sec != date_second_) {
    date_second_ = time.tv_sec;
    date_ = format_date(time.tv_sec);
  }
  return {date_.data(), date_.size()};
}

}  // namespace belay::webhook::http
