// Waits on the calling thread, for those who may block: `belay review`.
#pragma once

#include <chrono>

#include "webhook/admission/image_lookups.h"
#include "webhook/admission/missing.h"

namespace belay::webhook::admission {

/// Has registries asked, and waits for what they say. There is no one to ask for a namespace.
class BlockingWaiter final : public Waiter {
 public:
  /// \param lookups  nullptr: no registry can be asked; else it outlives this
  /// \param limit    of one wait
  explicit BlockingWaiter(ImageLookups* lookups,
                          std::chrono::milliseconds limit = ImageLookups::kDeadline)
      : lookups_(lookups), limit_(limit) {}

  /// Always true: it has waited.
  bool wait(const Missing& missing, const Review& review, Learned& learned) override;

 private:
  ImageLookups* const lookups_;
  const std::chrono::milliseconds limit_;
};

}  // namespace belay::webhook::admission
