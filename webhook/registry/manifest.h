// Manifests, indexes, image configs, lists of referrers (OCI image-spec 1.1, distribution-spec 1.1;
// Docker's schema 2), read within limits; and digests. Pure; thread-safe. Errors are clauses for
// people and hold nothing of what was read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "policy/registry_facts.h"

namespace belay::webhook::registry {

inline constexpr std::size_t kMaxAnnotations = 1'000;  ///< of one object
inline constexpr std::size_t kMaxPlatforms = 64;       ///< of one index

/// Accept of a manifest: OCI and Docker, image and index.
extern const std::string_view kManifestTypes;

struct Descriptor {
  std::string media_type, digest;
  std::int64_t size = 0;
  std::string platform;  ///< "linux/arm64/v8", "" where it says none
  policy::Annotations annotations;
};

struct Manifest {
  bool index = false;
  Descriptor config;  ///< of an image
  std::vector<Descriptor>
      manifests;  ///< of an index: images only (no attestations "unknown/unknown")
  policy::Annotations annotations;
};
/// An image manifest or an index. \param media_type  of the response's Content-Type; must agree
/// with
///     the body's mediaType where both speak. Digests are checked by the grammar.
std::expected<Manifest, std::string> read_manifest(std::string_view body,
                                                   std::string_view media_type);

struct ImageConfig {
  policy::Annotations labels;
  std::string created, platform;
};
std::expected<ImageConfig, std::string> read_image_config(std::string_view body);

/// The index of a referrers response or of the tag schema: descriptors with their annotations.
std::expected<std::vector<Descriptor>, std::string> read_referrers(std::string_view body);

/// The pages of one such list as one index, which read_referrers reads.
std::expected<std::string, std::string> merge_referrers(const std::vector<std::string>& pages);

/// "sha256:…" of the bytes.
std::string digest_of(std::string_view bytes);
/// Whether the bytes have this digest (sha256, sha384, sha512). False for any other text.
bool has_digest(std::string_view bytes, std::string_view digest);

}  // namespace belay::webhook::registry
