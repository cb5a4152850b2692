// Names and emptiness of the review's plain types.
#include "webhook/admission/review.h"

#include <array>
#include <cstddef>

namespace belay::webhook::admission {

std::string_view name_of(Operation operation) {
  constexpr std::array<std::string_view, 4> kNames{"CREATE", "UPDATE", "DELETE", "CONNECT"};
  return kNames.at(static_cast<std::size_t>(operation));
}

std::string_view name_of(ReadErrorCode code) {
  constexpr std::array<std::string_view, 10> kNames{
      "syntax",  "depth", "duplicate-key", "encoding",  "wrong-type",
      "version", "kind",  "missing-field", "operation", "too-many-images"};
  return kNames.at(static_cast<std::size_t>(code));
}

void Review::clear() {
  uid = {};
  kind = {};
  resource = {};
  subresource = {};
  operation = Operation::kCreate;
  dry_run = false;
  user = {};
  evaluated = false;
  metric_kind = "other";
  workload.clear();
  is_config_map = false;
  data.clear();
  old_data.clear();
}

}  // namespace belay::webhook::admission
