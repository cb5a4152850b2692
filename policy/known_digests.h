// What tags point to as far as it is known already: for fixes to copy.
#pragma once

#include <string>

#include "policy/image_reference.h"

namespace belay::policy {

/// Thread-safe where an implementation says so.
class KnownDigests {
 public:
  virtual ~KnownDigests() = default;
  /// The digest that an image's tag points to, "" where it is not known. Called for images with a
  /// finding; must not block.
  virtual std::string digest_of(const ImageReference& reference) const = 0;
};

/// The digest to offer for an image without one; "" where none is known. \param known  may be null
inline std::string known_digest(const KnownDigests* known, const ImageReference& reference) {
  if (known == nullptr || reference.has_digest()) return {};
  std::string digest = known->digest_of(reference);
  if (!is_digest(digest)) digest.clear();  // what is offered must be valid, whatever the source
  return digest;
}

}  // namespace belay::policy
