// Who waits, and who is found again. A connection and its waiting request point at each other until
// one of them goes.
#include "webhook/http/waiting_requests.h"

#include "webhook/http/connection.h"

namespace belay::webhook::http {

bool WaitingRequests::add(Connection& connection, WaitingRequest request) {
  if (!connection.take(request.response->bytes())) return false;
  connection.waiting = std::make_unique<WaitingRequest>(std::move(request));
  deadlines_.emplace(connection.waiting->deadline, &connection);
  connection.waiting->response->park(connection, wakeup_);
  return true;
}

std::unique_ptr<WaitingRequest> WaitingRequests::remove(Connection& connection) {
  std::unique_ptr<WaitingRequest> waiting = std::move(connection.waiting);
  if (waiting == nullptr) return waiting;
  deadlines_.erase({waiting->deadline, &connection});
  waiting->response->connection_ = nullptr;
  connection.give(waiting->response->bytes());
  return waiting;
}

WaitingRequests::TimePoint WaitingRequests::earliest() const {
  return deadlines_.empty() ? TimePoint::max() : deadlines_.begin()->first;
}

Connection* WaitingRequests::connection_of(const PendingResponse& response) {
  return response.connection_;
}

/// \return whether it can go on at once, and need not write earlier responses first
bool WaitingRequests::note(Connection& connection, Resumed why) {
  WaitingRequest& waiting = *connection.waiting;
  deadlines_.erase({waiting.deadline, &connection});
  if (!waiting.resumed) waiting.resumed = why;
  return connection.phase != Phase::kWrite;
}

}  // namespace belay::webhook::http
