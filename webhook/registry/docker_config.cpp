#include "webhook/registry/docker_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "certs/digest.h"
#include "policy/text/ascii.h"
#include "policy/text/base64.h"
#include "webhook/registry/json_text.h"

namespace belay::webhook::registry {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxConfig = std::size_t{1} << 20U;
constexpr std::size_t kMaxEntries = 1'000;
/// Names under which Docker's tools have kept credentials for Docker Hub.
constexpr std::string_view kDockerHubHosts[] = {"index.docker.io", "docker.io",
                                                "registry-1.docker.io"};

/// "https://registry.corp:5000/v2/team" -> host "registry.corp:5000", path "team" (Kubernetes'
/// DockerConfigKeyring.Add: a scheme goes, and so does the API's version in front of a path).
std::pair<std::string, std::string> place_of(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  }
  const std::size_t slash = std::min(key.find('/'), key.size());
  std::string host = policy::lower_case(key.substr(0, slash));
  if (std::ranges::find(kDockerHubHosts, host) != std::end(kDockerHubHosts)) host = "docker.io";
  std::string_view path = key.substr(slash);
  for (const std::string_view version : {"/v1/", "/v2/"}) {
    if (path.starts_with(version)) {
      path.remove_prefix(version.size() - 1);
      break;
    }
  }
  if (path == "/v1" || path == "/v2") path = {};
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return {std::move(host), std::string(path)};
}

std::string member_text(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_string()) throw Fault{std::string(key) + " of an entry is not a string"};
  return found->get<std::string>();
}

Credential credential_of(const json& entry) {
  Credential credential;
  credential.username = member_text(entry, "username");
  credential.password = member_text(entry, "password");
  credential.identity_token = member_text(entry, "identitytoken");
  credential.registry_token = member_text(entry, "registrytoken");
  // It goes into a header as it is.
  if (!std::ranges::all_of(credential.registry_token,
                           [](char c) { return c > ' ' && c < '\x7f'; })) {
    throw Fault{"registrytoken of an entry contains invalid characters"};
  }
  const std::string auth = member_text(entry, "auth");
  if (auth.empty()) return credential;
  std::string padded = auth;
  while (padded.size() % 4 != 0) padded += '=';  // some writers leave it out
  const auto pair = policy::base64_decode(padded);
  if (!pair) throw Fault{"auth of an entry is not base64"};
  const std::size_t colon = pair->find(':');
  if (colon == std::string::npos) throw Fault{"auth of an entry is not user:password"};
  credential.username = pair->substr(0, colon);
  credential.password = pair->substr(colon + 1);
  while (credential.password.ends_with('\0')) credential.password.pop_back();
  return credential;
}

std::string identity_of(const KeyringEntry& entry, std::string_view owner) {
  std::string all(owner);
  for (const std::string* part :
       {&entry.host, &entry.path, &entry.credential.username, &entry.credential.password,
        &entry.credential.identity_token, &entry.credential.registry_token}) {
    all.append(1, '\0').append(std::to_string(part->size())).append(1, ':').append(*part);
  }
  return certs::sha256_hex(all);
}

Keyring keyring_of_config(const json& root, std::string_view owner) {
  const auto found = root.find("auths");
  const bool older = found == root.end() && !root.contains("credsStore") &&
                     !root.contains("credHelpers") && !root.contains("HttpHeaders");
  const json& auths = older ? root : (found == root.end() ? json::object() : *found);
  if (!auths.is_object()) throw Fault{"auths is not an object"};
  if (auths.size() > kMaxEntries) throw Fault{"it contains more than 1,000 entries"};
  Keyring keyring;
  for (const auto& [key, value] : auths.items()) {
    if (!value.is_object()) throw Fault{"an entry of auths is not an object"};
    auto [host, path] = place_of(key);
    if (host.empty()) throw Fault{"a key of auths is not a registry"};
    KeyringEntry entry{
        .host = std::move(host), .path = std::move(path), .credential = credential_of(value)};
    const Credential& one = entry.credential;
    if (one.username.empty() && one.identity_token.empty() && one.registry_token.empty()) continue;
    entry.credential.identity = identity_of(entry, owner);
    keyring.add(std::move(entry));
  }
  return keyring;
}

}  // namespace

std::expected<Keyring, std::string> read_docker_config(std::string_view text,
                                                       std::string_view owner) {
  try {
    return keyring_of_config(parse_object(text, kMaxConfig), owner);
  } catch (const Fault& fault) {
    return std::unexpected(fault.message);
  }
}

}  // namespace belay::webhook::registry
