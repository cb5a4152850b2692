#include "webhook/certificates/ca_bundle.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "policy/text/base64.h"

namespace belay::webhook::certificates {
namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

std::expected<CaBundles, std::string> read_ca_bundles(std::string_view configuration_json) {
  const json configuration = json::parse(configuration_json, nullptr, false);
  if (!configuration.is_object() || !configuration.contains("metadata")) {
    return std::unexpected("the API server's response is not a webhook configuration");
  }
  CaBundles result;
  result.resource_version = text_of(configuration.at("metadata"), "resourceVersion");
  const auto webhooks = configuration.find("webhooks");
  if (webhooks == configuration.end() || !webhooks->is_array()) return result;
  for (const json& webhook : *webhooks) {
    const json client =
        webhook.is_object() ? webhook.value("clientConfig", json::object()) : json::object();
    result.bundles.push_back(policy::base64_decode(text_of(client, "caBundle")).value_or(""));
  }
  return result;
}

std::optional<std::string> ca_bundle_patch(const CaBundles& read, std::string_view bundle) {
  json patch = json::array(
      {{{"op", "test"}, {"path", "/metadata/resourceVersion"}, {"value", read.resource_version}}});
  for (std::size_t i = 0; i < read.bundles.size(); ++i) {
    if (read.bundles[i] == bundle) continue;
    patch.push_back({{"op", "add"},
                     {"path", fmt::format("/webhooks/{}/clientConfig/caBundle", i)},
                     {"value", policy::base64_encode(bundle)}});
  }
  if (patch.size() == 1) return std::nullopt;
  return patch.dump();
}

}  // namespace belay::webhook::certificates
