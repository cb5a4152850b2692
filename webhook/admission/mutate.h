// The answer of /mutate: what became of each image that is to be pinned -> AdmissionReview bytes
// with a JSON Patch, a denial, or warnings. Pure and thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/pinning.h"
#include "policy/registry_facts.h"
#include "webhook/admission/review.h"

namespace belay::webhook::admission {

/// How many images came out how; closed set, used as metric labels.
struct PinCounts {
  std::size_t pinned = 0;    ///< by a digest that a registry gave, or a cache
  std::size_t reused = 0;    ///< by the digest of the old object
  std::size_t unpinned = 0;  ///< admitted as they were, with a warning
  std::size_t denied = 0;    ///< unpinned, and refused for it
};

/// What becomes of one image.
struct PinOutcome {
  std::size_t image = 0;     ///< index into Workload::pod.images
  std::string text;          ///< with its digest; "" where it stays unpinned
  std::string_view digest;   ///< in `text`; borrows from the pin or the facts
  bool reused = false;       ///< the digest is the old object's
  std::string_view problem;  ///< why it stays unpinned, as a clause; borrows from the facts
  policy::OnRegistryError on_error = policy::OnRegistryError::kAllow;
};

/// Settles every pin: the old object's digest, else the one in the facts of its image.
/// \param facts  by index of Workload::pod.images; outlives the outcomes, as the pins do
/// \param outcomes  cleared first, capacity reused
void settle(const policy::Workload& workload, std::span<const policy::Pin> pins,
            std::span<const policy::ImageFacts> facts, std::vector<PinOutcome>& outcomes);

/// What /mutate answers, beside the bytes.
struct Mutation {
  PinCounts counts;
  std::string refusal;  ///< the denial; "" where the object is admitted
  std::string problem;  ///< of the first image that stays unpinned
  /// Why the patch must not be sent; "" for one that may. Then there is no answer.
  std::string fault;
};

/// Writes the answer: denied where an image stays unpinned that must not, else allowed, with a
/// patch where anything is to be pinned and warnings where something stays unpinned. The patch is
/// read back and compared with what was meant before it goes out. Replaces `out`.
Mutation write_mutation(const Review& review, std::span<const PinOutcome> outcomes,
                        std::string& out);

/// Allowed unchanged, with a warning: it can't be known whether anything is to be pinned.
/// \param problem  why not, as a clause
void write_unpinned(const Review& review, std::string_view problem, std::string& out);

}  // namespace belay::webhook::admission
