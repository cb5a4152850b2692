#include "webhook/registry/auth/authorization_store.h"

#include <algorithm>

namespace belay::webhook::registry {

std::optional<std::string> AuthorizationStore::find(const Key& key, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  if (found->second.expiry <= now) {
    entries_.erase(found);
    return std::nullopt;
  }
  return found->second.header;
}

void AuthorizationStore::put(const Key& key, std::string header, Clock::time_point expiry) {
  const std::lock_guard lock(mutex_);
  entries_[key] = {std::move(header), expiry};
  if (entries_.size() <= kMost) return;
  // What ends soonest is worth least.
  entries_.erase(std::ranges::min_element(entries_, {},
                                          [](const auto& entry) { return entry.second.expiry; }));
}

void AuthorizationStore::forget(const Key& key) {
  const std::lock_guard lock(mutex_);
  entries_.erase(key);
}

}  // namespace belay::webhook::registry
