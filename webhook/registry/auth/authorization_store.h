// Authorization headers that a registry has asked for before, so that the next request carries
// one at once. Keyed by scope and credential identity; bounded. Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace belay::webhook::registry {

class AuthorizationStore {
 public:
  using Clock = std::chrono::steady_clock;
  using Key = std::pair<std::string, std::string>;  ///< scope, identity
  static constexpr std::size_t kMost = 1'000;

  std::optional<std::string> find(const Key& key, Clock::time_point now);
  void put(const Key& key, std::string header, Clock::time_point expiry);
  void forget(const Key& key);

 private:
  struct Entry {
    std::string header;
    Clock::time_point expiry;
  };
  std::mutex mutex_;
  std::map<Key, Entry> entries_;  ///< guarded by mutex_
};

}  // namespace belay::webhook::registry
