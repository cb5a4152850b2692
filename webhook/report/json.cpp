// Findings for programs: one JSON object with every finding, error and the figures of the summary.
// Texts stand as the user wrote them, JSON-escaped.
#include <nlohmann/json.hpp>
#include <ostream>

#include "policy/fix_text.h"
#include "policy/policy.h"
#include "webhook/report/report.h"

namespace belay::webhook::report {
namespace {

using Json = nlohmann::ordered_json;

Json place_json(const Place& place) {
  return {{"file", place.file}, {"line", place.line}, {"column", place.column}};
}

Json finding_json(const PlacedFinding& placed) {
  const policy::Finding& finding = placed.finding;
  Json out = place_json(placed.place);
  out["rule"] = policy::name_of(finding.rule);
  out["mode"] = policy::name_of(finding.effective_mode());
  out["kind"] = placed.kind;
  out["namespace"] = placed.ns;
  out["name"] = placed.name;
  out["field"] = finding.field;
  out["container"] = finding.container.empty() ? Json(nullptr) : Json(finding.container);
  out["value"] = finding.has_value ? Json(finding.value) : Json(nullptr);
  out["message"] = finding.problem;
  out["fix"] = policy::fix_text(finding);
  out["policies"] = Json::array();
  for (const policy::Policy* policy : finding.policies) out["policies"].push_back(policy->name);
  return out;
}

}  // namespace

void print_json(const Report& report, bool /*color*/, std::ostream& out) {
  Json root = {{"objects", report.objects},
               {"findings", Json::array()},
               {"errors", Json::array()},
               {"summary",
                {{"files", report.files},
                 {"objects", report.objects},
                 {"evaluated", report.evaluated},
                 {"unmatched", report.unmatched},
                 {"passedOver", report.passed_over},
                 {"enforce", report.count(policy::Mode::kEnforce)},
                 {"warn", report.count(policy::Mode::kWarn)},
                 {"audit", report.count(policy::Mode::kAudit)},
                 {"errors", report.errors.size()}}}};
  for (const PlacedFinding& placed : report.findings) {
    root["findings"].push_back(finding_json(placed));
  }
  for (const InputError& error : report.errors) {
    Json entry = place_json(error.place);
    entry["message"] = error.message;
    root["errors"].push_back(std::move(entry));
  }
  // A file's name may be anything; what is not UTF-8 in it is replaced.
  out << root.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace belay::webhook::report
