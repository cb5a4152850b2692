// What a request lacks before it can be evaluated, what was learned since, and how it waits. The
// way of a request (admission.h) is the same for all; the waiting is the caller's: a command
// blocks, the server's handler parks the request beside its reactor.
#pragma once

#include <string>
#include <string_view>

#include "webhook/admission/image_inquiry.h"
#include "webhook/admission/review.h"

namespace belay::webhook::admission {

/// What must be asked for first: the one or the other. Views live as long as the look at the
/// request that found it out.
struct Missing {
  std::string_view namespace_name = {};  ///< whose labels are missing; "" where none are
  const ImageInquiry* images = nullptr;  ///< what registries must be asked for
  bool nothing() const { return namespace_name.empty() && images == nullptr; }
};

/// What was learned for a request since it was first looked at. Nothing is asked for twice: not
/// even under policies that were published meanwhile and need other facts.
struct Learned {
  bool asked_namespace = false, asked_images = false;
  /// Why the labels of the namespace could not be learned, as a clause; "" where they could.
  std::string namespace_problem = {};
  ImageInquiry images = {};  ///< what registries said; where `asked_images`

  /// Gives up asking registries. \param problem  as a clause
  void give_up_images(std::string_view problem);
};

/// How a request waits. One thread's; called between two looks at a request.
class Waiter {
 public:
  virtual ~Waiter() = default;
  /// Asks for what is missing. `learned` says that it was asked for, and begins with what
  /// `missing.images` lists.
  /// \param review  borrows from the request's buffer: who goes on later keeps an OwnedReview
  /// \return true where the request can go on at once: `learned` has what came of it. false where
  ///     it waits: whoever took `review` and `learned` along calls Admission::go_on() later.
  virtual bool wait(const Missing& missing, const Review& review, Learned& learned) = 0;
};

}  // namespace belay::webhook::admission
