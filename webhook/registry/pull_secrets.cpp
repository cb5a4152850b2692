#include "webhook/registry/pull_secrets.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "policy/text/base64.h"
#include "webhook/registry/docker_config.h"
#include "webhook/registry/json_text.h"

namespace belay::webhook::registry {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxObject = std::size_t{4} << 20U;
constexpr std::size_t kMostSecrets = 32;  ///< that one pod may name

/// Types of pull secrets, and the key of each that holds the docker config.
constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
    {"kubernetes.io/dockerconfigjson", ".dockerconfigjson"},
    {"kubernetes.io/dockercfg", ".dockercfg"}};

std::string text_at(const json& object, std::initializer_list<std::string_view> path) {
  const json* at = &object;
  for (const std::string_view key : path) {
    if (!at->is_object()) return {};
    const auto found = at->find(key);
    if (found == at->end()) return {};
    at = &*found;
  }
  return at->is_string() ? at->get<std::string>() : std::string();
}

/// The credentials of one Secret; none where it is no pull secret or does not read.
Keyring keyring_of(std::string_view text, std::string_view namespace_name) {
  try {
    const json secret = parse_object(text, kMaxObject);
    const std::string type = text_at(secret, {"type"});
    for (const auto& [name, key] : kTypes) {
      if (type != name) continue;
      const auto config = policy::base64_decode(text_at(secret, {"data", key}));
      if (!config) return {};
      const std::string owner =
          fmt::format("{}/{}/{}", namespace_name, text_at(secret, {"metadata", "uid"}),
                      text_at(secret, {"metadata", "resourceVersion"}));
      auto keyring = read_docker_config(*config, owner);
      if (keyring) return std::move(*keyring);
    }
  } catch (const Fault&) {
    return {};  // what does not read gives nothing
  }
  return {};
}

/// spec.imagePullSecrets of a ServiceAccount stands beside its metadata.
std::vector<std::string> secrets_of_account(std::string_view text) {
  std::vector<std::string> names;
  try {
    const json account = parse_object(text, kMaxObject);
    const auto list = account.find("imagePullSecrets");
    if (list == account.end() || !list->is_array()) return names;
    for (const json& entry : *list) {
      std::string name = text_at(entry, {"name"});
      if (!name.empty() && names.size() < kMostSecrets) names.push_back(std::move(name));
    }
  } catch (const Fault&) {
    names.clear();  // what does not read names nothing
  }
  return names;
}

/// Whether a text can be an object's name: it goes into a path.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 253 && text != "." && text != ".." &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
         });
}

std::string identity_key_of(const admission::PullIdentity& identity) {
  std::string key = fmt::format("{}\n{}", identity.namespace_name, identity.service_account);
  for (const std::string_view name : identity.pull_secrets) key.append("\n").append(name);
  return key;
}

}  // namespace

class PullSecrets::Impl {
 public:
  using Shared = std::shared_ptr<const Keyring>;
  Impl(kube::Api& api, Clock::time_point (*now)()) : api_(api), now_(now) {}

  Shared known(const admission::PullIdentity& identity) {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find(identity_key_of(identity));
    return found != kept_.end() && now_() - found->second.read < kLife ? found->second.keyring
                                                                       : nullptr;
  }

  std::expected<Shared, std::string> read(const admission::PullIdentity& identity,
                                          Clock::time_point deadline) {
    if (Shared keyring = known(identity)) return keyring;
    const auto begin = now_();
    Keyring keyring;
    std::vector<std::string> names(identity.pull_secrets.begin(), identity.pull_secrets.end());
    const std::string account(identity.service_account.empty() ? "default"
                                                               : identity.service_account);
    const std::string ns(identity.namespace_name);
    auto text = get(ns, "serviceaccounts", account, deadline);
    if (!text) return std::unexpected(text.error());
    for (std::string& name : secrets_of_account(*text)) names.push_back(std::move(name));
    std::set<std::string> asked;
    for (const std::string& name : names) {
      if (asked.size() == kMostSecrets || !asked.insert(name).second) continue;
      text = get(ns, "secrets", name, deadline);
      if (!text) return std::unexpected(text.error());
      if (!text->empty()) keyring.add_all(keyring_of(*text, ns));
    }
    auto shared = std::make_shared<const Keyring>(std::move(keyring));
    keep(identity_key_of(identity), shared, begin);
    return shared;
  }

 private:
  struct Kept {
    Shared keyring;
    Clock::time_point read;
  };

  /// \return the object's text, "" where there is none
  std::expected<std::string, std::string> get(const std::string& ns, std::string_view kind,
                                              const std::string& name, Clock::time_point deadline) {
    if (!is_name(ns) || !is_name(name)) return std::string();
    const auto left = std::chrono::floor<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return std::unexpected("the pull secrets could not be read in time");
    auto text = api_.get(fmt::format("/api/v1/namespaces/{}/{}/{}", ns, kind, name), left);
    if (text) return std::move(*text);
    if (text.error().kind == kube::ApiError::Kind::kNotFound) return std::string();
    if (text.error().kind == kube::ApiError::Kind::kForbidden) {
      return std::unexpected("belay has no right to read pull secrets");
    }
    return std::unexpected("the pull secrets could not be read");
  }

  void keep(std::string key, Shared keyring, Clock::time_point read) {
    const std::lock_guard lock(mutex_);
    if (kept_.size() >= kMost) {
      std::erase_if(kept_, [&](const auto& entry) { return read - entry.second.read >= kLife; });
    }
    if (kept_.size() >= kMost) {
      kept_.erase(
          std::ranges::min_element(kept_, {}, [](const auto& entry) { return entry.second.read; }));
    }
    kept_.insert_or_assign(std::move(key), Kept{std::move(keyring), read});
  }

  kube::Api& api_;
  Clock::time_point (*const now_)();
  std::mutex mutex_;
  std::map<std::string, Kept> kept_;  ///< guarded by mutex_
};

PullSecrets::PullSecrets(kube::Api& api, Clock::time_point (*now)())
    : impl_(std::make_unique<Impl>(api, now)) {}
PullSecrets::~PullSecrets() = default;
std::shared_ptr<const Keyring> PullSecrets::known(const admission::PullIdentity& identity) const {
  return impl_->known(identity);
}
std::expected<std::shared_ptr<const Keyring>, std::string> PullSecrets::read(
    const admission::PullIdentity& identity, Clock::time_point deadline) {
  return impl_->read(identity, deadline);
}

}  // namespace belay::webhook::registry
