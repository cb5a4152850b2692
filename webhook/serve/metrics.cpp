#include "webhook/serve/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <mutex>
#include <sstream>

#include "build_info.h"
#include "policy/verdict.h"
#include "webhook/workload/workload_kinds.h"

namespace belay::webhook::serve {
namespace {

enum Metric : std::size_t {
  kRequests,
  kRejected,
  kFindings,
  kDuration,
  kPolicies,
  kReloads,
  kExpiredExemptions,
  kCertificateExpiry,
  kAuthorityExpiry,
  kReady,
  kConnections,
  kWatchEvents,
  kWatchQuiet,
  kNamespaces,
  kLeader,
  kDroppedLogs,
  kPins,
  kRegistryRequests,
  kRegistryDuration,
  kCacheRequests,
  kCacheEntries,
  kCacheBytes,
  kCacheEvictions,
  kBuildInfo,
};

constexpr MetricType kMetrics[] = {
    {"belay_admission_requests_total", "counter", "operation, kind, decision",
     "Admission reviews that were answered with a verdict."},
    {"belay_rejected_requests_total", "counter", "reason",
     "Requests and connections rejected before a verdict, by reason."},
    {"belay_findings_total", "counter", "rule, mode",
     "Findings by rule and by what they led to (enforce, warn, audit)."},
    {"belay_admission_duration_seconds", "histogram", "",
     "Time from the bytes of a review to the bytes of its answer."},
    {"belay_policies", "gauge", "state",
     "Policies in force as written (current) and by their last good text (last_good), and invalid "
     "texts (invalid)."},
    {"belay_policy_reload_total", "counter", "result",
     "Reloads of the policies; failure where one of them is invalid."},
    {"belay_exemptions_expired", "gauge", "",
     "Exemptions of the policies in force that have expired and are ignored."},
    {"belay_certificate_expiry_timestamp_seconds", "gauge", "",
     "When the serving certificate expires, in seconds since the epoch."},
    {"belay_ca_expiry_timestamp_seconds", "gauge", "",
     "When the CA that issued it expires, in seconds since the epoch; 0 where that CA is not "
     "belay's own."},
    {"belay_ready", "gauge", "", "1 where /readyz says so."},
    {"belay_connections", "gauge", "", "Open connections of the webhook port."},
    {"belay_watch_events_total", "counter", "watch, event",
     "Watches of the Kubernetes API: lists read, streams ended, failures, versions expired."},
    {"belay_watch_quiet_seconds", "gauge", "watch",
     "Time since the API server last said anything on a watch."},
    {"belay_namespaces", "gauge", "", "Namespaces whose labels are known."},
    {"belay_leader", "gauge", "", "1 where this replica holds the lease."},
    {"belay_log_dropped_batches", "gauge", "",
     "Batches of log lines that were dropped because their reader was slow."},
    {"belay_pins_total", "counter", "result",
     "Images that a policy wants pinned: pinned by a registry's digest, by the old object's "
     "(reused), left without one, refused for it."},
    {"belay_registry_requests_total", "counter", "registry, result",
     "Requests to registries, by their host in --registries and by what came of it."},
    {"belay_registry_request_duration_seconds", "histogram", "",
     "Time of a request to a registry."},
    {"belay_digest_cache_requests_total", "counter", "result",
     "Look-ups of digests and images: known, known and asked anew behind it (stale), asked for, "
     "joined to one that asks already."},
    {"belay_digest_cache_entries", "gauge", "", "Digests and images that are known."},
    {"belay_digest_cache_bytes", "gauge", "", "Memory that they take."},
    {"belay_digest_cache_evictions_total", "counter", "", "Entries that made room for others."},
    {"belay_build_info", "gauge", "version, commit", "1; what is running stands in the labels."},
};

/// Seconds. The fast end tells a slow policy from a slow machine, the slow end meets the API
/// server's timeouts.
const prometheus::Histogram::BucketBoundaries kDurationBuckets = {
    1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 1e-1, 5e-1, 2.5};

const prometheus::Histogram::BucketBoundaries kRegistryBuckets = {
    1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 1e-1, 2.5e-1, 5e-1, 1, 2.5, 5};

constexpr std::size_t kOperations = 4;
constexpr std::size_t kDecisions = 3;
constexpr std::string_view kDecisionNames[kDecisions] = {"allowed", "denied", "undecided"};
constexpr std::size_t kModes = 3;
constexpr std::size_t kReadErrors =
    static_cast<std::size_t>(admission::ReadErrorCode::kTooManyImages) + 1;
constexpr std::size_t kAdmissionRejections =
    static_cast<std::size_t>(admission::Rejection::kNotReady) + 1;

constexpr std::string_view kPinResults[] = {"pinned", "reused", "unpinned", "denied"};
constexpr std::string_view kCacheResults[] = {"hit", "stale", "miss", "joined"};
constexpr std::size_t kWatchKinds =
    static_cast<std::size_t>(kube::WatchEventReport::Kind::kExpired) + 1;
constexpr std::string_view kWatchKindNames[kWatchKinds] = {"listed", "ended", "failed", "expired"};

using prometheus::Counter;
using prometheus::Gauge;

}  // namespace

std::span<const MetricType> metric_types() { return kMetrics; }

struct Metrics::Series {
  explicit Series(const std::vector<std::string>& extra_kinds) {
    for (const workload::WorkloadKind& row : workload::workload_kinds()) {
      add_kind(std::string(row.kind));
    }
    add_kind(std::string(workload::kNamespaceKind));
    add_kind(std::string(workload::kConfigMapKind));
    for (const std::string& kind : extra_kinds) add_kind(kind);
    kinds.emplace_back("other");

    auto& request_family = counters(kRequests);
    requests.resize(kinds.size() * kOperations * kDecisions);
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      for (std::size_t operation = 0; operation < kOperations; ++operation) {
        for (std::size_t decision = 0; decision < kDecisions; ++decision) {
          const auto operation_name = name_of(static_cast<admission::Operation>(operation));
          requests[(kind * kOperations + operation) * kDecisions + decision] =
              &request_family.Add({{"operation", std::string(operation_name)},
                                   {"kind", kinds[kind]},
                                   {"decision", std::string(kDecisionNames[decision])}});
        }
      }
    }

