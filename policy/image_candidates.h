// Images that may take the place of one that is refused, put together from what rules offer; the
// likeliest first. Whether rules accept them is not known here. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/rules/offers.h"

namespace belay::policy {

/// What is known of the image that is refused.
struct RefusedImage {
  std::string_view text = {};
  std::vector<std::string> proposals = {};  ///< of the rules that refuse it; may have gaps
  std::string known_digest = {};            ///< what its tag points to; "" where that is not known
  bool same_image = true;                   ///< no rule has anything against its digest
  bool digest_helps = true;  ///< all rules that refuse it would accept it by digest alone
  RepositoryUse repository = RepositoryUse::kMayStay;  ///< the least use that a rule leaves it
};

/// A valid reference to the repository that the text means, as far as one can be made out of it;
/// else "".
std::string repository_in(const RefusedImage& image);

/// The image by digest alone; "" where it has a digest, or no valid repository.
std::string by_digest(const RefusedImage& image);

/// \param repository  of repository_in()
/// \return forms (gaps.h), none of them the text itself
std::vector<std::string> image_candidates(const RefusedImage& image, std::string_view repository,
                                          const ImageOffers& offers);

}  // namespace belay::policy
