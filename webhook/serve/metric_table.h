// The table of metrics: what is exposed on /metrics. A new one is a row here, what it means to an
// admin in docs/operations.md, and the place that counts: metrics.count(Metric::kMine).
//
// Every label has a closed set of values, so no request adds a series. Immutable; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// ROW(id, type, name, labels, help). Labels are in the order in which they are given when
/// something is counted. `result=hit|miss` says a label's values; those of the others are
/// enumerations of the program, which metric_table.cpp names.
#define BELAY_METRICS(ROW)                                                                         \
  ROW(kRequests, kCounter, "belay_admission_requests_total",                                       \
      "operation, kind, decision=allowed|denied|undecided",                                        \
      "Admission reviews that got a verdict.")                                                     \
  ROW(kRejected, kCounter, "belay_rejected_requests_total", "reason",                              \
      "Requests and connections rejected before a verdict, by reason.")                            \
  ROW(kFindings, kCounter, "belay_findings_total", "rule, mode",                                   \
      "Findings by rule and by what they led to (enforce, warn, audit).")                          \
  ROW(kDuration, kFastHistogram, "belay_admission_duration_seconds", "",                           \
      "Time from reading a review to writing its response.")                                       \
  ROW(kPolicies, kGauge, "belay_policies", "state=current|last_good|invalid",                      \
      "Policies in force as written (current) and by their last good text (last_good), and "       \
      "invalid texts (invalid).")                                                                  \
  ROW(kPolicyReloads, kCounter, "belay_policy_reload_total", "result=success|failure",             \
      "Reloads of the policies; failure if one of them is invalid.")                               \
  ROW(kExpiredExemptions, kGauge, "belay_exemptions_expired", "",                                  \
      "Exemptions of the policies in force that have expired and are ignored.")                    \
  ROW(kCertificateExpiry, kGauge, "belay_certificate_expiry_timestamp_seconds", "",                \
      "When the serving certificate expires, as a Unix timestamp.")                                \
  ROW(kCaExpiry, kGauge, "belay_ca_expiry_timestamp_seconds", "",                                  \
      "When the CA that issued it expires, as a Unix timestamp; 0 if that CA is not "              \
      "belay's own.")                                                                              \
  ROW(kReady, kGauge, "belay_ready", "", "1 if /readyz reports ready.")                            \
  ROW(kConnections, kGauge, "belay_connections", "", "Open connections of the webhook port.")      \
  ROW(kWatchEvents, kCounter, "belay_watch_events_total",                                          \
      "watch, event=listed|ended|failed|expired",                                                  \
      "Watches of the Kubernetes API: lists read, streams ended, failures, versions expired.")     \
  ROW(kWatchQuiet, kGauge, "belay_watch_quiet_seconds", "watch",                                   \
      "Time since the API server last sent an event on a watch.")                                  \
  ROW(kNamespaces, kGauge, "belay_namespaces", "", "Namespaces whose labels are known.")           \
  ROW(kLeader, kGauge, "belay_leader", "", "1 if this replica holds the Lease.")                   \
  ROW(kDroppedLogs, kGauge, "belay_log_dropped_batches", "",                                       \
      "Batches of log lines that were dropped because their reader was slow.")                     \
  ROW(kPins, kCounter, "belay_pins_total", "result=pinned|reused|unpinned|denied",                 \
      "Tags that a policy pins: with a registry's digest (pinned), with the old object's "         \
      "(reused), "                                                                                 \
      "not at all (unpinned), or refused (denied).")                                               \
  ROW(kRegistryRequests, kCounter, "belay_registry_requests_total", "registry=other, result=ok",   \
      "Requests to registries, by their host in --registries and by result.")                      \
  ROW(kRegistryDuration, kSlowHistogram, "belay_registry_request_duration_seconds", "",            \
      "Time of a request to a registry.")                                                          \
  ROW(kCacheRequests, kCounter, "belay_digest_cache_requests_total",                               \
      "result=hit|stale|miss|joined",                                                              \
      "Look-ups in the cache: hit; stale, which is used and asked for again; miss, which asks a "  \
      "registry; joined, which waits for a request that is already on its way.")                   \
  ROW(kCacheEntries, kGauge, "belay_digest_cache_entries", "", "Digests and images in the cache.") \
  ROW(kCacheBytes, kGauge, "belay_digest_cache_bytes", "", "Memory that the cache uses.")          \
  ROW(kCacheEvictions, kCounter, "belay_digest_cache_evictions_total", "",                         \
      "Entries that were removed to make room.")                                                   \
  ROW(kBuildInfo, kGauge, "belay_build_info", "version, commit",                                   \
      "Always 1; the labels say which build runs.")

namespace belay::webhook::serve {

#define BELAY_METRIC_ID(id, type, name, labels, help) id,
enum class Metric : std::uint8_t { BELAY_METRICS(BELAY_METRIC_ID) };
#undef BELAY_METRIC_ID

enum class MetricType : std::uint8_t {
  kCounter,
  kGauge,
  kFastHistogram,  ///< of times from 10 µs to 2.5 s
  kSlowHistogram,  ///< of times from 1 ms to 5 s
};
/// As Prometheus names it: "counter", "gauge", "histogram".
std::string_view name_of(MetricType type);

/// A row of the table.
struct MetricRow {
  Metric id;
  MetricType type;
  std::string_view name, labels, help;
};
/// In the order of Metric.
std::span<const MetricRow> metric_rows();

struct MetricLabel {
  std::string name;
  std::vector<std::string> values;
};
/// The labels of a row with their values.
/// \param extra_kinds  kinds of workloads that the configuration adds
std::vector<MetricLabel> labels_of(const MetricRow& row,
                                   const std::vector<std::string>& extra_kinds);

}  // namespace belay::webhook::serve