    // Two layers may reject for one reason (a media type); they share its series.
    auto& rejected_family = counters(kRejected);
    const auto rejection = [&](std::string_view reason) {
      return &rejected_family.Add({{"reason", std::string(reason)}});
    };
    for (std::size_t i = 0; i < kReadErrors; ++i) {
      read_errors[i] = rejection(name_of(static_cast<admission::ReadErrorCode>(i)));
    }
    for (std::size_t i = 0; i < kAdmissionRejections; ++i) {
      rejected_by_admission[i] = rejection(name_of(static_cast<admission::Rejection>(i)));
    }
    for (std::size_t i = 0; i < http::kRejectionCount; ++i) {
      rejected_by_http[i] = rejection(name_of(static_cast<http::Rejection>(i)));
    }

    auto& finding_family = counters(kFindings);
    for (std::size_t rule = 0; rule < policy::kRuleCount; ++rule) {
      for (std::size_t mode = 0; mode < kModes; ++mode) {
        findings[rule][mode] =
            &finding_family.Add({{"rule", std::string(name_of(static_cast<policy::RuleId>(rule)))},
                                 {"mode", std::string(name_of(static_cast<policy::Mode>(mode)))}});
      }
    }

    for (const Metric metric :
         {kExpiredExemptions, kCertificateExpiry, kAuthorityExpiry, kReady, kConnections,
          kDroppedLogs, kNamespaces, kLeader, kCacheEntries, kCacheBytes}) {
      plain[metric] = &gauges(metric).Add({});
    }
    duration = &histogram(kDuration, kDurationBuckets);
    auto& policy_family = gauges(kPolicies);
    current = &policy_family.Add({{"state", "current"}});
    kept = &policy_family.Add({{"state", "last_good"}});
    broken = &policy_family.Add({{"state", "invalid"}});
    auto& reload_family = counters(kReloads);
    reloaded = &reload_family.Add({{"result", "success"}});
    reload_failed = &reload_family.Add({{"result", "failure"}});
    auto& watch_family = counters(kWatchEvents);
    auto& quiet_family = gauges(kWatchQuiet);
    for (std::size_t watch = 0; watch < kube::kWatchNames; ++watch) {
      const std::string name(name_of(static_cast<kube::WatchName>(watch)));
      for (std::size_t kind = 0; kind < kWatchKinds; ++kind) {
        watch_events[watch][kind] =
            &watch_family.Add({{"watch", name}, {"event", std::string(kWatchKindNames[kind])}});
      }
      watch_quiet[watch] = &quiet_family.Add({{"watch", name}});
    }
    auto& pin_family = counters(kPins);
    for (std::size_t i = 0; i < pins.size(); ++i) {
      pins[i] = &pin_family.Add({{"result", std::string(kPinResults[i])}});
    }
    registry_requests = &counters(kRegistryRequests);
    registry_requests->Add({{"registry", "other"}, {"result", "ok"}});  // never an empty family
    registry_duration = &histogram(kRegistryDuration, kRegistryBuckets);
    auto& cache_family = counters(kCacheRequests);
    for (std::size_t i = 0; i < cache_requests.size(); ++i) {
      cache_requests[i] = &cache_family.Add({{"result", std::string(kCacheResults[i])}});
    }
    cache_evictions = &counters(kCacheEvictions).Add({});
    gauges(kBuildInfo).Add({{"version", BELAY_VERSION}, {"commit", BELAY_COMMIT}}).Set(1);
  }

