#include "webhook/serve/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <utility>

#include "policy/verdict.h"

namespace belay::webhook::serve {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

/// Seconds. The fast end tells a slow policy from a slow machine, the slow end meets the API
/// server's timeouts.
const Histogram::BucketBoundaries kFastBuckets = {1e-5,   2.5e-5, 5e-5, 1e-4,   2.5e-4, 5e-4, 1e-3,
                                                  2.5e-3, 5e-3,   1e-2, 2.5e-2, 1e-1,   5e-1, 2.5};
const Histogram::BucketBoundaries kSlowBuckets = {1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2,
                                                  1e-1, 2.5e-1, 5e-1, 1,    2.5,    5};

constexpr std::size_t kMetrics = []() {
  std::size_t count = 0;
#define BELAY_COUNT_METRIC(id, type, name, labels, help) ++count;
  BELAY_METRICS(BELAY_COUNT_METRIC)
#undef BELAY_COUNT_METRIC
  return count;
}();

constexpr std::string_view kWatchEvents[] = {"listed", "ended", "failed", "expired"};

/// The series of one metric: one for each combination of its labels' values, in the order of the
/// labels. Of its three kinds one is there.
struct Cells {
  std::vector<MetricLabel> labels;
  std::vector<Counter*> counters;
  std::vector<Gauge*> gauges;
  Histogram* histogram = nullptr;
  Family<Counter>* counter_family = nullptr;

  /// The cell at the indices of its labels' values.
  std::size_t at(std::initializer_list<std::size_t> indices) const {
    std::size_t cell = 0;
    auto label = labels.begin();
    for (const std::size_t index : indices) cell = cell * (label++)->values.size() + index;
    return cell;
  }

  std::optional<std::size_t> find(Metrics::Labels given) const {
    if (given.size() != labels.size()) return std::nullopt;
    std::size_t cell = 0;
    auto label = labels.begin();
    for (const std::string_view value : given) {
      const auto found = std::ranges::find(label->values, value);
      if (found == label->values.end()) return std::nullopt;
      cell = cell * label->values.size() + static_cast<std::size_t>(found - label->values.begin());
      ++label;
    }
    return cell;
  }
};

/// The family of a row's series.
/// \param builder  of the row's type
template <class Builder>
auto& family(Builder builder, const MetricRow& row, prometheus::Registry& registry) {
  return builder.Name(std::string(row.name)).Help(std::string(row.help)).Register(registry);
}

/// Makes a series for each combination of the labels from the `from`th on.
template <class T>
void add_all(Family<T>& family, const std::vector<MetricLabel>& labels, std::size_t from,
             std::map<std::string, std::string>& given, std::vector<T*>& cells) {
  if (from == labels.size()) {
    cells.push_back(&family.Add(given));
    return;
  }
  for (const std::string& value : labels[from].values) {
    given[labels[from].name] = value;
    add_all(family, labels, from + 1, given, cells);
  }
}

}  // namespace

struct Metrics::Series {
  explicit Series(const std::vector<std::string>& extra_kinds) {
    for (const MetricRow& row : metric_rows()) {
      Cells& one = of(row.id);
      one.labels = labels_of(row, extra_kinds);
      std::map<std::string, std::string> given;
      switch (row.type) {
        case MetricType::kCounter:
          one.counter_family = &family(prometheus::BuildCounter(), row, registry);
          add_all(*one.counter_family, one.labels, 0, given, one.counters);
          break;
        case MetricType::kGauge:
          add_all(family(prometheus::BuildGauge(), row, registry), one.labels, 0, given,
                  one.gauges);
          break;
        case MetricType::kFastHistogram:
          one.histogram =
              &family(prometheus::BuildHistogram(), row, registry).Add({}, kFastBuckets);
          break;
        case MetricType::kSlowHistogram:
          one.histogram =
              &family(prometheus::BuildHistogram(), row, registry).Add({}, kSlowBuckets);
          break;
      }
    }
    of(Metric::kBuildInfo).gauges.front()->Set(1);
  }

  Cells& of(Metric metric) { return cells[static_cast<std::size_t>(metric)]; }

