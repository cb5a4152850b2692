// Answers as the API server wants them (apiserver/pkg/admission/plugin/webhook/request,
// admissionreview.go) and as kubectl shows them (errors/statuserror.go): a denial is a
// metav1.Status whose message and reason reach the user.
//
// A clean "allowed" is nearly every answer, so it is put together from two constant texts.
#include "webhook/admission/review_writer.h"

#include <algorithm>
#include <vector>

#include "policy/message.h"
#include "policy/policy.h"
#include "webhook/admission/json_out.h"
#include "webhook/admission/response_out.h"

namespace belay::webhook::admission {
namespace {

constexpr std::string_view kHead =
    R"({"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":")";
constexpr std::string_view kAllowedTail = R"(","allowed":true}})";

/// Whether a text needs no escaping inside a JSON string.
bool is_literal(std::string_view value) {
  return std::ranges::all_of(
      value, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; });
}

/// Appends `word` to a comma-separated list in which nothing stands twice.
void add_word(std::vector<std::string_view>& words, std::string_view word) {
  if (std::ranges::find(words, word) == words.end()) words.push_back(word);
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string out;
  for (const std::string_view word : words) {
    if (!out.empty()) out += ",";
    out += word;
  }
  return out;
}

/// Who decided, for the audit log. Keys come out as "<webhook>/policy"; each is a qualified name.
void write_audit_annotations(JsonOut& json, const policy::Verdict& verdict) {
  std::vector<std::string_view> policies, revisions, rules;
  for (const policy::Finding& finding : verdict.findings) {
    add_word(rules, policy::name_of(finding.rule));
    for (const policy::Policy* reporter : finding.policies) add_word(policies, reporter->name);
  }
  for (const policy::Policy* matched : verdict.policies) {
    const bool reports = std::ranges::find(policies, matched->name) != policies.end();
    if (verdict.undecided.empty() && !reports) continue;
    add_word(policies, matched->name);
    if (!matched->revision.empty()) add_word(revisions, matched->revision);
  }
  json.key("auditAnnotations");
  json.open_object();
  if (!policies.empty()) json.member("policy", joined(policies));
  if (!revisions.empty()) json.member("revision", joined(revisions));
  if (!rules.empty()) json.member("rules", joined(rules));
  if (!verdict.undecided.empty()) json.member("undecided", policy::escape(verdict.undecided));
  json.close_object();
}

void write_causes(JsonOut& json, const policy::Verdict& verdict) {
  json.key("causes");
  json.open_list();
  std::size_t written = 0;
  for (const policy::Finding& finding : verdict.findings) {
    if (finding.effective_mode() != policy::Mode::kEnforce) continue;
    if (written++ == policy::kMaxCauses) break;
    json.open_object();
    json.member("reason", policy::name_of(finding.rule));
    json.member("message", policy::finding_text(finding));
    json.member("field", policy::escape(finding.field));
    json.close_object();
  }
  json.close_list();
}

/// Denied: 403 Forbidden with its causes. Undecided: 503 ServiceUnavailable, which tells the two
/// apart for people and scripts; retryAfterSeconds makes clients come again by themselves, for what
/// could not be learned now (a namespace just created) may be known in a moment.
void write_status(JsonOut& json, const Review& review, const policy::Verdict& verdict) {
  const bool denied = verdict.decision() == policy::Decision::kDenied;
  json.key("status");
  json.open_object();
  json.member("status", "Failure");
  json.member("message", policy::denial_message(review.workload, verdict));
  json.member("reason", denied ? "Forbidden" : "ServiceUnavailable");
  json.key("details");
  json.open_object();
  if (!review.workload.name.empty()) json.member("name", review.workload.name);
  if (!review.kind.group.empty()) json.member("group", review.kind.group);
  json.member("kind", review.kind.kind);
  if (denied) {
    write_causes(json, verdict);
  } else {
    json.key("retryAfterSeconds");
    json.number(1);
  }
  json.close_object();
  json.key("code");
  json.number(denied ? 403 : 503);
  json.close_object();
}

}  // namespace

void write_allowed(std::string_view uid, std::string& out) {
  if (is_literal(uid)) {
    out.assign(kHead).append(uid).append(kAllowedTail);
    return;
  }
  out.assign(kHead.substr(0, kHead.size() - 1));
  JsonOut(out).text(uid);
  out.append(kAllowedTail.substr(1));
}

void write_review(const Review& review, const policy::Verdict& verdict, std::string& out) {
  const policy::Decision decision = verdict.decision();
  if (decision == policy::Decision::kAllowed && verdict.findings.empty()) {
    return write_allowed(review.uid, out);
  }
  out.clear();
  JsonOut json(out);
  open_response(json, review.uid, decision == policy::Decision::kAllowed);
  if (decision != policy::Decision::kAllowed) write_status(json, review, verdict);
  write_audit_annotations(json, verdict);
  write_warnings(json, policy::warnings(review.workload, verdict));
  close_response(json);
}

void write_config_map(const Review& review, const ConfigMapResponse& answer, std::string& out) {
  if (answer.refusal.empty() && answer.warnings.empty()) return write_allowed(review.uid, out);
  out.clear();
  JsonOut json(out);
  open_response(json, review.uid, answer.refusal.empty());
  if (!answer.refusal.empty()) {
    json.key("status");
    json.open_object();
    json.member("status", "Failure");
    json.member("message", answer.refusal);
    json.member("reason", "Invalid");
    json.key("details");
    json.open_object();
    if (!review.workload.name.empty()) json.member("name", review.workload.name);
    json.member("kind", review.kind.kind);
    json.key("causes");
    json.open_list();
    for (const ConfigMapResponse::Cause& cause : answer.causes) {
      json.open_object();
      json.member("reason", "policy");
      json.member("message", cause.message);
      json.member("field", cause.field);
      json.close_object();
    }
    json.close_list();
    json.close_object();
    json.key("code");
    json.number(422);
    json.close_object();
  }
  write_warnings(json, answer.warnings);
  close_response(json);
}

void write_error(std::string_view code, std::string_view message, std::string& out) {
  out.clear();
  JsonOut json(out);
  json.open_object();
  json.key("error");
  json.open_object();
  json.member("code", code);
  json.member("message", message);
  json.close_object();
  json.close_object();
}

}  // namespace belay::webhook::admission
