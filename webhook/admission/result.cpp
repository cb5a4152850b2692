// The closed sets of words about requests.
#include "webhook/admission/result.h"

#include <array>
#include <cstddef>

namespace belay::webhook::admission {

std::string_view path_of(Endpoint endpoint) {
  constexpr std::array<std::string_view, 3> kPaths{"/validate", "/mutate", "/validate-policy"};
  return kPaths.at(static_cast<std::size_t>(endpoint));
}

std::string_view name_of(Outcome outcome) {
  constexpr std::array<std::string_view, 4> kNames{"allowed", "denied", "undecided", "bad-request"};
  return kNames.at(static_cast<std::size_t>(outcome));
}

}  // namespace belay::webhook::admission