  /// Index of a kind; of "other" for one that is not evaluated. A dozen short texts, most of which
  /// differ in length, are compared faster than hashed.
  std::size_t index_of_kind(std::string_view kind) {
    const std::vector<std::string>& kinds = of(Metric::kRequests).labels[1].values;
    const auto found = std::ranges::find(kinds, kind);
    return found == kinds.end() ? kinds.size() - 1
                                : static_cast<std::size_t>(found - kinds.begin());
  }

  void observe(Metric metric, std::chrono::nanoseconds duration) {
    of(metric).histogram->Observe(std::chrono::duration<double>(duration).count());
  }

  prometheus::Registry registry;
  std::array<Cells, kMetrics> cells;
  std::mutex cache_mutex;
  registry::CacheFigures cache;  ///< as last told; guarded by cache_mutex
};

Metrics::Metrics(const std::vector<std::string>& extra_kinds)
    : series_(std::make_unique<Series>(extra_kinds)) {}
Metrics::~Metrics() = default;

void Metrics::count(Metric metric, Labels labels) {
  const Cells& cells = series_->of(metric);
  const auto cell = cells.find(labels);
  assert(cell);
  if (cell) cells.counters.at(*cell)->Increment();
}

void Metrics::set_gauge(Metric metric, double value, Labels labels) {
  const Cells& cells = series_->of(metric);
  const auto cell = cells.find(labels);
  assert(cell);
  if (cell) cells.gauges.at(*cell)->Set(value);
}

void Metrics::count_decision(const admission::Result& result, std::chrono::nanoseconds duration) {
  if (result.review == nullptr) {
    count(Metric::kRejected, {name_of(result.error_code)});
    return;
  }
  // Outcome and the values of `decision` go in the same order.
  const Cells& requests = series_->of(Metric::kRequests);
  const std::size_t cell = requests.at({static_cast<std::size_t>(result.review->operation),
                                        series_->index_of_kind(result.review->metric_kind),
                                        static_cast<std::size_t>(result.outcome)});
  requests.counters.at(cell)->Increment();
  series_->observe(Metric::kDuration, duration);
  const admission::PinCounts& pins = result.pins;
  const std::size_t counts[] = {pins.pinned, pins.reused, pins.unpinned, pins.denied};
  for (std::size_t i = 0; i < std::size(counts); ++i) {
    if (counts[i] == 0) continue;
    series_->of(Metric::kPins).counters.at(i)->Increment(static_cast<double>(counts[i]));
  }
  if (result.verdict == nullptr) return;
  const Cells& findings = series_->of(Metric::kFindings);
  for (const policy::Finding& finding : result.verdict->findings) {
    const std::size_t at = findings.at({static_cast<std::size_t>(finding.rule),
                                        static_cast<std::size_t>(finding.effective_mode())});
    findings.counters.at(at)->Increment();
  }
}

void Metrics::requested(std::string_view registry, std::string_view result,
                        std::chrono::nanoseconds duration) {
  // The hosts of --registries change while the server runs. A registry's response takes far longer
  // than this search does.
  series_->of(Metric::kRegistryRequests)
      .counter_family->Add({{"registry", std::string(registry)}, {"result", std::string(result)}})
      .Increment();
  series_->observe(Metric::kRegistryDuration, duration);
}

void Metrics::count_watch_event(const kube::WatchEventReport& report) {
  count(Metric::kWatchEvents,
        {name_of(report.watch), kWatchEvents[static_cast<std::size_t>(report.kind)]});
}

void Metrics::set_digest_cache(const registry::CacheFigures& figures) {
  const std::lock_guard lock(series_->cache_mutex);
  registry::CacheFigures& last = series_->cache;
  const auto add = [](Counter* counter, std::uint64_t now, std::uint64_t before) {
    counter->Increment(static_cast<double>(now < before ? now : now - before));
  };
  const std::vector<Counter*>& requests = series_->of(Metric::kCacheRequests).counters;
  add(requests[0], figures.hits, last.hits);
  add(requests[1], figures.stale_hits, last.stale_hits);
  add(requests[2], figures.misses, last.misses);
  add(requests[3], figures.joined, last.joined);
  add(series_->of(Metric::kCacheEvictions).counters[0], figures.evicted, last.evicted);
  set(Metric::kCacheEntries, figures.entries);
  set(Metric::kCacheBytes, figures.bytes);
  last = figures;
}

std::string Metrics::exposition() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, series_->registry.Collect());
  return out.str();
}

}  // namespace belay::webhook::serve
