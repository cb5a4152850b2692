#include "webhook/serve/request_observer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "policy/message.h"

namespace belay::webhook::serve {
namespace {

constexpr std::size_t kMaxGatheredBytes = std::size_t{64} << 10U;
constexpr std::size_t kMaxFields = 20;

LogLevel level_of(const admission::Result& result) {
  switch (result.outcome) {
    case admission::Outcome::kAllowed:
      if (!result.pin_problem.empty()) return LogLevel::kInfo;
      return result.verdict == nullptr || result.verdict->findings.empty() ? LogLevel::kDebug
                                                                           : LogLevel::kInfo;
    case admission::Outcome::kUndecided:
      return LogLevel::kWarning;
    case admission::Outcome::kDenied:
    case admission::Outcome::kBadRequest:
      break;
  }
  return LogLevel::kInfo;
}

/// The rules that have findings, each once, in the order of the findings.
class RuleNames {
 public:
  explicit RuleNames(const policy::Verdict* verdict) {
    if (verdict == nullptr) return;
    for (const policy::Finding& finding : verdict->findings) {
      const std::string_view name = name_of(finding.rule);
      const auto end = names_.begin() + static_cast<std::ptrdiff_t>(count_);
      if (count_ < names_.size() && std::find(names_.begin(), end, name) == end) {
        names_[count_++] = name;
      }
    }
  }
  std::span<const std::string_view> list() const { return {names_.data(), count_}; }

 private:
  std::array<std::string_view, policy::kRuleCount> names_;
  std::size_t count_ = 0;
};

/// What stands in the response's status.code.
int status_code(const admission::Result& result) {
  if (result.outcome == admission::Outcome::kAllowed) return 200;
  if (result.outcome == admission::Outcome::kUndecided) {
    return result.http_status == 200 ? 503 : result.http_status;
  }
  return result.refusal.empty() ? 403 : 422;
}

}  // namespace

void RequestObserver::decided(const admission::Result& result, admission::Endpoint endpoint,
                              std::chrono::nanoseconds duration) {
  metrics_.count_decision(result, duration);
  const LogLevel level = level_of(result);
  if (!log_.enabled(level)) return;

  const auto duration_us = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  if (result.review == nullptr) {
    append(level, "invalid review",
           std::array<LogField, 5>{{{"path", path_of(endpoint)},
                                    {"reason", name_of(result.error_code)},
                                    {"problem", result.error_message},
                                    {"duration_us", std::int64_t{duration_us}},
                                    {"code", std::int64_t{result.http_status}}}});
    return;
  }
  const admission::Review& review = *result.review;
  const RuleNames rules(result.verdict);
  std::string finding;
  std::array<LogField, kMaxFields> fields;
  std::size_t count = 0;
  const auto add = [&](std::string_view key, LogField::Value value) {
    fields[count++] = {key, value};
  };
  add("uid", review.uid);
  add("path", path_of(endpoint));
  add("operation", name_of(review.operation));
  add("kind", review.kind.kind);
  if (!review.workload.namespace_name.empty()) add("namespace", review.workload.namespace_name);
  const std::string_view name =
      review.workload.name.empty() ? review.workload.generate_name : review.workload.name;
  if (!name.empty()) add("name", name);
  if (!review.user.empty()) add("user", review.user);
  if (review.dry_run) add("dry_run", true);
  add("decision", name_of(result.outcome));
  add("rules", rules.list());
  if (result.verdict != nullptr && !result.verdict->findings.empty()) {
    finding = policy::finding_line(result.verdict->findings.front(), true);
    add("finding", std::string_view(finding));
  }
  if (result.verdict != nullptr && !result.verdict->undecided.empty()) {
    add("undecided", std::string_view(result.verdict->undecided));
  }
  if (!result.refusal.empty()) add("problem", result.refusal);
  const std::pair<std::string_view, std::size_t> pins[] = {{"pinned", result.pins.pinned},
                                                           {"reused", result.pins.reused},
                                                           {"unpinned", result.pins.unpinned},
                                                           {"denied_pins", result.pins.denied}};
  for (const auto& [key, pinned] : pins) {
    if (pinned > 0) add(key, static_cast<std::int64_t>(pinned));
  }
  if (!result.pin_problem.empty()) add("problem", result.pin_problem);
  add("duration_us", std::int64_t{duration_us});
  add("code", std::int64_t{status_code(result)});
  append(level, "admission", LogFields(fields.data(), count));
}

void RequestObserver::rejected(admission::Rejection reason, admission::Endpoint endpoint) {
  metrics_.count(Metric::kRejected, {name_of(reason)});
  if (!log_.enabled(LogLevel::kInfo)) return;
  append(LogLevel::kInfo, "rejected",
         std::array<LogField, 2>{{{"path", path_of(endpoint)}, {"reason", name_of(reason)}}});
}

void RequestObserver::append(LogLevel level, std::string_view message, LogFields fields) {
  append_line(lines_, log_.format(), level, std::chrono::system_clock::now(), message, fields);
  if (lines_.size() > kMaxGatheredBytes) flush();
}

void RequestObserver::flush() {
  if (lines_.empty()) return;
  log_.write_lines(lines_);
  lines_.clear();
}

}  // namespace belay::webhook::serve
