// Which credential is for which repository. Pure.
#include "webhook/registry/credentials.h"

#include <algorithm>
#include <utility>

#include "policy/selector.h"
#include "policy/text/ascii.h"

namespace belay::webhook::registry {
namespace {

/// "host" and "port" of "host:port"; a bracketed address keeps its colons.
std::pair<std::string_view, std::string_view> split_port(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos || authority.ends_with(']')) return {authority, {}};
  return {authority.substr(0, colon), authority.substr(colon + 1)};
}

bool has_wildcard(std::string_view text) {
  return text.find_first_of("*?") != std::string_view::npos;
}

/// Label by label, so that "*" never takes a dot (pkg/credentialprovider/keyring.go: URLsMatch).
bool labels_match(std::string_view pattern, std::string_view host) {
  while (true) {
    const std::size_t pattern_end = std::min(pattern.find('.'), pattern.size());
    const std::size_t host_end = std::min(host.find('.'), host.size());
    const auto glob = policy::Glob::compile(pattern.substr(0, pattern_end));
    if (!glob || !glob->matches(host.substr(0, host_end))) return false;
    const bool last = pattern_end == pattern.size();
    if (last || host_end == host.size()) return last && host_end == host.size();
    pattern.remove_prefix(pattern_end + 1);
    host.remove_prefix(host_end + 1);
  }
}

bool host_matches(std::string_view pattern, std::string_view host) {
  if (!has_wildcard(pattern)) return pattern == host;
  const auto [pattern_host, pattern_port] = split_port(pattern);
  const auto [name, port] = split_port(host);
  return pattern_port == port && labels_match(pattern_host, name);
}

/// Whether the path is the repository or leads whole segments of it.
bool path_matches(std::string_view path, std::string_view repository) {
  if (path.empty()) return true;
  return repository.starts_with(path) &&
         (repository.size() == path.size() || repository[path.size()] == '/');
}

}  // namespace

const Credential& anonymous() {
  static const Credential kAnonymous;
  return kAnonymous;
}

void Keyring::add(KeyringEntry entry) {
  const auto place = std::ranges::find_if(entries_, [&](const KeyringEntry& other) {
    const bool exact = !has_wildcard(other.host);
    const bool our_exact = !has_wildcard(entry.host);
    if (exact != our_exact) return our_exact;
    return other.path.size() < entry.path.size();
  });
  entries_.insert(place, std::move(entry));
}

void Keyring::add_all(const Keyring& other) {
  for (const KeyringEntry& entry : other.entries_) add(entry);
}

std::vector<Credential> Keyring::find(std::string_view host, std::string_view repository) const {
  std::vector<Credential> found;
  if (entries_.empty()) return found;
  const std::string wanted = policy::lower_case(host);
  for (const KeyringEntry& entry : entries_) {
    if (!host_matches(entry.host, wanted) || !path_matches(entry.path, repository)) continue;
    const auto same = [&](const Credential& one) {
      return one.identity == entry.credential.identity;
    };
    if (std::ranges::none_of(found, same)) found.push_back(entry.credential);
  }
  return found;
}

}  // namespace belay::webhook::registry
