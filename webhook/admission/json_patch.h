// The patch that pins images (RFC 6902): for each a `test` of the text that stands there and a
// `replace` of exactly that one. Pure and thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "policy/workload.h"

namespace belay::webhook::admission {

/// One image text that is to become another.
struct ImageChange {
  std::size_t image = 0;    ///< index into Workload::pod.images
  std::string pointer;      ///< Workload::image_pointer() of it
  std::string_view after;   ///< policy::pinned() of the text that stands there
  std::string_view digest;  ///< that `after` must name
};

/// \return the patch as JSON, "[]" for no changes
std::string json_patch(const policy::Workload& workload, std::span<const ImageChange> changes);

/// Reads a patch as an API server would, applies it to the workload's image texts and compares: it
/// must change those of `changes` and nothing else, and each must come out as a reference with the
/// same repository and tag and with the digest that was meant.
/// \return what is wrong, as a clause; "" for a patch that may be sent
std::string check_patch(std::string patch, const policy::Workload& workload,
                        std::span<const ImageChange> changes);

}  // namespace belay::webhook::admission
