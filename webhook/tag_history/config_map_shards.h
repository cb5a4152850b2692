// The tag history in ConfigMaps, one by one: which ConfigMap a repository belongs to, what one
// says, and how it is changed without losing another writer's lines. Used by the replicas
// (config_map_store.h) and by `belay tag-history`. Stateless; thread-safe.
//
// Rights that this needs, in belay's own namespace: configmaps get, list, watch, create, patch.
// `belay tag-history list` needs list, `belay tag-history clear` list, get and patch.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/kube/api.h"
#include "webhook/kube/object.h"
#include "webhook/tag_history/tag_record.h"

namespace belay::webhook::tag_history {

inline constexpr std::string_view kTagHistoryLabel =
    "belay.dev/tag-history";                             ///< its value is "true"
inline constexpr std::string_view kRecordsKey = "tags";  ///< of `data`
inline constexpr std::size_t kShards = 16;
/// Bytes of text in one ConfigMap, of the mebibyte that the API server takes: about 6,000 tags.
inline constexpr std::size_t kMaxShardBytes = std::size_t{900} << 10U;
inline constexpr std::size_t kShardPage = 4;  ///< ConfigMaps of a list's page: each up to a MiB

/// The first hex digit of the repository's SHA-256.
std::size_t shard_of(std::string_view repository);
/// "belay-tag-history-3".
std::string shard_name(std::size_t shard);

/// What one ConfigMap says.
struct Shard {
  std::string name, uid;
  std::string resource_version;  ///< "" where there is no such ConfigMap
  RecordMap entries;
  std::vector<std::string> problems;  ///< of invalid lines
};
Shard read_shard(const kube::Object& config_map);

/// Every ConfigMap with the label.
std::expected<std::vector<Shard>, kube::ApiError> list_shards(kube::Api& api,
                                                              const std::string& namespace_name,
                                                              std::chrono::milliseconds deadline);

/// Changes one: `change` gets the entries and returns whether they are to be written. What is
/// written is held against the resource version that was read; where another writer was first, it
/// is read again and `change` is called again, a few times. One that is not there is made.
/// \param known     as it was last read; it need not be the latest
/// \param deadline  of each request
/// \return what it says now; kConflict where others were always first
std::expected<Shard, kube::ApiError> change_shard(kube::Api& api, const std::string& namespace_name,
                                                  Shard known,
                                                  const std::function<bool(RecordMap&)>& change,
                                                  std::chrono::milliseconds deadline);

}  // namespace belay::webhook::tag_history
