// belay's memory of tags in ConfigMaps belay-tag-history-<hex> of its own namespace, shared by all
// replicas: each reads what the others wrote from the watch, and one thread of each writes what its
// requests saw, a little later and many at once.
//
// - A write names the resource version that it builds on. Where another replica was first, its
//   ConfigMap is read again and both are put together; of two sightings the older one stays.
// - What is removed (`belay tag-history clear`, `kubectl edit`, a deleted ConfigMap) is forgotten
// by all
//   replicas. Nothing is written back from memory: only what was seen and never written yet.
// - While the API server is away, sightings count here and wait; first() goes on with what was read
//   last. Before the first list, first() says that nothing can be said yet.
// - A ConfigMap that is full forgets its oldest tags, and the report tells.
//
// Rights in the own namespace: configmaps get, list, watch, create, patch.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "webhook/kube/api.h"
#include "webhook/kube/watch.h"
#include "webhook/registry/sightings.h"
#include "webhook/tag_history/sighting_shards.h"

namespace belay::webhook::tag_history {

struct SightingMapsOptions {
  std::string own_namespace;
  std::size_t max_shard_bytes = kMaxSightingShard;  ///< text in one ConfigMap
  std::size_t max_waiting = 10'000;  ///< that wait to be written; further ones are not remembered
  std::chrono::milliseconds batch{1'000};     ///< that a sighting waits for others to come along …
  std::size_t batch_size = 100;               ///< … or until so many wait
  std::chrono::milliseconds deadline{5'000};  ///< of each request
  std::chrono::milliseconds backoff_min{1'000};  ///< doubled with each failure in a row
  std::chrono::milliseconds backoff_max{30'000};
};

/// The watch that feeds it, without deadlines of its own.
kube::WatchOptions watch_of_sightings(const std::string& own_namespace);

/// The functions of Sightings and stop() are thread-safe; those of WatchSink belong to the watch.
class SightingMaps final : public kube::WatchSink, public registry::Sightings {
 public:
  /// \param api     outlives this
  /// \param report  told of broken lines, of what was forgotten and of what could not be written
  SightingMaps(kube::Api& api, SightingMapsOptions options, registry::SightingsReport report);
  ~SightingMaps() override;  ///< stops
  SightingMaps(const SightingMaps&) = delete;
  SightingMaps& operator=(const SightingMaps&) = delete;

  void replaced(std::vector<kube::Object> objects) override;
  void changed(kube::Object object) override;
  void deleted(const kube::Object& object) override;

  std::expected<std::optional<policy::TagRecord>, std::string> first(
      std::string_view repository, std::string_view tag) const override;
  void saw(std::string_view repository, std::string_view tag,
           const policy::TagRecord& sighting) override;

  /// Writes what still waits, unless the API server does not answer, and ends the writing thread.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::tag_history
