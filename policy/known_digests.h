// What tags point to as far as it is known already: for fixes to copy.
#pragma once

#include <string>

#include "policy/image_reference.h"

namespace belay::policy {

/// Thread-safe where an implementation says so.
class KnownDigests {
 public:
  virtual ~KnownDigests() = default;
  /// The digest that an image's tag points to, "" where it is not known. Called for images that a
  /// finding is about; must not block.
  virtual std::string digest_of(const ImageReference& reference) const = 0;
};

}  // namespace belay::policy
