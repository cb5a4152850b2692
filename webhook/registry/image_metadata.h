// What an image says of itself, read from its registry: manifest, or index and the manifests of all
// its platforms side by side; image configs; attached artifacts. What never changes is kept, so a
// request that ran out of time goes on from there the next time. Thread-safe; blocks.
//
// Each body is compared with the digest that was asked for, and what comes from it is bounded.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/registry_facts.h"
#include "webhook/registry/answer_cache.h"
#include "webhook/registry/manifest.h"
#include "webhook/registry/registry_client.h"
#include "webhook/system/worker_pool.h"

namespace belay::webhook::registry {

/// Bytes of all that one image says of itself, and of what is attached to it.
inline constexpr std::size_t kMaxMetadata = std::size_t{1} << 20U;
/// Attached artifacts whose own manifests are read, where the list has no annotations of them.
inline constexpr std::size_t kMaxArtifactsRead = 16;

template <class T>
using Asked = std::expected<T, RegistryError>;

/// About how much memory it holds.
std::size_t bytes_of(const policy::ImageMetadata& metadata);

class MetadataReader {
 public:
  /// \param reader  outlives this
  /// \param max_bytes, max_entries  of what is kept
  MetadataReader(RegistryReader& reader, std::size_t max_bytes, std::size_t max_entries);

  /// Platforms of an image or index: they belong to the digest and never change.
  Asked<std::vector<policy::PlatformMetadata>> platforms(const Place& place,
                                                         std::string_view digest,
                                                         Clock::time_point deadline);
  /// Annotations of the artifacts attached to a digest, all together; they come and go.
  Asked<policy::Annotations> attached(const Place& place, std::string_view digest,
                                      Clock::time_point deadline);

  /// What one manifest says; of an artifact, annotations alone.
  using Part = std::shared_ptr<const policy::PlatformMetadata>;
  using Parts = AnswerCache<Part, 4>;
  const Parts& kept() const { return parts_; }

 private:
  class SideBySide;

  Asked<Manifest> manifest(const Place& place, std::string_view digest, Clock::time_point deadline);
  Asked<Part> image(const Place& place, const Manifest& manifest, Clock::time_point deadline);
  Asked<Part> kept_image(const Place& place, const std::string& digest, Clock::time_point deadline);
  Asked<Part> kept_artifact(const Place& place, const std::string& digest,
                            Clock::time_point deadline);
  Part find(const std::string& key);
  void keep(const std::string& key, const Part& part);

  RegistryReader& reader_;
  Parts parts_;
  WorkerPool pool_;  ///< last: what runs there uses the rest
};

}  // namespace belay::webhook::registry