  void add_kind(std::string kind) {
    if (std::ranges::find(kinds, kind) == kinds.end()) kinds.push_back(std::move(kind));
  }

  prometheus::Family<Counter>& counters(Metric metric) {
    return prometheus::BuildCounter()
        .Name(std::string(kMetrics[metric].name))
        .Help(std::string(kMetrics[metric].help))
        .Register(registry);
  }
  prometheus::Family<Gauge>& gauges(Metric metric) {
    return prometheus::BuildGauge()
        .Name(std::string(kMetrics[metric].name))
        .Help(std::string(kMetrics[metric].help))
        .Register(registry);
  }

  prometheus::Histogram& histogram(Metric metric,
                                   const prometheus::Histogram::BucketBoundaries& buckets) {
    return prometheus::BuildHistogram()
        .Name(std::string(kMetrics[metric].name))
        .Help(std::string(kMetrics[metric].help))
        .Register(registry)
        .Add({}, buckets);
  }

  /// Index of a kind; of "other" for one that is not evaluated. A dozen short texts, most of which
  /// differ in length, are compared faster than hashed.
  std::size_t index_of(std::string_view kind) const {
    const auto found = std::ranges::find(kinds, kind);
    return found == kinds.end() ? kinds.size() - 1
                                : static_cast<std::size_t>(found - kinds.begin());
  }

  prometheus::Registry registry;
  std::vector<std::string> kinds;  ///< the last is "other"
  std::vector<Counter*> requests;  ///< kind, operation, decision
  std::array<Counter*, kReadErrors> read_errors{};
  std::array<Counter*, kAdmissionRejections> rejected_by_admission{};
  std::array<Counter*, http::kRejectionCount> rejected_by_http{};
  std::array<std::array<Counter*, kModes>, policy::kRuleCount> findings{};
  prometheus::Histogram* duration = nullptr;
  std::array<Gauge*, std::size(kMetrics)> plain{};  ///< those without labels
  Gauge* current = nullptr;
  Gauge* kept = nullptr;
  Gauge* broken = nullptr;
  Counter* reloaded = nullptr;
  Counter* reload_failed = nullptr;
  std::array<std::array<Counter*, kWatchKinds>, kube::kWatchNames> watch_events{};
  std::array<Gauge*, kube::kWatchNames> watch_quiet{};
  std::array<Counter*, std::size(kPinResults)> pins{};
  prometheus::Family<Counter>* registry_requests = nullptr;
  prometheus::Histogram* registry_duration = nullptr;
  std::array<Counter*, std::size(kCacheResults)> cache_requests{};
  Counter* cache_evictions = nullptr;
  std::mutex cache_mutex;
  registry::CacheFigures cache;  ///< as last told; guarded by cache_mutex
};

Metrics::Metrics(const std::vector<std::string>& extra_kinds)
    : series_(std::make_unique<Series>(extra_kinds)) {}
Metrics::~Metrics() = default;

