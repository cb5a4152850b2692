// The memory of tags in ConfigMaps, one by one: which ConfigMap a repository belongs to, what one
// says, and how it is changed without losing another writer's lines. Used by the replicas
// (sighting_maps.h) and by `belay tag-history`. Stateless; thread-safe.
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
#include "webhook/tag_history/sighting_text.h"

namespace belay::webhook::tag_history {

inline constexpr std::string_view kSightingsLabel =
    "belay.dev/tag-history";                               ///< its value is "true"
inline constexpr std::string_view kSightingsKey = "tags";  ///< of `data`
inline constexpr std::size_t kSightingShards = 16;
/// Bytes of text in one ConfigMap, of the mebibyte that the API server takes: about 6,000 tags.
inline constexpr std::size_t kMaxSightingShard = std::size_t{900} << 10U;
inline constexpr std::size_t kShardPage = 4;  ///< ConfigMaps of a list's page: each up to a MiB

/// The first hex digit of the repository's SHA-256.
std::size_t sighting_shard_of(std::string_view repository);
/// "belay-tag-history-3".
std::string sighting_shard_name(std::size_t shard);

/// What one ConfigMap says.
struct SightingShard {
  std::string name, uid;
  std::string resource_version;  ///< "" where there is no such ConfigMap
  SightingMap entries;
  std::vector<std::string> problems;  ///< of lines that don't read
};
SightingShard read_sighting_shard(const kube::Object& config_map);

/// Every ConfigMap with the label.
std::expected<std::vector<SightingShard>, kube::ApiError> list_sighting_shards(
    kube::Api& api, const std::string& namespace_name, std::chrono::milliseconds deadline);

/// Changes one: `change` gets the entries and returns whether they are to be written. What is
/// written is held against the resource version that was read; where another writer was first, it
/// is read again and `change` is called again, a few times. One that is not there is made.
/// \param known     as it was last read; it need not be the latest
/// \param deadline  of each request
/// \return what it says now; kConflict where others were always first
std::expected<SightingShard, kube::ApiError> change_sighting_shard(
    kube::Api& api, const std::string& namespace_name, SightingShard known,
    const std::function<bool(SightingMap&)>& change, std::chrono::milliseconds deadline);

}  // namespace belay::webhook::tag_history
