// The reactor's way of an answer that comes later: a connection is parked, and served on when its
// answer is ready or its deadline has passed.
#include <sys/epoll.h>

#include <algorithm>

#include "webhook/http/reactor.h"

namespace belay::webhook::http {

/// Begins to wait for response_.later. \param close  the peer asked for the connection's end
/// \param bytes  of the request: what is likely kept to answer it
void Reactor::postpone(Connection& connection, bool close, std::size_t bytes) {
  std::shared_ptr<PendingResponse> answer = std::move(response_.later);
  response_.later.reset();
  if (!shared_.bytes.take(bytes)) {
    reject(connection, kTooManyBytes);
    return;
  }
  connection.accounted += bytes;
  const auto deadline = std::min(answer->deadline(), now_ + shared_.options.request_timeout);
  connection.parked = std::make_unique<Parked>(
      Parked{.answer = answer, .deadline = deadline, .bytes = bytes, .close = close});
  deadlines_.emplace(deadline, &connection);
  answer->park(connection, wakeup_);
}

/// Forgets what the connection waits for; who has the answer finds nobody to give it to.
std::unique_ptr<Parked> Reactor::unpark(Connection& connection) {
  std::unique_ptr<Parked> parked = std::move(connection.parked);
  if (parked == nullptr) return parked;
  deadlines_.erase({parked->deadline, &connection});
  parked->answer->connection_ = nullptr;
  shared_.bytes.give(parked->bytes);
  connection.accounted -= parked->bytes;
  return parked;
}

/// Nothing is read while an answer is waited for; epoll tells of a connection that broke all the
/// same.
void Reactor::wait_for_answer(Connection& connection) {
  if (!want(connection, 0)) {
    close(connection);
    return;
  }
  enter(connection, Phase::kParked);
}

/// What other threads have made ready.
void Reactor::take_answers() {
  wakeup_->take(ready_);
  for (const std::shared_ptr<PendingResponse>& answer : ready_) {
    if (answer->connection_ != nullptr) wake_parked(*answer->connection_, Resumed::kReady);
  }
  ready_.clear();
}

/// Answers those whose deadline has passed. An answer may wait once more: with the next round.
void Reactor::expire_parked(Clock::time_point until) {
  for (std::size_t left = deadlines_.size(); left > 0; --left) {
    const auto first = deadlines_.begin();
    if (first == deadlines_.end() || first->first > until) break;
    wake_parked(*first->second, Resumed::kDeadline);
  }
}

void Reactor::wake_parked(Connection& connection, Resumed why) {
  Parked& parked = *connection.parked;
  deadlines_.erase({parked.deadline, &connection});
  if (!parked.resumed) parked.resumed = why;
  if (connection.phase == Phase::kWrite) return;  // goes on when earlier answers are written
  try {
    resume(connection);
  } catch (const std::exception&) {  // out of memory: this connection ends, the others go on
    out_.clear();
    if (!connection.dead) close(connection);
  }
}

/// Asks for the answer, and serves the connection on. \pre parked->resumed, and nothing is being
/// written
void Reactor::resume(Connection& connection) {
  const std::unique_ptr<Parked> parked = unpark(connection);
  begin_response();
  try {
    parked->answer->answer(*parked->resumed, response_);
  } catch (...) {
    fail_response();
  }
  if (response_.later != nullptr) {
    postpone(connection, parked->close, parked->bytes);
  } else {
    conclude(connection, parked->close);
  }
  if (!want(connection, EPOLLIN)) {
    out_.clear();
    close(connection);
    return;
  }
  pump(connection, true);
}

}  // namespace belay::webhook::http