void Metrics::count_decision(const admission::Answer& answer, std::chrono::nanoseconds duration) {
  if (answer.review == nullptr) {
    series_->read_errors.at(static_cast<std::size_t>(answer.error_code))->Increment();
    return;
  }
  // Outcome and kDecisionNames go in the same order.
  const std::size_t index = (series_->index_of(answer.review->metric_kind) * kOperations +
                             static_cast<std::size_t>(answer.review->operation)) *
                                kDecisions +
                            static_cast<std::size_t>(answer.outcome);
  series_->requests.at(index)->Increment();
  series_->duration->Observe(std::chrono::duration<double>(duration).count());
  const admission::PinCounts& pins = answer.pins;
  const std::size_t counts[] = {pins.pinned, pins.reused, pins.unpinned, pins.denied};
  for (std::size_t i = 0; i < std::size(counts); ++i) {
    if (counts[i] > 0) series_->pins.at(i)->Increment(static_cast<double>(counts[i]));
  }
  if (answer.verdict == nullptr) return;
  for (const policy::Finding& finding : answer.verdict->findings) {
    series_->findings.at(static_cast<std::size_t>(finding.rule))
        .at(static_cast<std::size_t>(finding.effective_mode()))
        ->Increment();
  }
}

void Metrics::count_rejected(admission::Rejection reason) {
  series_->rejected_by_admission.at(static_cast<std::size_t>(reason))->Increment();
}

void Metrics::count_rejected(http::Rejection reason) {
  series_->rejected_by_http.at(static_cast<std::size_t>(reason))->Increment();
}

void Metrics::requested(std::string_view registry, std::string_view result,
                        std::chrono::nanoseconds duration) {
  // A registry's answer takes far longer than this search does.
  series_->registry_requests
      ->Add({{"registry", std::string(registry)}, {"result", std::string(result)}})
      .Increment();
  series_->registry_duration->Observe(std::chrono::duration<double>(duration).count());
}

void Metrics::set_digest_cache(const registry::CacheFigures& figures) {
  const std::lock_guard lock(series_->cache_mutex);
  registry::CacheFigures& last = series_->cache;
  const auto add = [](Counter* counter, std::uint64_t now, std::uint64_t before) {
    counter->Increment(static_cast<double>(now < before ? now : now - before));
  };
  add(series_->cache_requests[0], figures.hits, last.hits);
  add(series_->cache_requests[1], figures.stale_hits, last.stale_hits);
  add(series_->cache_requests[2], figures.misses, last.misses);
  add(series_->cache_requests[3], figures.joined, last.joined);
  add(series_->cache_evictions, figures.evicted, last.evicted);
  series_->plain[kCacheEntries]->Set(static_cast<double>(figures.entries));
  series_->plain[kCacheBytes]->Set(static_cast<double>(figures.bytes));
  last = figures;
}

void Metrics::set_policies(std::size_t current, std::size_t kept, std::size_t broken) {
  series_->current->Set(static_cast<double>(current));
  series_->kept->Set(static_cast<double>(kept));
  series_->broken->Set(static_cast<double>(broken));
}

void Metrics::count_policy_reload(bool clean) {
  (clean ? series_->reloaded : series_->reload_failed)->Increment();
}

void Metrics::set_expired_exemptions(std::size_t count) {
  series_->plain[kExpiredExemptions]->Set(static_cast<double>(count));
}

void Metrics::set_certificate_expiry(std::chrono::system_clock::time_point at) {
  series_->plain[kCertificateExpiry]->Set(
      static_cast<double>(std::chrono::system_clock::to_time_t(at)));
}

void Metrics::set_authority_expiry(std::chrono::system_clock::time_point at) {
  series_->plain[kAuthorityExpiry]->Set(
      static_cast<double>(std::chrono::system_clock::to_time_t(at)));
}

void Metrics::set_ready(bool ready) { series_->plain[kReady]->Set(ready ? 1 : 0); }

void Metrics::set_connections(std::size_t count) {
  series_->plain[kConnections]->Set(static_cast<double>(count));
}

void Metrics::set_dropped_log_batches(std::size_t count) {
  series_->plain[kDroppedLogs]->Set(static_cast<double>(count));
}

void Metrics::count_watch_event(const kube::WatchEventReport& report) {
  series_->watch_events.at(static_cast<std::size_t>(report.watch))
      .at(static_cast<std::size_t>(report.kind))
      ->Increment();
}

void Metrics::set_watch_quiet(kube::WatchName watch, std::chrono::milliseconds since) {
  series_->watch_quiet.at(static_cast<std::size_t>(watch))
      ->Set(std::chrono::duration<double>(since).count());
}

void Metrics::set_namespaces(std::size_t count) {
  series_->plain[kNamespaces]->Set(static_cast<double>(count));
}

void Metrics::set_leader(bool leading) { series_->plain[kLeader]->Set(leading ? 1 : 0); }

std::string Metrics::exposition() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, series_->registry.Collect());
  return out.str();
}

}  // namespace belay::webhook::serve
