// One review, evaluated with what registries say, for callers that may block: `belay review`,
// `belay check`. The server's way of asking, without its reactor.
#pragma once

#include <chrono>
#include <span>
#include <string>

#include "webhook/admission/admit.h"
#include "webhook/admission/image_lookups.h"

namespace belay::webhook::admission {

/// As Admission::admit(); what is wanting is asked for, and waited for until `limit` has passed.
/// \param questions  nullptr where the admission has no source of images, and so wants nothing
Answer admit_and_wait(Admission& admission, ImageLookups* questions, Endpoint endpoint,
                      const policy::PolicySet& policies, std::span<char> body, std::string& out,
                      std::chrono::milliseconds limit = ImageLookups::kDeadline);

}  // namespace belay::webhook::admission
