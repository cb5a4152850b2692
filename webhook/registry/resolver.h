// Tag -> digest and digest -> metadata, through caches: the one way to a registry for the webhook,
// `belay check --resolve` and `belay pin`. Holds facts about images, never a verdict.
//
// Digests are kept by registry, repository, tag and credential identity: what one credential was
// shown, no other sees. The same request is asked once at a time (single flight). Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/registry_facts.h"
#include "webhook/registry/credentials.h"
#include "webhook/registry/registry_client.h"

namespace belay::webhook::registry {

/// An image as a registry knows it; from a canonical reference.
struct ImageName {
  std::string registry, repository;
  std::string tag;     ///< "" where there is none
  std::string digest;  ///< "" where there is none
};

struct ResolverOptions {
  std::chrono::milliseconds fresh{60'000};     ///< a digest is taken from the cache without asking
  std::chrono::milliseconds stale{600'000};    ///< … while it is asked for anew in the background
  std::chrono::milliseconds negative{10'000};  ///< "no such tag" and "not allowed" are believed
  std::chrono::milliseconds attached{
      60'000};  ///< lists of referrers; images themselves never change
  std::size_t max_bytes = std::size_t{16} << 20U;  ///< of all caches together
  std::size_t max_entries = 10'000;                ///< of each cache
  std::size_t refreshers = 2;                      ///< threads that renew what is stale
};

/// Figures of the caches, for metrics.
struct CacheFigures {
  std::uint64_t hits = 0, stale_hits = 0, misses = 0, joined = 0, evicted = 0;
  std::size_t entries = 0, bytes = 0;
};

/// Whether a look at a cache may have a stale digest asked for in the background.
enum class Renew : std::uint8_t { kNo, kYes };

class Resolver {
 public:
  using Now = Clock::time_point (*)();
  /// \param reader  outlives the resolver
  Resolver(RegistryReader& reader, ResolverOptions options, Now now = &Clock::now);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// What digest() would say without waiting for a registry, "no such image" included; nullopt
  /// where it would have to ask.
  std::optional<std::expected<std::string, RegistryError>> known(
      const ImageName& image, const std::vector<Credential>& credentials, Renew renew) const;
  /// The digest if a cache holds one that is fresh or stale; never asks a registry, hardly waits.
  /// \param credentials  any of which may have been shown it; none: anonymous
  std::optional<std::string> known_digest(const ImageName& image,
                                          const std::vector<Credential>& credentials) const;
  /// The digest that the tag points to, from the cache or the registry: each credential is tried in
  /// turn while the answer is kUnauthorized or kNotFound; none at all: anonymous.
  std::expected<std::string, RegistryError> digest(const ImageName& image,
                                                   const std::vector<Credential>& credentials,
                                                   Clock::time_point deadline);
  /// Metadata, attached artifacts included, if the caches hold all of it.
  std::shared_ptr<const policy::ImageMetadata> known_metadata(
      const ImageName& image, const std::vector<Credential>& credentials) const;
  /// Metadata of a digest, every platform of an index.
  /// \param image  with a digest
  std::expected<std::shared_ptr<const policy::ImageMetadata>, RegistryError> metadata(
      const ImageName& image, const std::vector<Credential>& credentials,
      Clock::time_point deadline);

  CacheFigures figures() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::registry
