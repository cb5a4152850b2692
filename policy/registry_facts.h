// What registries and the tag history say of a workload's images. The caller learns it before
// evaluate() is called, so that no rule waits for a network. Plain values.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::policy {

using Annotations = std::vector<std::pair<std::string, std::string>>;

/// The metadata of an image, for one platform. Belongs to a digest, so it never changes.
struct PlatformMetadata {
  std::string platform;     ///< "linux/amd64", "linux/arm64/v8"; "" of an image without index
  Annotations labels;       ///< of the image config
  Annotations annotations;  ///< of the manifest, and of the index that leads to it
  std::string created;      ///< of the image config, RFC 3339; "" where it has none
};

/// One digest with all its platforms.
struct ImageMetadata {
  std::vector<PlatformMetadata> platforms;  ///< one for an image without index; never empty
  Annotations attached;                     ///< of attached artifacts (OCI referrers), all together
};

/// What a tag pointed to when it was first admitted.
struct TagRecord {
  std::string digest;
  std::chrono::sys_seconds time{};
  friend bool operator==(const TagRecord&, const TagRecord&) = default;
};

/// Which facts rules ask for, of one image.
struct ImageNeed {
  std::size_t image = 0;  ///< index into Workload::pod.images
  bool digest = false;    ///< what its tag points to now
  bool metadata = false;  ///< ImageFacts::metadata
  bool record = false;    ///< ImageFacts::first_seen, together with the digest
};

/// The facts about one image. What was not asked for stays empty.
struct ImageFacts {
  /// What the tag points to now; of a reference with a digest, that digest.
  std::string digest;
  /// Why something that was asked for is not known, as a clause for people without any address or
  /// text of the registry's: "registry.corp:5000 did not respond in time"; "" where all is known.
  std::string problem;
  std::shared_ptr<const ImageMetadata> metadata;
  std::optional<TagRecord> first_seen;  ///< nullopt where the tag is new, if record_known
  bool record_known = false;            ///< the tag history was asked for first_seen, and had it
};

/// What to do where a registry can't be asked.
enum class OnRegistryError : std::uint8_t {
  kAllow,  ///< admit, with a warning that names the cause
  kDeny,
};

}  // namespace belay::policy
