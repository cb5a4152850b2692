// The JSON of a Lease. Nothing of nlohmann leaves this file.
#include "webhook/kube/lease_record.h"

#include <nlohmann/json.hpp>

namespace belay::webhook::kube {
namespace {

using nlohmann::json;

std::string text_or_empty(const json& spec, const char* key) {
  const auto found = spec.find(key);
  return found != spec.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int number_of(const json& spec, const char* key) {
  const auto found = spec.find(key);
  return found != spec.end() && found->is_number_integer() ? found->get<int>() : 0;
}

}  // namespace

std::expected<LeaseRecord, std::string> read_lease(std::string_view text) {
  const json lease = json::parse(text, nullptr, false);
  if (!lease.is_object() || lease.value("kind", json()) != "Lease") {
    return std::unexpected("the API server's response is not a Lease");
  }
  LeaseRecord record;
  const auto spec = lease.find("spec");
  if (spec == lease.end() || !spec->is_object()) return record;  // as the chart ships it
  record.holder = text_or_empty(*spec, "holderIdentity");
  record.duration = std::chrono::seconds(number_of(*spec, "leaseDurationSeconds"));
  record.acquire_time = text_or_empty(*spec, "acquireTime");
  record.renew_time = text_or_empty(*spec, "renewTime");
  record.transitions = number_of(*spec, "leaseTransitions");
  return record;
}

std::string write_lease(std::string_view text, std::string_view namespace_name,
                        std::string_view name, const LeaseRecord& record) {
  json lease = text.empty() ? json::object() : json::parse(text, nullptr, false);
  if (!lease.is_object()) lease = json::object();
  if (text.empty()) {
    lease = {{"apiVersion", "coordination.k8s.io/v1"},
             {"kind", "Lease"},
             {"metadata", {{"name", name}, {"namespace", namespace_name}}}};
  }
  json& spec = lease["spec"];
  if (!spec.is_object()) spec = json::object();
  spec["holderIdentity"] = record.holder;
  spec["leaseDurationSeconds"] = record.duration.count();
  spec["acquireTime"] = record.acquire_time;
  spec["renewTime"] = record.renew_time;
  spec["leaseTransitions"] = record.transitions;
  return lease.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace belay::webhook::kube
