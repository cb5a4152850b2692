#include "webhook/registry/registry_files.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <expected>
#include <optional>
#include <system_error>
#include <utility>

#include "certs/digest.h"
#include "webhook/registry/docker_config.h"
#include "webhook/system/file.h"

namespace belay::webhook::registry {
namespace {

std::expected<std::string, std::string> read_text(const std::string& path) {
  auto text = read_file(AT_FDCWD, path, kMaxRegistryFile);
  if (text) return std::move(*text);
  if (text.error() == EFBIG) return std::unexpected(fmt::format("{}: is larger than 1 MiB", path));
  return std::unexpected(
      fmt::format("{}: {}", path, std::generic_category().message(text.error())));
}

}  // namespace

RegistryFiles read_registry_files(const std::string& registries_file,
                                  const std::vector<std::string>& docker_config_files) {
  RegistryFiles files;
  std::string all;
  const auto read = [&](const std::string& path) -> std::optional<std::string> {
    auto text = read_text(path);
    all += fmt::format("{}\n{}\n", path, text ? *text : text.error());
    if (text) return std::move(*text);
    files.problems.push_back(text.error());
    return std::nullopt;
  };
  if (!registries_file.empty()) {
    if (const auto text = read(registries_file)) {
      auto registries = read_registries(*text, registries_file, &read_text);
      if (registries) {
        files.registries = std::move(*registries);
        for (const Registry& registry : files.registries.list) {
          for (const Endpoint& endpoint : registry.endpoints) {
            all += endpoint.ca_pem + endpoint.client_cert_pem + endpoint.client_key_pem;
          }
        }
      } else {
        for (std::string& problem : registries.error())
          files.problems.push_back(std::move(problem));
      }
    }
  }
  for (const std::string& path : docker_config_files) {
    const auto text = read(path);
    if (!text) continue;
    auto keyring = read_docker_config(*text, "file");
    if (keyring) {
      files.keyring.add_all(*keyring);
    } else {
      files.problems.push_back(fmt::format("{}: {}", path, keyring.error()));
    }
  }
  for (const std::string& problem : files.problems) all += problem;
  files.revision = certs::sha256_hex(all);
  return files;
}

}  // namespace belay::webhook::registry
