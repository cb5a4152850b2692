// The tag history in ConfigMaps belay-tag-history-<hex> of belay's own namespace, shared by all
// replicas: each reads what the others wrote from a watch, and writes what its requests saw.
//
// - A write names the resource version that it builds on. Where another replica was first, its
//   ConfigMap is read again and both are put together.
// - What is removed (`belay tag-history clear`, `kubectl edit`, a deleted ConfigMap) is forgotten
// by
//   all replicas.
// - Before the first list nothing was read, and first() says that nothing can be said yet.
//
// Rights in the own namespace: configmaps get, list, watch, create, patch.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <expected>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/kube/api.h"
#include "webhook/kube/watch.h"
#include "webhook/tag_history/config_map_shards.h"
#include "webhook/tag_history/store.h"

namespace belay::webhook::tag_history {

struct ConfigMapStoreOptions {
  std::string own_namespace;
  std::size_t max_shard_bytes = kMaxShardBytes;  ///< text in one ConfigMap
  std::chrono::milliseconds deadline{5'000};     ///< of each request
};

/// The watch that feeds the store, without deadlines of its own.
kube::WatchOptions tag_history_watch(const std::string& own_namespace);

/// Thread-safe once it is open; a watch that feeds it starts after that, and ends before the
/// reader.
class ConfigMapStore final : public Store, public kube::WatchSink {
 public:
  /// \param api  outlives this
  ConfigMapStore(kube::Api& api, ConfigMapStoreOptions options);

  StoreShape shape() const override;
  std::size_t shard_of(std::string_view repository) const override;
  std::string place() const override;
  std::string place(std::size_t shard) const override;
  std::expected<void, std::string> open(StoreReader& reader) override;
  std::optional<StoreFailure> change(std::size_t shard, const Change& change, bool ending) override;

  void replaced(std::vector<kube::Object> objects) override;
  void changed(kube::Object object) override;
  void deleted(const kube::Object& object) override;

 private:
  /// A ConfigMap as it was last heard of.
  struct Known {
    std::string uid = {}, resource_version = {};
    StoreReader::Entries entries = std::make_shared<const RecordMap>();
    std::vector<std::string> problems = {};
  };

  std::string place_named(std::string_view config_map) const;
  void take(std::size_t shard, Shard read, bool whatever_came_before = false);

  kube::Api& api_;
  const ConfigMapStoreOptions options_;
  StoreReader* reader_ = nullptr;
  std::mutex mutex_;  ///< never held while anybody is asked
  std::array<Known, kShards> known_;
};

}  // namespace belay::webhook::tag_history
