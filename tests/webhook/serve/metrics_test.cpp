// Metrics: the right series move, and no request can add one.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>

#include "policy/policy.h"
#include "tests/support/sources.h"
#include "webhook/admission/observer.h"
#include "webhook/http/rejection.h"
#include "webhook/serve/metrics.h"

namespace {

using namespace belay::webhook;
using namespace belay::webhook::serve;

/// The value of a series as it stands in the exposition, or "".
std::string value_of(const Metrics& metrics, const std::string& series) {
  std::istringstream text(metrics.exposition());
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with(series + " ")) return line.substr(series.size() + 1);
  }
  return "";
}

std::size_t count_series(const Metrics& metrics) {
  std::istringstream text(metrics.exposition());
  std::size_t count = 0;
  for (std::string line; std::getline(text, line);) count += line.starts_with('#') ? 0 : 1;
  return count;
}

}  // namespace

TEST_CASE("a verdict is counted by operation, kind and decision, its findings by rule and mode") {
  Metrics metrics({"Rollout"});
  admission::Review review;
  review.metric_kind = "Pod";
  review.operation = admission::Operation::kUpdate;
  belay::policy::Verdict verdict;
  belay::policy::Finding finding;
  finding.rule = belay::policy::RuleId::kMutableTag;
  verdict.findings = {finding, finding};
  verdict.findings.back().unchanged = true;
  admission::Result answer;
  answer.review = &review;
  answer.verdict = &verdict;
  answer.outcome = admission::Outcome::kDenied;
  metrics.count_decision(answer, std::chrono::microseconds(20));

  CHECK(value_of(metrics,
                 "belay_admission_requests_total{decision=\"denied\",kind=\"Pod\",operation="
                 "\"UPDATE\"}") == "1");
  CHECK(value_of(metrics, "belay_findings_total{mode=\"enforce\",rule=\"mutable-tag\"}") == "1");
  CHECK(value_of(metrics, "belay_findings_total{mode=\"warn\",rule=\"mutable-tag\"}") == "1");
  CHECK(value_of(metrics, "belay_admission_duration_seconds_bucket{le=\"1e-05\"}") == "0");
  CHECK(value_of(metrics, "belay_admission_duration_seconds_bucket{le=\"2.5e-05\"}") == "1");

  review.metric_kind = "Rollout";
  metrics.count_decision(answer, std::chrono::microseconds(20));
  CHECK(value_of(metrics,
                 "belay_admission_requests_total{decision=\"denied\",kind=\"Rollout\",operation="
                 "\"UPDATE\"}") == "1");
  review.metric_kind = "Gadget";
  metrics.count_decision(answer, std::chrono::microseconds(20));
  CHECK(value_of(metrics,
                 "belay_admission_requests_total{decision=\"denied\",kind=\"other\",operation="
                 "\"UPDATE\"}") == "1");
}

TEST_CASE("what gets no verdict is counted by its reason, whichever layer refused it") {
  Metrics metrics;
  admission::Result bad;
  bad.outcome = admission::Outcome::kBadRequest;
  bad.error_code = admission::ReadErrorCode::kDuplicateKey;
  metrics.count_decision(bad, std::chrono::microseconds(1));
  metrics.count(Metric::kRejected, {name_of(admission::Rejection::kNotReady)});
  metrics.count(Metric::kRejected, {name_of(http::Rejection::kBodyTooLarge)});
  for (const std::string& reason : {std::string("duplicate-key"), std::string("not-ready"),
                                    std::string(name_of(http::Rejection::kBodyTooLarge))}) {
    CAPTURE(reason);
    CHECK(value_of(metrics, "belay_rejected_requests_total{reason=\"" + reason + "\"}") == "1");
  }
}

