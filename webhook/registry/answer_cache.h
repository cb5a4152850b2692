// A bounded cache of what registries said, with the time at which they did: who reads it decides
// whether that is fresh enough. Least recently used entries go first. Thread-safe; a lock for each
// shard, held for a look-up.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace belay::webhook::registry {

/// The key of an answer: what one credential learned is kept from every other.
/// \param identity  of the credential
/// \param what  a tag, a digest, …: neither it nor the others hold a line's end
inline std::string cache_key(std::string_view identity, std::string_view registry,
                             std::string_view repository, std::string_view what) {
  std::string key;
  key.reserve(identity.size() + registry.size() + repository.size() + what.size() + 3);
  key.append(identity).append(1, '\n').append(registry).append(1, '\n');
  return key.append(repository).append(1, '\n').append(what);
}

/// \tparam kShards  fewer where one value may be large: each holds an even share of all bytes
template <class Value, std::size_t kShards = 16>
class AnswerCache {
 public:
  using Clock = std::chrono::steady_clock;
  struct Found {
    Value value;
    Clock::time_point said;
  };

  AnswerCache(std::size_t max_bytes, std::size_t max_entries)
      : max_bytes_(max_bytes / kShards), max_entries_(std::max(max_entries / kShards, kLeast)) {}

  std::optional<Found> find(std::string_view key) {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    const auto at = shard.index.find(key);
    if (at == shard.index.end()) return std::nullopt;
    shard.entries.splice(shard.entries.begin(), shard.entries, at->second);
    return Found{at->second->value, at->second->said};
  }

  /// \param bytes  what the value holds, beside the key
  void put(std::string key, Value value, std::size_t bytes, Clock::time_point said) {
    const std::size_t size = kOverhead + 2 * key.size() + bytes;
    if (size > max_bytes_) return;
    Shard& shard = shard_of(key);
    Entries removed;  // freed behind the lock: reactors look here
    const std::lock_guard lock(shard.mutex);
    if (const auto at = shard.index.find(key); at != shard.index.end()) {
      remove(shard, at->second, removed);
    }
    while (shard.bytes + size > max_bytes_ || shard.entries.size() >= max_entries_) {
      remove(shard, std::prev(shard.entries.end()), removed);
      evicted_.fetch_add(1, std::memory_order_relaxed);
    }
    shard.entries.push_front({std::move(key), std::move(value), said, size});
    shard.index.emplace(shard.entries.front().key, shard.entries.begin());
    shard.bytes += size;
  }

  std::size_t size() const {
    return sum([](const Shard& shard) { return shard.entries.size(); });
  }
  std::size_t bytes() const {
    return sum([](const Shard& shard) { return shard.bytes; });
  }
  std::uint64_t evicted() const { return evicted_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kLeast = 1;
  static constexpr std::size_t kOverhead = 256;  ///< of an entry: nodes, buckets, strings

  struct Entry {
    std::string key;
    Value value;
    Clock::time_point said;
    std::size_t size;
  };
  using Entries = std::list<Entry>;
  struct Shard {
    mutable std::mutex mutex;
    Entries entries;  ///< latest use first; guarded by mutex, as all below
    std::unordered_map<std::string_view, typename Entries::iterator> index;
    std::size_t bytes = 0;
  };

  static void remove(Shard& shard, typename Entries::iterator entry, Entries& removed) {
    shard.bytes -= entry->size;
    shard.index.erase(entry->key);
    removed.splice(removed.begin(), shard.entries, entry);
  }
  Shard& shard_of(std::string_view key) {
    return shards_.at(std::hash<std::string_view>()(key) % kShards);
  }
  template <class Of>
  std::size_t sum(const Of& of) const {
    std::size_t total = 0;
    for (const Shard& shard : shards_) {
      const std::lock_guard lock(shard.mutex);
      total += of(shard);
    }
    return total;
  }

  const std::size_t max_bytes_;    ///< of a shard
  const std::size_t max_entries_;  ///< of a shard
  std::array<Shard, kShards> shards_;
  std::atomic<std::uint64_t> evicted_{0};
};

}  // namespace belay::webhook::registry
