// What Prometheus may know: one table of metrics, all labels from closed sets, so that no request
// adds a series. Counters are resolved when the object is made; on the way of a request they are
// array elements and atomics. Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/admission/admit.h"
#include "webhook/admission/observer.h"
#include "webhook/http/server.h"
#include "webhook/kube/watch.h"
#include "webhook/registry/registry_client.h"
#include "webhook/registry/resolver.h"

namespace belay::webhook::serve {

/// A row of the table: what is exposed on /metrics.
struct MetricType {
  std::string_view name;
  std::string_view kind;    ///< "counter", "gauge", "histogram"
  std::string_view labels;  ///< "operation, kind, decision", "" for none
  std::string_view help;
};
std::span<const MetricType> metric_types();

class Metrics final : public registry::RegistryObserver {
 public:
  /// \param extra_kinds  kinds that the configuration adds to those that belay evaluates
  explicit Metrics(const std::vector<std::string>& extra_kinds = {});
  ~Metrics() override;
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // On the way of a request.
  void count_decision(const admission::Answer& answer, std::chrono::nanoseconds duration);
  void count_rejected(admission::Rejection reason);
  void count_rejected(http::Rejection reason);

  // On workers that ask registries.
  void requested(std::string_view registry, std::string_view result,
                 std::chrono::nanoseconds duration) override;

  // Now and then.
  /// Figures since the caches were made; those of caches made anew count on from the old ones.
  void set_digest_cache(const registry::CacheFigures& figures);
  /// Policies that are in force as their text stands, that are in force by their last good text,
  /// and that do not read; the last two overlap.
  void set_policies(std::size_t current, std::size_t kept, std::size_t broken);
  void count_policy_reload(bool clean);
  void set_expired_exemptions(std::size_t count);
  void set_certificate_expiry(std::chrono::system_clock::time_point at);
  void set_authority_expiry(std::chrono::system_clock::time_point at);
  void set_ready(bool ready);
  void set_connections(std::size_t count);
  void set_dropped_log_batches(std::size_t count);
  void count_watch_event(const kube::WatchEventReport& report);
  void set_watch_quiet(kube::WatchName watch, std::chrono::milliseconds since);
  void set_namespaces(std::size_t count);
  void set_leader(bool leading);

  /// Everything in Prometheus' text format 0.0.4.
  std::string exposition() const;

 private:
  struct Series;
  std::unique_ptr<Series> series_;
};

}  // namespace belay::webhook::serve
