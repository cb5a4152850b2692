// Each step is a table or a loop over values; what blocks is inside `ask`.
#include "webhook/check/pin.h"

#include <algorithm>
#include <array>
#include <utility>

#include "policy/image_reference.h"

namespace belay::webhook::check {
namespace {

using policy::ImageReference;

struct StatusText {
  std::string_view name;
  bool unpinned;
};
constexpr std::array<StatusText, 9> kStatuses{{{"pinned", true},
                                               {"unpinned", true},
                                               {"unresolved", true},
                                               {"digest", false},
                                               {"moved", false},
                                               {"untagged", true},
                                               {"invalid", true},
                                               {"shared", true},
                                               {"left", false}}};

std::string key_of(const ImageReference& reference) {
  return reference.canonical_repository() + ":" + std::string(reference.tag);
}

/// How many of an image's uses are chosen.
std::size_t chosen_uses(const ImageScalar& scalar) {
  return static_cast<std::size_t>(std::ranges::count_if(scalar.uses, &ImageUse::chosen));
}

/// Whether a digest is to go behind the image's tag.
bool is_to_pin(const ImageScalar& scalar, const ImageReference& reference) {
  return reference.has_tag() && !reference.has_digest() && scalar.obstacle.empty() &&
         chosen_uses(scalar) == scalar.uses.size();
}

/// What is said of an image whatever registries say, or kUnpinned.
PinnedImage status_of(const ImageScalar& scalar) {
  PinnedImage out;
  out.scalar = &scalar;
  const auto reference = policy::parse_image_reference(scalar.image);
  const std::size_t chosen = chosen_uses(scalar);
  if (reference && reference->has_digest()) {
    out.status = PinStatus::kDigest;
    out.has_digest = true;
  } else if (chosen == 0) {
    out.status = PinStatus::kLeft;
  } else if (!reference) {
    out.status = PinStatus::kInvalid;
    out.problem = describe(reference.error().code);
  } else if (!reference->has_tag()) {
    out.status = PinStatus::kUntagged;
  } else if (!scalar.obstacle.empty()) {
    out.status = PinStatus::kShared;
    out.problem = scalar.obstacle;
  } else if (chosen < scalar.uses.size()) {
    out.status = PinStatus::kShared;
    out.problem = "is shared through an anchor with an image that no policy pins";
  } else {
    out.status = PinStatus::kUnpinned;
  }
  return out;
}

/// What the registry's response makes of it.
void apply(const std::expected<std::string, registry::RegistryError>& digest, PinnedImage& image) {
  if (!digest) {
    image.problem = digest.error().message;
    image.status = PinStatus::kUnresolved;
    return;
  }
  image.digest = *digest;
  if (!image.has_digest) {
    image.status = PinStatus::kPinned;
    return;
  }
  const auto reference = policy::parse_image_reference(image.scalar->image);
  if (reference && reference->digest != *digest) image.status = PinStatus::kMoved;
}

}  // namespace

std::string_view name_of(PinStatus status) {
  return kStatuses.at(static_cast<std::size_t>(status)).name;
}

bool is_unpinned(const PinnedImage& image) {
  return !image.has_digest && kStatuses.at(static_cast<std::size_t>(image.status)).unpinned;
}

void add_lookups(const ManifestImages& images, bool also_pinned, DigestLookups& lookups) {
  for (const ImageScalar& scalar : images.scalars) {
    const auto reference = policy::parse_image_reference(scalar.image);
    if (!reference || !reference->has_tag()) continue;
    if (!is_to_pin(scalar, *reference) && !(also_pinned && reference->has_digest())) continue;
    lookups.try_emplace(key_of(*reference), registry::ImageName{std::string(reference->registry),
                                                                reference->repository(),
                                                                std::string(reference->tag), ""});
  }
}

Digests look_up_all(const DigestLookups& lookups, const LookUpDigest& ask, std::size_t at_once,
                    const Progress& progress) {
  Digests digests;
  std::vector<std::pair<const registry::ImageName*, Digests::mapped_type*>> work;
  work.reserve(lookups.size());
  for (const auto& [key, image] : lookups) work.emplace_back(&image, &digests[key]);

  side_by_side(
      work.size(), at_once,
      [&](std::size_t i) {
        *work[i].second = ask(*work[i].first);
        return work[i].second->has_value();
      },
      progress);
  return digests;
}

void decide(PinFile& file, const Digests& digests) {
  file.complete = file.images.errors.empty();
  std::vector<DigestEdit> edits;
  for (const ImageScalar& scalar : file.images.scalars) {
    PinnedImage image = status_of(scalar);
    if (image.status == PinStatus::kUnpinned || image.status == PinStatus::kDigest) {
      const auto reference = policy::parse_image_reference(scalar.image);
      const auto found = reference ? digests.find(key_of(*reference)) : digests.end();
      if (found != digests.end()) apply(found->second, image);
    }
    if (image.status == PinStatus::kUnresolved) file.complete = false;
    if (image.status == PinStatus::kPinned) edits.push_back({&scalar, image.digest});
    file.results.push_back(std::move(image));
  }
  auto pinned = put_digests(file.text, edits);
  if (!pinned) {
    file.complete = false;
    file.problem = std::move(pinned.error());
  }
  file.pinned = pinned ? std::move(*pinned) : file.text;
}

}  // namespace belay::webhook::check
