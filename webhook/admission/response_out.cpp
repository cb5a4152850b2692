#include "webhook/admission/response_out.h"

namespace belay::webhook::admission {

void open_response(JsonOut& json, std::string_view uid, bool allowed) {
  json.raw(R"({"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":)");
  json.text(uid);
  json.key("allowed");
  json.boolean(allowed);
}

void close_response(JsonOut& json) {
  json.close_object();
  json.close_object();
}

void write_warnings(JsonOut& json, std::span<const std::string> warnings) {
  if (warnings.empty()) return;
  json.key("warnings");
  json.open_list();
  for (const std::string& warning : warnings) json.text(warning);
  json.close_list();
}

void write_patch(JsonOut& json, std::string_view base64) {
  json.member("patchType", "JSONPatch");
  json.key("patch");
  json.literal(base64);
}

}  // namespace belay::webhook::admission
