// Any text -> the files that say what belay may ask: registries, and docker configs.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "webhook/registry/docker_config.h"
#include "webhook/registry/registries.h"
#include "webhook/registry/url.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::expected<std::string, std::string> no_file(const std::string& path) {
  if (path == "ca.pem") return "-----BEGIN CERTIFICATE-----";
  return std::unexpected("there is no such file");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belay::webhook::registry;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto registries = read_registries(text, "r", &no_file)) {
    for (const Registry& registry : registries->list) {
      require(registries->find(registry.host) == &registry);
      require(!registry.endpoints.empty());
      for (const Endpoint& endpoint : registry.endpoints) {
        const auto url = parse_url(endpoint.url);
        require(url && url->query.empty() && url->text() == endpoint.url);
        for (const auto& host : endpoint.token_hosts)
          require(parse_url("https://" + host).has_value());
        for (const auto& host : endpoint.blob_hosts)
          require(parse_url("https://" + host).has_value());
      }
    }
  } else {
    require(!registries.error().empty());
  }
  if (const auto keyring = read_docker_config(text, "file")) {
    for (const auto* const host : {"reg.corp", "docker.io", "a.reg.corp:5000", "[::1]"}) {
      for (const Credential& credential : keyring->find(host, "shop/web")) {
        require(credential.identity.size() == 64);
        require(credential.registry_token.find_first_of("\r\n ") == std::string::npos);
      }
    }
  } else {
    require(!keyring.error().empty());
  }
  return 0;
}
