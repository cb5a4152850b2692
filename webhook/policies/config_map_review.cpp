// A review of a ConfigMap -> why it is refused, or what is worth a warning.
#include "webhook/policies/config_map_review.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "policy/message.h"
#include "policy/notes.h"
#include "policy/selector.h"
#include "webhook/policies/policy_config_map.h"

namespace belay::webhook::policies {
namespace {

constexpr std::size_t kMaxLineBytes = 700;
constexpr std::size_t kMaxFieldBytes = 256;
constexpr std::string_view kCut = "...";

/// Escaped text within `max` bytes, no \u{…} cut in two.
std::string shown(std::string_view text, std::size_t max) {
  // No byte behind the first `max` can take part in what is shown.
  std::string escaped = policy::escape(text.substr(0, std::min(text.size(), max + kCut.size())));
  if (escaped.size() <= max && text.size() <= max) return escaped;
  escaped.resize(std::min(escaped.size(), max - kCut.size()));
  const std::size_t open = escaped.rfind('\\');
  if (open != std::string::npos && escaped.find('}', open) == std::string::npos) {
    escaped.resize(open);
  }
  return escaped.append(kCut);
}

/// Whether an UPDATE leaves the policies as they were: what stands there already, by its last good
/// text, is not refused again when somebody writes a label, or belay its status.
bool policies_unchanged(const admission::Review& review) {
  if (review.operation != admission::Operation::kUpdate ||
      review.data.size() != review.old_data.size()) {
    return false;
  }
  // Thousands of keys may stand in another order; none stands twice.
  std::unordered_map<std::string_view, std::string_view> before;
  before.reserve(review.old_data.size());
  for (const policy::Label& entry : review.old_data) before.emplace(entry.key, entry.value);
  return std::ranges::all_of(review.data, [&](const policy::Label& entry) {
    const auto found = before.find(entry.key);
    return found != before.end() && found->second == entry.value;
  });
}

bool holds_policies(const std::vector<policy::Label>& labels) {
  const std::string_view* value = policy::find_label(labels, kPolicyLabel);
  return value != nullptr && *value == "true";
}

/// Whether texts come with the request that were no policies in force before it.
bool brings_policies(const admission::Review& review) {
  const policy::Workload& object = review.workload;
  return review.operation != admission::Operation::kDelete && holds_policies(object.labels) &&
         !(holds_policies(object.old_labels) && policies_unchanged(review));
}

ConfigMapPolicies read_review(const admission::Review& review,
                              const std::vector<policy::Label>& data) {
  ConfigMapData texts;
  for (const policy::Label& entry : data) texts.emplace(entry.key, entry.value);
  return read_policy_config_map(review.workload.namespace_name, review.workload.name, texts);
}

std::string subject(const admission::Review& review) {
  return "ConfigMap " + shown(review.workload.display_name(), kMaxFieldBytes);
}

/// One line an error, with its cause.
struct Line {
  std::string text;
  admission::ConfigMapResponse::Cause cause;
};

std::vector<Line> lines_of(const std::vector<PolicyProblem>& problems) {
  std::vector<Line> lines;
  for (const PolicyProblem& problem : problems) {
    const std::string field = shown(problem.file, kMaxFieldBytes);
    if (problem.errors.empty()) {
      lines.push_back(
          {shown(problem.format(), kMaxLineBytes), {field, shown(problem.message, kMaxLineBytes)}});
    }
    for (const policy::PolicyError& error : problem.errors) {
      std::string message = "line " + std::to_string(error.position.line) + ", column " +
                            std::to_string(error.position.column) + ": ";
      if (!error.path.empty()) message.append(error.path).append(": ");
      message += error.message;
      lines.push_back({shown(error.format(problem.file), kMaxLineBytes),
                       {field, shown(message, kMaxLineBytes)}});
    }
  }
  return lines;
}

void refuse(const admission::Review& review, const std::vector<PolicyProblem>& problems,
            admission::ConfigMapResponse& answer) {
  auto lines = lines_of(problems);
  std::string& message = answer.refusal;
  message = subject(review) + ": " + std::to_string(lines.size()) +
            (lines.size() == 1 ? " problem" : " problems");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string rest = "\n  and " + std::to_string(lines.size() - i) + " more";
    const std::size_t reserved = i + 1 < lines.size() ? rest.size() : 0;
    if (message.size() + lines[i].text.size() + 3 + reserved > policy::kMaxMessageBytes) {
      message += rest;
      break;
    }
    message.append("\n  ").append(lines[i].text);
  }
  lines.resize(std::min(lines.size(), policy::kMaxCauses));
  for (Line& line : lines) answer.causes.push_back(std::move(line.cause));
}

void warn(admission::ConfigMapResponse& answer, std::string_view text) {
  if (answer.warnings.size() < policy::kMaxWarnings) {
    answer.warnings.push_back(shown(text, policy::kMaxWarningBytes));
  }
}

/// Tells of the policies that end with what becomes of the ConfigMap.
void warn_of_the_end(const admission::Review& review, std::string_view cause,
                     admission::ConfigMapResponse& answer) {
  for (const auto& [key, policy] : read_review(review, review.old_data).by_key) {
    std::string text = "policy \"" + policy.name + "\" no longer applies: ConfigMap ";
    warn(answer, text.append(review.workload.display_name()).append(" ").append(cause));
  }
}

}  // namespace

admission::ConfigMapResponse review_config_map(const admission::Review& review,
                                               std::chrono::year_month_day today,
                                               policy::Budget* budget) {
  admission::ConfigMapResponse answer;
  const policy::Workload& object = review.workload;
  const bool is_ours = holds_policies(object.labels) || holds_policies(object.old_labels);
  if (is_ours && budget != nullptr && budget->exhausted()) {
    if (brings_policies(review)) {
      answer.refusal = subject(review) +
                       ": another policy ConfigMap of this namespace took long to read; try again "
                       "in ten seconds";
    }
    return answer;
  }
  if (review.operation == admission::Operation::kDelete) {
    if (holds_policies(object.old_labels)) warn_of_the_end(review, "is deleted", answer);
  } else if (holds_policies(object.labels)) {
    const ConfigMapPolicies found = read_review(review, review.data);
    if (!found.problems.empty() && brings_policies(review)) {
      refuse(review, found.problems, answer);
      return answer;
    }
    for (const auto& [key, policy] : found.by_key) {
      for (const std::string& note : policy::policy_notes(policy, today)) {
        warn(answer, "policy \"" + policy.name + "\": " + note);
      }
    }
  } else if (holds_policies(object.old_labels)) {
    warn_of_the_end(review, "has lost the label belay.dev/policy: \"true\"", answer);
  }
  return answer;
}

}  // namespace belay::webhook::policies
