// Which replica does what only one should do: a coordination.k8s.io/v1 Lease, as client-go's leader
// election uses it. Decided by local observation of the record (a holder that has not renewed for
// a whole duration of our own steady clock has gone), so clocks that differ do no harm; two leaders
// for a moment do none either, because all that a leader writes has a resourceVersion precondition
// or is applied from the server side.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "webhook/kube/api.h"

namespace belay::webhook::kube {

struct LeaseOptions {
  std::string namespace_name;
  std::string name = "belay";
  std::string identity;  ///< the pod's name; unique among the replicas
  /// How long the others wait for a holder that no longer renews.
  std::chrono::milliseconds duration{15'000};
  /// How long a holder leads on without a renewal; shorter than `duration`.
  std::chrono::milliseconds renew_deadline{10'000};
  std::chrono::milliseconds retry{2'000};  ///< from one renewal, or one look, to the next
};

/// Where a lease gets the time from. What is decided is decided by `steady`; `wall` only stands in
/// the record, for people.
struct LeaseClocks {
  std::function<std::chrono::steady_clock::time_point()> steady = std::chrono::steady_clock::now;
  std::function<std::chrono::system_clock::time_point()> wall = std::chrono::system_clock::now;
};

class Lease {
 public:
  /// \param api      outlives the lease
  /// \param changed  called on the lease's thread when leading begins (true) and ends (false)
  Lease(Api& api, LeaseOptions options, std::function<void(bool leading)> changed,
        LeaseClocks clocks = {});
  ~Lease();  ///< stops
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  void start();
  /// Ends leading and gives the lease back, so that another replica need not wait.
  void stop();
  /// Thread-safe. Never true longer than `renew_deadline` after the last renewal began, even
  /// where the lease's thread gets no time.
  bool leading() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::kube
