// One replica's part in electing a leader, step by step and without a thread: lease.h runs it,
// tests walk through it with clocks of their own. Not thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "webhook/kube/api.h"
#include "webhook/kube/lease.h"
#include "webhook/kube/lease_record.h"

namespace belay::webhook::kube {

class LeaseElection {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  LeaseElection(Api& api, LeaseOptions options, LeaseClocks clocks);

  /// Renews the lease, takes it over or looks at who holds it: at most four requests, which end
  /// before leading does.
  void step();
  /// Until when this replica leads, if it is not renewed; the past where it does not.
  TimePoint leading_until() const { return leading_until_; }
  bool leading() const { return clocks_.steady() < leading_until_; }
  /// Ends leading, and gives the lease back if it is ours.
  void release();

 private:
  /// What the record said, and since when we see it say so.
  struct Observed {
    LeaseRecord record;
    TimePoint since;
  };

  void look();
  void create();
  /// Writes our name into the lease as it was read last. \return whether that is the end of it.
  bool take();
  void observe(const LeaseRecord& record);
  bool may_take() const;
  LeaseRecord own_record() const;
  std::chrono::milliseconds deadline() const;

  Api& api_;
  const LeaseOptions options_;
  const LeaseClocks clocks_;
  const std::string collection_;
  std::string lease_;  ///< as the API server told it last; "" where it is to be asked for
  std::optional<Observed> observed_;
  TimePoint leading_until_ = TimePoint::min();
};

}  // namespace belay::webhook::kube
