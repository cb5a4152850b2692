// What became of a request, for those who count and log it. Plain values.
#pragma once

#include <cstdint>
#include <string_view>

#include "policy/verdict.h"
#include "webhook/admission/mutate.h"
#include "webhook/admission/review.h"

namespace belay::webhook::admission {

/// /validate-policy answers about ConfigMaps of policies only, and does so before any policy was
/// read, so that the first one can be written; /validate knows them by their kind.
enum class Endpoint : std::uint8_t { kValidate, kMutate, kValidatePolicy };
std::string_view path_of(Endpoint endpoint);  ///< "/validate"

enum class Outcome : std::uint8_t { kAllowed, kDenied, kUndecided, kBadRequest };
std::string_view name_of(Outcome outcome);

/// Views live until the next request.
struct Result {
  int http_status = 200;
  Outcome outcome = Outcome::kAllowed;
  const Review* review = nullptr;            ///< nullptr for a bad request
  const policy::Verdict* verdict = nullptr;  ///< nullptr where nothing was evaluated
  ReadErrorCode error_code{};                ///< of a bad request
  std::string_view error_message = {};       ///< of a bad request
  std::string_view error_field = {};         ///< of a bad request: the field to blame, or ""
  std::string_view refusal = {};             ///< why a ConfigMap of policies was denied, or ""
  PinCounts pins = {};                       ///< of /mutate
  std::string_view pin_problem = {};  ///< why an image stays unpinned, or was refused for it; or ""
};

}  // namespace belay::webhook::admission
