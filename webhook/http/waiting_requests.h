// The requests of one reactor whose responses come later: in the order of their deadlines, and
// found again when another thread has what they wait for. Belongs to the reactor's thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "webhook/http/pending_response.h"

namespace belay::webhook::http {

class Connection;

/// What a connection knows of a request whose response comes later.
struct WaitingRequest {
  using TimePoint = std::chrono::steady_clock::time_point;
  std::shared_ptr<PendingResponse> response;
  TimePoint deadline;
  bool close;  ///< the peer asked for the connection's end
  /// Why it goes on; set where earlier responses must be written first.
  std::optional<Resumed> resumed = std::nullopt;
};

class WaitingRequests {
 public:
  using TimePoint = WaitingRequest::TimePoint;

  /// \param wakeup  told of what is ready
  explicit WaitingRequests(std::shared_ptr<ReadyQueue> wakeup) : wakeup_(std::move(wakeup)) {}

  /// The connection waits. \return false if the bytes that it holds would pass the limit
  bool add(Connection& connection, WaitingRequest request);
  /// The connection no longer waits; who has the response finds nobody to give it to.
  /// \return what it waited for, or nullptr
  std::unique_ptr<WaitingRequest> remove(Connection& connection);

  /// time_point::max() where nobody waits.
  TimePoint earliest() const;

  /// Calls `go_on` for each connection whose response is ready.
  template <typename GoOn>
  void resume_ready(GoOn go_on) {
    wakeup_->take(ready_);
    for (const std::shared_ptr<PendingResponse>& response : ready_) {
      Connection* const connection = connection_of(*response);
      if (connection != nullptr && note(*connection, Resumed::kReady)) go_on(*connection);
    }
    ready_.clear();
  }

  /// Calls `go_on` for each connection whose deadline has passed. It may wait once more: that is
  /// looked at in the next round.
  template <typename GoOn>
  void resume_expired(TimePoint until, GoOn go_on) {
    for (std::size_t left = deadlines_.size(); left > 0; --left) {
      const auto first = deadlines_.begin();
      if (first == deadlines_.end() || first->first > until) break;
      Connection& connection = *first->second;
      if (note(connection, Resumed::kDeadline)) go_on(connection);
    }
  }

 private:
  static Connection* connection_of(const PendingResponse& response);
  bool note(Connection& connection, Resumed why);

  const std::shared_ptr<ReadyQueue> wakeup_;
  std::set<std::pair<TimePoint, Connection*>> deadlines_;
  std::vector<std::shared_ptr<PendingResponse>> ready_;
};

}  // namespace belay::webhook::http
