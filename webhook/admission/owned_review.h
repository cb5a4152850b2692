// A review that owns its texts: what a request takes along when it has to wait.
#pragma once

#include <cstddef>
#include <memory>

#include "webhook/admission/review.h"

namespace belay::webhook::admission {

/// A copy of exactly what was read, made only when something must be waited for.
///
/// Why not the request's buffer itself: that is scratch memory of the reactor, far larger than most
/// requests, which the next read overwrites; taking it over would hold 64 KiB a request, and keep
/// what no rule looks at. The texts that a Review views are a small part of the body, so a wait
/// holds less memory than the request was long, and the buffer is free at once.
///
/// Immutable; its views live as long as it does, and it does not move.
class OwnedReview {
 public:
  explicit OwnedReview(const Review& review);
  ~OwnedReview() = default;
  OwnedReview(const OwnedReview&) = delete;
  OwnedReview& operator=(const OwnedReview&) = delete;

  const Review& review() const { return review_; }
  /// Memory that it holds.
  std::size_t bytes() const { return bytes_; }

 private:
  Review review_;
  std::unique_ptr<char[]> texts_;
  std::size_t bytes_ = 0;
};

}  // namespace belay::webhook::admission
