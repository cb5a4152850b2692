// Manifests and configs are read side by side by the caller and a few threads; the pool's work
// never waits for other work of the pool.
#include "webhook/registry/image_metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace belay::webhook::registry {
namespace {

using policy::Annotations;
using policy::PlatformMetadata;

constexpr std::size_t kThreads = 6;
constexpr std::size_t kQueue = 256;
constexpr std::size_t kTextOverhead = 2 * sizeof(std::string);

std::unexpected<RegistryError> bad_answer(const Place& place, std::string_view why) {
  return std::unexpected(RegistryError{
      .failure = Failure::kInvalidResponse,
      .message = fmt::format("{} sent an invalid response: {}", place.registry, why)});
}

std::unexpected<RegistryError> too_much(const Place& place) {
  return std::unexpected(RegistryError{
      .failure = Failure::kInvalidResponse,
      .message = fmt::format("{} returned more metadata for the image than belay reads ({} KiB)",
                             place.registry, kMaxMetadata / 1024)});
}

std::string metadata_key_of(const Place& place, std::string_view what) {
  return cache_key(place.credential.identity, place.registry, place.repository, what);
}

std::size_t bytes_of(const Annotations& annotations) {
  std::size_t bytes = 0;
  for (const auto& [key, value] : annotations) bytes += key.size() + value.size() + kTextOverhead;
  return bytes;
}

std::size_t bytes_of(const PlatformMetadata& platform) {
  return sizeof(PlatformMetadata) + platform.platform.size() + platform.created.size() +
         bytes_of(platform.labels) + bytes_of(platform.annotations);
}

void append(Annotations& to, const Annotations& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

std::size_t bytes_of(const policy::ImageMetadata& metadata) {
  std::size_t bytes = sizeof(policy::ImageMetadata) + bytes_of(metadata.attached);
  for (const PlatformMetadata& platform : metadata.platforms) bytes += bytes_of(platform);
  return bytes;
}

/// Digests that are read by whoever has time. Shared with the pool, so it owns what it needs: a
/// piece of work may begin after the request is given up.
class MetadataReader::SideBySide : public std::enable_shared_from_this<SideBySide> {
 public:
  using Read = std::function<Asked<Part>(const Place&, const std::string&, Clock::time_point)>;

  SideBySide(Place place, std::vector<std::string> digests, Clock::time_point deadline, Read read)
      : place_(std::move(place)),
        digests_(std::move(digests)),
        deadline_(deadline),
        read_(std::move(read)),
        parts_(digests_.size()) {}

  /// The parts in the order of the digests, or the first failure.
  Asked<std::vector<Part>> run(WorkerPool& pool) {
    for (std::size_t i = 1; i < std::min(digests_.size(), kThreads); ++i) {
      if (!pool.submit([self = shared_from_this()] { self->work(); })) break;
    }
    work();
    std::unique_lock lock(mutex_);
    const bool in_time =
        changed_.wait_until(lock, deadline_, [this] { return error_ || done_ == digests_.size(); });
    if (error_) return std::unexpected(*error_);
    if (in_time) return parts_;
    return std::unexpected(error_of(place_.registry, Failure::kTimeout));
  }

 private:
  void work() {
    while (const auto index = next()) {
      Asked<Part> part = read(digests_[*index]);
      const std::lock_guard lock(mutex_);
      if (part) {
        parts_[*index] = std::move(*part);
        ++done_;
      } else if (!error_) {
        error_ = part.error();
      }
      changed_.notify_all();
    }
  }

  Asked<Part> read(const std::string& digest) const {
    try {
      return read_(place_, digest, deadline_);
    } catch (const std::exception&) {  // out of memory
      return std::unexpected(
          RegistryError{.failure = Failure::kBusy,
                        .message = fmt::format("{} could not be asked", place_.registry)});
    }
  }

  std::optional<std::size_t> next() {
    const std::lock_guard lock(mutex_);
    if (error_ || next_ == digests_.size()) return std::nullopt;
    return next_++;
  }

  const Place place_;
  const std::vector<std::string> digests_;
  const Clock::time_point deadline_;
  const Read read_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Part> parts_;  ///< guarded by mutex_, as what follows
  std::size_t next_ = 0;
  std::size_t done_ = 0;
  std::optional<RegistryError> error_;
};

MetadataReader::MetadataReader(RegistryReader& reader, std::size_t max_bytes,
                               std::size_t max_entries)
    : reader_(reader), parts_(max_bytes, max_entries), pool_("image-parts", kThreads - 1, kQueue) {}

Asked<Manifest> MetadataReader::manifest(const Place& place, std::string_view digest,
                                         Clock::time_point deadline) {
  const auto blob = reader_.manifest(place, digest, deadline);
  if (!blob) return std::unexpected(blob.error());
  if (!has_digest(blob->body, digest)) {
    return bad_answer(place, "a manifest does not match its digest");
  }
  auto manifest = read_manifest(blob->body, blob->media_type);
  if (!manifest) return bad_answer(place, manifest.error());
  return *std::move(manifest);
}

Asked<MetadataReader::Part> MetadataReader::image(const Place& place, const Manifest& manifest,
                                                  Clock::time_point deadline) {
  if (manifest.index) return bad_answer(place, "an index contains another index");
  const auto blob = reader_.blob(place, manifest.config.digest, deadline);
  if (!blob) return std::unexpected(blob.error());
  if (!has_digest(blob->body, manifest.config.digest)) {
    return bad_answer(place, "an image config does not match its digest");
  }
  auto config = read_image_config(blob->body);
  if (!config) return bad_answer(place, config.error());
  auto part =
      std::make_shared<PlatformMetadata>(PlatformMetadata{.platform = std::move(config->platform),
                                                          .labels = std::move(config->labels),
                                                          .annotations = manifest.annotations,
                                                          .created = std::move(config->created)});
  if (bytes_of(*part) > kMaxMetadata) return too_much(place);
  return part;
}

MetadataReader::Part MetadataReader::find(const std::string& key) {
  auto found = parts_.find(key);
  return found ? std::move(found->value) : nullptr;
}

void MetadataReader::keep(const std::string& key, const Part& part) {
  parts_.put(key, part, bytes_of(*part), Clock::now());
}

Asked<MetadataReader::Part> MetadataReader::kept_image(const Place& place,
                                                       const std::string& digest,
                                                       Clock::time_point deadline) {
  const std::string key = metadata_key_of(place, "image " + digest);
  if (Part kept = find(key)) return kept;
  const auto read = manifest(place, digest, deadline);
  if (!read) return std::unexpected(read.error());
  auto part = image(place, *read, deadline);
  if (part) keep(key, *part);
  return part;
}

Asked<MetadataReader::Part> MetadataReader::kept_artifact(const Place& place,
                                                          const std::string& digest,
                                                          Clock::time_point deadline) {
  // Apart from images: an artifact may be one as well, of which more is known.
  const std::string key = metadata_key_of(place, "artifact " + digest);
  if (Part kept = find(key)) return kept;
  auto read = manifest(place, digest, deadline);
  auto part = std::make_shared<PlatformMetadata>();
  if (read) {
    part->annotations = std::move(read->annotations);
  } else if (read.error().failure != Failure::kInvalidResponse &&
             read.error().failure != Failure::kNotFound) {
    return std::unexpected(read.error());
  }  // else it is no artifact that belay reads, and says nothing
  if (bytes_of(*part) > kMaxMetadata) return too_much(place);
  if (read) keep(key, part);
  return part;
}

Asked<std::vector<PlatformMetadata>> MetadataReader::platforms(const Place& place,
                                                               std::string_view digest,
                                                               Clock::time_point deadline) {
  const auto root = manifest(place, digest, deadline);
  if (!root) return std::unexpected(root.error());
  std::vector<PlatformMetadata> platforms;
  if (!root->index) {
    const auto part = image(place, *root, deadline);
    if (!part) return std::unexpected(part.error());
    platforms.push_back(**part);
    platforms.back().platform.clear();
    return platforms;
  }
  std::vector<std::string> digests;
  for (const Descriptor& one : root->manifests) digests.push_back(one.digest);
  const auto parts = std::make_shared<SideBySide>(
                         place, std::move(digests), deadline,
                         [this](const Place& at, const std::string& one, Clock::time_point until) {
                           return kept_image(at, one, until);
                         })
                         ->run(pool_);
  if (!parts) return std::unexpected(parts.error());
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < parts->size(); ++i) {
    const Descriptor& descriptor = root->manifests[i];
    PlatformMetadata& platform = platforms.emplace_back(*(*parts)[i]);
    if (!descriptor.platform.empty()) platform.platform = descriptor.platform;
    append(platform.annotations, descriptor.annotations);
    append(platform.annotations, root->annotations);
    bytes += bytes_of(platform);
    if (bytes > kMaxMetadata) return too_much(place);
  }
  return platforms;
}

Asked<Annotations> MetadataReader::attached(const Place& place, std::string_view digest,
                                            Clock::time_point deadline) {
  const auto blob = reader_.referrers(place, digest, deadline);
  if (!blob) return std::unexpected(blob.error());
  const auto list = read_referrers(blob->body);
  if (!list) return bad_answer(place, list.error());
  Annotations all;
  std::vector<std::string> silent;
  for (const Descriptor& artifact : *list) {
    append(all, artifact.annotations);
    if (artifact.annotations.empty() && silent.size() < kMaxArtifactsRead) {
      silent.push_back(artifact.digest);
    }
  }
  if (!silent.empty()) {
    const auto parts = std::make_shared<SideBySide>(place, std::move(silent), deadline,
                                                    [this](const Place& at, const std::string& one,
                                                           Clock::time_point until) {
                                                      return kept_artifact(at, one, until);
                                                    })
                           ->run(pool_);
    if (!parts) return std::unexpected(parts.error());
    for (const Part& part : *parts) append(all, part->annotations);
  }
  if (bytes_of(all) > kMaxMetadata) return too_much(place);
  return all;
}

}  // namespace belay::webhook::registry
