#include "webhook/certificates/certificate_secret.h"

#include <array>
#include <nlohmann/json.hpp>

#include "policy/text/base64.h"

namespace belay::webhook::certificates {
namespace {

using nlohmann::json;

struct Field {
  std::string_view key;
  std::string certs::Holding::* text;
  bool required_by_type = false;  ///< of kubernetes.io/tls
};

constexpr std::array<Field, 7> kFields{{
    {kLeafKey, &certs::Holding::certificate, true},
    {"tls.key", &certs::Holding::key, true},
    {kAuthoritiesKey, &certs::Holding::authorities},
    {"ca.key", &certs::Holding::authority_key},
    {"next-ca.crt", &certs::Holding::next_authority},
    {"next-ca.key", &certs::Holding::next_authority_key},
    {"renew", &certs::Holding::renew},
}};

}  // namespace

certs::Holding holding_of(const kube::Object& secret) {
  certs::Holding holding;
  for (const Field& field : kFields) {
    if (const auto found = secret.data.find(field.key); found != secret.data.end()) {
      holding.*field.text = found->second;
    }
  }
  return holding;
}

std::expected<std::string, std::string> with_holding(std::string_view secret_json,
                                                     const certs::Holding& holding) {
  json secret = json::parse(secret_json, nullptr, false);
  if (!secret.is_object()) return std::unexpected("the Secret is not a JSON object");
  json& data = secret["data"];
  if (!data.is_object()) data = json::object();
  const auto type = secret.find("type");
  const bool is_tls = type != secret.end() && *type == "kubernetes.io/tls";
  for (const Field& field : kFields) {
    const std::string key(field.key);
    if (const std::string& text = holding.*field.text;
        !text.empty() || (is_tls && field.required_by_type)) {
      data[key] = policy::base64_encode(text);
    } else {
      data.erase(key);
    }
  }
  return secret.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string new_secret(std::string_view namespace_name, std::string_view name,
                       const certs::Holding& holding) {
  json data = json::object();
  for (const Field& field : kFields) {
    if (const std::string& text = holding.*field.text; !text.empty()) {
      data[std::string(field.key)] = policy::base64_encode(text);
    }
  }
  // Opaque: between two steps there may be no certificate, which kubernetes.io/tls must have.
  const json secret{{"apiVersion", "v1"},
                    {"kind", "Secret"},
                    {"type", "Opaque"},
                    {"metadata",
                     {{"name", name},
                      {"namespace", namespace_name},
                      {"labels", {{"app.kubernetes.io/name", "belay"}}}}},
                    {"data", std::move(data)}};
  return secret.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace belay::webhook::certificates
