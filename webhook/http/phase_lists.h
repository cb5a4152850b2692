// The connections of one reactor by what they wait for, and in the order of their deadlines. Does
// not own them. Belongs to the reactor's thread.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>

#include "webhook/http/connection.h"

namespace belay::webhook::http {

/// Connections of one phase, longest waiting first.
class ConnectionList {
 public:
  Connection* front() const { return first_; }

  void push_back(Connection& connection) {
    connection.previous = last_;
    connection.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &connection;
    last_ = &connection;
  }
  void remove(Connection& connection) {
    (connection.previous != nullptr ? connection.previous->next : first_) = connection.next;
    (connection.next != nullptr ? connection.next->previous : last_) = connection.previous;
    connection.previous = connection.next = nullptr;
  }

 private:
  Connection* first_ = nullptr;
  Connection* last_ = nullptr;
};

class PhaseLists {
 public:
  using Durations = std::array<std::chrono::milliseconds, kPhaseCount>;

  /// \param durations  how long a connection may stay in each phase
  explicit PhaseLists(const Durations& durations) : durations_(durations) {}

  /// \pre the connection stands in no list; it enters that of its phase
  void add(Connection& connection, Clock::time_point now) {
    connection.entered = now;
    list(connection.phase).push_back(connection);
  }
  void remove(Connection& connection) { list(connection.phase).remove(connection); }
  /// Its time begins anew, even in the phase it has.
  void enter(Connection& connection, Phase phase, Clock::time_point now) {
    remove(connection);
    connection.phase = phase;
    add(connection, now);
  }

  /// Who waits longest in a phase, or nullptr.
  Connection* front(Phase phase) const { return lists_[index_of(phase)].front(); }

  /// When the first connection's time is over; time_point::max() where there is none.
  Clock::time_point earliest() const {
    auto earliest = Clock::time_point::max();
    for (std::size_t i = 0; i < kPhaseCount; ++i) {
      if (const Connection* const first = lists_[i].front()) {
        earliest = std::min(earliest, first->entered + durations_[i]);
      }
    }
    return earliest;
  }

  /// Calls `end` for each connection whose time is over; it must take it out of its phase.
  template <typename End>
  void expire(Clock::time_point now, End end) {
    for (std::size_t i = 0; i < kPhaseCount; ++i) {
      for (Connection* first = lists_[i].front();
           first != nullptr && first->entered + durations_[i] <= now; first = lists_[i].front()) {
        end(*first);
      }
    }
  }

 private:
  static std::size_t index_of(Phase phase) { return static_cast<std::size_t>(phase); }
  ConnectionList& list(Phase phase) { return lists_[index_of(phase)]; }

  const Durations durations_;
  std::array<ConnectionList, kPhaseCount> lists_;
};

}  // namespace belay::webhook::http