TEST_CASE("each watch moves series of its own and no other's") {
  for (std::size_t watch = 0; watch < kube::kWatchNames; ++watch) {
    Metrics metrics;
    const auto told = static_cast<kube::WatchName>(watch);
    metrics.count_watch_event({.kind = kube::WatchEventReport::Kind::kListed, .watch = told});
    metrics.set(Metric::kWatchQuiet, 7, {name_of(told)});
    for (std::size_t other = 0; other < kube::kWatchNames; ++other) {
      const std::string name(name_of(static_cast<kube::WatchName>(other)));
      CAPTURE(name);
      CHECK(value_of(metrics, "belay_watch_events_total{event=\"listed\",watch=\"" + name +
                                  "\"}") == (other == watch ? "1" : "0"));
      CHECK(value_of(metrics, "belay_watch_quiet_seconds{watch=\"" + name + "\"}") ==
            (other == watch ? "7" : "0"));
    }
  }
}

TEST_CASE("100,000 different images, namespaces and kinds add no series") {
  Metrics metrics({"Rollout"});
  const std::size_t before = count_series(metrics);
  CHECK(before <= 2000);
  belay::policy::Verdict verdict;
  verdict.findings.push_back({});
  admission::Review review;
  admission::Result answer;
  answer.review = &review;
  answer.verdict = &verdict;
  for (int i = 0; i < 100'000; ++i) {
    const std::string text = "name-" + std::to_string(i);
    review.metric_kind = text;
    review.workload.namespace_name = text;
    review.user = text;
    verdict.findings.front().value = text;
    metrics.count_decision(answer, std::chrono::nanoseconds(i));
  }
  CHECK(count_series(metrics) == before);
}

TEST_CASE("every metric of the table is exposed with its help and kind, and no other") {
  const Metrics metrics;
  const std::string text = metrics.exposition();
  std::size_t helps = 0;
  for (std::size_t at = 0; (at = text.find("# HELP ", at)) != std::string::npos; ++at) ++helps;
  CHECK(helps == metric_rows().size());
  for (const MetricRow& row : metric_rows()) {
    CAPTURE(row.name);
    CHECK(text.find("# HELP " + std::string(row.name) + " " + std::string(row.help) + "\n") !=
          std::string::npos);
    CHECK(text.find("# TYPE " + std::string(row.name) + " " + std::string(name_of(row.type)) +
                    "\n") != std::string::npos);
  }
}

TEST_CASE("every row of the table is counted or set by its labels' values, and only by those") {
  Metrics metrics;
  std::set<Metric> ids;
  for (const MetricRow& row : metric_rows()) {
    CAPTURE(row.name);
    CHECK(ids.insert(row.id).second);
    std::set<std::string> names;
    for (const MetricLabel& label : labels_of(row, {})) {
      CAPTURE(label.name);
      CHECK(names.insert(label.name).second);
      CHECK_FALSE(label.values.empty());
      CHECK(std::set<std::string>(label.values.begin(), label.values.end()).size() ==
            label.values.size());
    }
  }
  metrics.count(Metric::kWatchEvents, {"policies", "failed"});
  CHECK(value_of(metrics, "belay_watch_events_total{event=\"failed\",watch=\"policies\"}") == "1");
  CHECK(value_of(metrics, "belay_watch_events_total{event=\"failed\",watch=\"namespaces\"}") ==
        "0");
}

TEST_CASE(
    "docs/operations.md says of every metric and its labels what to watch for, and of no other") {
  std::ifstream file(belay::tests::source("docs/operations.md"));
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  // The table's cells; elsewhere the page may name a metric without its labels.
  const std::string table = page.substr(page.find("| metric | meaning |"));
  std::set<std::string> told;
  const std::regex name("`(belay_[a-z_]+(\\{[a-z,]+\\})?)`");
  for (std::sregex_iterator at(table.begin(), table.end(), name), end; at != end; ++at) {
    told.insert((*at)[1]);
  }
  std::set<std::string> exposed;
  for (const MetricRow& row : metric_rows()) {
    std::string labels;
    for (const MetricLabel& label : labels_of(row, {})) {
      labels += (labels.empty() ? "{" : ",") + label.name;
    }
    exposed.insert(std::string(row.name) + (labels.empty() ? "" : labels + "}"));
  }
  CHECK(told == exposed);
}

