// What Prometheus may know: the series of the table in metric_table.h. They are made with the
// object; on the way of a request they are array elements and atomics. Thread-safe.
#pragma once

#include <chrono>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "webhook/admission/result.h"
#include "webhook/kube/watch.h"
#include "webhook/registry/registry_client.h"
#include "webhook/registry/resolver.h"
#include "webhook/serve/metric_table.h"

namespace belay::webhook::serve {

class Metrics final : public registry::RegistryObserver {
 public:
  /// Values of a metric's labels, in the order of its row.
  using Labels = std::initializer_list<std::string_view>;

  /// \param extra_kinds  kinds that the configuration adds to those that belay evaluates
  explicit Metrics(const std::vector<std::string>& extra_kinds = {});
  ~Metrics() override;
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void count(Metric metric, Labels labels = {});
  template <class Number>
    requires std::is_arithmetic_v<Number>
  void set(Metric metric, Number value, Labels labels = {}) {
    set_gauge(metric, static_cast<double>(value), labels);
  }
  void set(Metric metric, std::chrono::system_clock::time_point at) {
    set_gauge(metric, static_cast<double>(std::chrono::system_clock::to_time_t(at)), {});
  }

  /// On the way of a request: its decision, duration, findings and pins.
  void count_decision(const admission::Result& result, std::chrono::nanoseconds duration);
  /// On workers that ask registries.
  void requested(std::string_view registry, std::string_view result,
                 std::chrono::nanoseconds duration) override;
  void count_watch_event(const kube::WatchEventReport& report);
  /// Figures since the caches were made; those of caches made anew count on from the old ones.
  void set_digest_cache(const registry::CacheFigures& figures);

  /// Everything in Prometheus' text format 0.0.4.
  std::string exposition() const;

 private:
  struct Series;

  void set_gauge(Metric metric, double value, Labels labels);

  std::unique_ptr<Series> series_;
};

}  // namespace belay::webhook::serve
