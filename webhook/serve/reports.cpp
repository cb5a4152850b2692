// The words of what is told.
#include "webhook/serve/reports.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "policy/text/time_text.h"

namespace belay::webhook::serve {

Reports::Reports(Log& log, Metrics& metrics, MergedPolicies& policies,
                 const certs::Store& certificates, certificates::SystemClock clock)
    : log_(log),
      metrics_(metrics),
      policies_(policies),
      certificates_(certificates),
      clock_(std::move(clock)) {}

void Reports::certificate(const certificates::CertificateEvent& event) {
  if (event.progress) {
    log_.write(LogLevel::kInfo, "certificate rotation", {{"step", event.message}});
    return;
  }
  if (!event.pair && !certificates_.current()) {  // as a replica finds it that is the first
    log_.write(LogLevel::kWarning, "not ready: there is no certificate yet",
               {{"problem", event.message}});
    return;
  }
  if (!event.pair) {
    log_.write(LogLevel::kError, "certificate not renewed; the last good one stays in force",
               {{"problem", event.message}});
    return;
  }
  const certs::CertificateFacts& leaf = event.pair->leaf();
  metrics_.set(Metric::kCertificateExpiry, leaf.not_after);
  if (event.ca_expiry) metrics_.set(Metric::kCaExpiry, *event.ca_expiry);
  const std::string names = fmt::format("{}", fmt::join(leaf.names, ","));
  const std::string expires =
      policy::time_text(std::chrono::floor<std::chrono::seconds>(leaf.not_after));
  const bool expired = event.pair->validity(clock_()) == certs::Validity::kExpired;
  log_.write(
      expired ? LogLevel::kError : LogLevel::kInfo,
      expired ? "certificate in force has expired" : "certificate in force",
      {{"source", event.message}, {"names", names}, {"serial", leaf.serial}, {"expires", expires}});
}

void Reports::policies(PolicyOrigin origin, const policies::ReloadReport& report) {
  const std::lock_guard lock(mutex_);
  policies_.merge();
  last_.at(static_cast<std::size_t>(origin)) = report;
  std::size_t in_force = 0;
  std::size_t kept = 0;
  std::size_t broken = 0;
  for (const policies::ReloadReport& one : last_) {
    in_force += one.in_force;
    kept += one.kept;
    broken += one.problems.size();
  }
  const bool clean = report.problems.empty();
  metrics_.count(Metric::kPolicyReloads, {clean ? "success" : "failure"});
  metrics_.set(Metric::kPolicies, in_force - kept, {"current"});
  metrics_.set(Metric::kPolicies, kept, {"last_good"});
  metrics_.set(Metric::kPolicies, broken, {"invalid"});
  for (const policies::PolicyProblem& problem : report.problems) {
    const std::string text = problem.format();
    log_.write(LogLevel::kError, "policy is invalid", {{"file", problem.file}, {"problem", text}});
  }
  log_.write(clean ? LogLevel::kInfo : LogLevel::kWarning,
             clean           ? "policies in force"
             : in_force == 0 ? "not ready: no policy has been read"
                             : "policies in force, but some are invalid",
             {{"in_force", static_cast<std::int64_t>(in_force)},
              {"last_good", static_cast<std::int64_t>(kept)},
              {"invalid", static_cast<std::int64_t>(broken)}});
}

void Reports::status_failed(const std::string& config_map, const std::string& problem) {
  log_.write(LogLevel::kWarning, "status of policies not written; belay tries again",
             {{"config_map", config_map}, {"problem", problem}});
}

void Reports::watch(const kube::WatchEventReport& report) {
  using Kind = kube::WatchEventReport::Kind;
  metrics_.count_watch_event(report);
  if (report.kind == Kind::kFailed) {
    log_.write(LogLevel::kWarning, "the Kubernetes API does not respond; cached data stays in use",
               {{"watch", name_of(report.watch)},
                {"problem", report.problem},
                {"retry_ms", std::int64_t{report.retry_in.count()}}});
  } else if (report.kind == Kind::kListed) {
    log_.write(LogLevel::kInfo, "listed", {{"watch", name_of(report.watch)}});
  }
}

void Reports::leading(bool leading) {
  metrics_.set(Metric::kLeader, leading);
  log_.write(LogLevel::kInfo,
             leading ? "this replica is the leader" : "this replica is no longer the leader");
}

void Reports::registries(const registry::RegistryReload& reload) {
  for (const std::string& problem : reload.problems) {
    log_.write(LogLevel::kError,
               "registries or credentials are invalid; the last good ones stay in force",
               {{"problem", problem}});
  }
  log_.write(reload.good ? LogLevel::kInfo : LogLevel::kWarning, "registries in force",
             {{"registries", static_cast<std::int64_t>(reload.registries)}});
}

void Reports::tag_history(const tag_history::TagHistoryNews& news) {
  log_.write(news.good ? LogLevel::kInfo : LogLevel::kWarning, "tag history",
             {{"place", news.place}, {"news", news.what}});
}

}  // namespace belay::webhook::serve