TEST_CASE("pins are counted by what became of them") {
  Metrics metrics;
  admission::Review review;
  admission::Result answer;
  answer.review = &review;
  answer.pins = {.pinned = 3, .reused = 2, .unpinned = 1, .denied = 0};
  metrics.count_decision(answer, std::chrono::microseconds(20));
  metrics.count_decision(answer, std::chrono::microseconds(20));
  CHECK(value_of(metrics, "belay_pins_total{result=\"pinned\"}") == "6");
  CHECK(value_of(metrics, "belay_pins_total{result=\"reused\"}") == "4");
  CHECK(value_of(metrics, "belay_pins_total{result=\"unpinned\"}") == "2");
  CHECK(value_of(metrics, "belay_pins_total{result=\"denied\"}") == "0");
}

TEST_CASE(
    "requests to registries are counted, and figures of caches that are created again add up") {
  Metrics metrics;
  metrics.requested("registry.corp:5000", "ok", std::chrono::milliseconds(3));
  metrics.requested("registry.corp:5000", "ok", std::chrono::milliseconds(3));
  CHECK(value_of(metrics,
                 "belay_registry_requests_total{registry=\"registry.corp:5000\",result=\"ok\"}") ==
        "2");
  CHECK(value_of(metrics, "belay_registry_request_duration_seconds_count") == "2");
  CHECK(value_of(metrics, "belay_registry_request_duration_seconds_bucket{le=\"0.0025\"}") == "0");
  registry::CacheFigures figures;
  figures.hits = 5;
  figures.entries = 4;
  figures.bytes = 1'000;
  metrics.set_digest_cache(figures);
  figures.hits = 7;
  metrics.set_digest_cache(figures);
  CHECK(value_of(metrics, "belay_digest_cache_requests_total{result=\"hit\"}") == "7");
  figures = {};
  figures.hits = 2;
  figures.evicted = 1;
  metrics.set_digest_cache(figures);
  CHECK(value_of(metrics, "belay_digest_cache_requests_total{result=\"hit\"}") == "9");
  CHECK(value_of(metrics, "belay_digest_cache_evictions_total") == "1");
  CHECK(value_of(metrics, "belay_digest_cache_entries") == "0");
}

TEST_CASE("states are gauges that say what was last set") {
  Metrics metrics;
  metrics.set(Metric::kPolicies, 3, {"current"});
  metrics.set(Metric::kPolicies, 1, {"last_good"});
  metrics.set(Metric::kPolicies, 2, {"invalid"});
  metrics.count(Metric::kPolicyReloads, {"success"});
  metrics.count(Metric::kPolicyReloads, {"failure"});
  metrics.set(Metric::kExpiredExemptions, 4);
  metrics.set(Metric::kConnections, std::size_t{5});
  metrics.set(Metric::kCertificateExpiry, std::chrono::system_clock::from_time_t(1'800'000'000));
  CHECK(value_of(metrics, "belay_ca_expiry_timestamp_seconds") == "0");  // somebody else's
  metrics.set(Metric::kCaExpiry, std::chrono::system_clock::from_time_t(1'900'000'000));
  CHECK(value_of(metrics, "belay_ready") == "0");
  metrics.set(Metric::kReady, true);
  CHECK(value_of(metrics, "belay_policies{state=\"current\"}") == "3");
  CHECK(value_of(metrics, "belay_policies{state=\"last_good\"}") == "1");
  CHECK(value_of(metrics, "belay_policies{state=\"invalid\"}") == "2");
  CHECK(value_of(metrics, "belay_policy_reload_total{result=\"success\"}") == "1");
  CHECK(value_of(metrics, "belay_policy_reload_total{result=\"failure\"}") == "1");
  CHECK(value_of(metrics, "belay_exemptions_expired") == "4");
  CHECK(value_of(metrics, "belay_connections") == "5");
  CHECK(value_of(metrics, "belay_certificate_expiry_timestamp_seconds") == "1800000000");
  CHECK(value_of(metrics, "belay_ca_expiry_timestamp_seconds") == "1900000000");
  CHECK(value_of(metrics, "belay_ready") == "1");
}
