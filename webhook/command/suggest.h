// The nearest word to what was typed. Pure, thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace belay::webhook::command {

/// The candidate that is nearest to `typed` by optimal string alignment distance, or "" where none
/// is near enough to be meant (at most one edit in four letters, never more than three).
std::string nearest(std::string_view typed, std::span<const std::string> candidates);

}  // namespace belay::webhook::command
