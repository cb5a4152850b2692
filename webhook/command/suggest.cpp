#include "webhook/command/suggest.h"

#include <algorithm>

#include "policy/text/spelling.h"

namespace belay::webhook::command {

std::string nearest(std::string_view typed, std::span<const std::string> candidates) {
  std::string best;
  std::size_t best_distance = std::min<std::size_t>(3, std::max<std::size_t>(1, typed.size() / 4));
  for (const std::string& candidate : candidates) {
    if (typed.size() >= 3 && candidate.starts_with(typed)) return candidate;
    const std::size_t edits = policy::edit_distance(typed, candidate);
    if (edits < best_distance || (edits == best_distance && best.empty())) {
      best_distance = edits;
      best = candidate;
    }
  }
  return best;
}

}  // namespace belay::webhook::command
