// Which known word was meant by one that is not known. Pure and thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace belay::policy {

/// Edits (insert, drop, replace, swap neighbours) that make one text of the other: optimal string
/// alignment. Costs the product of the sizes: for short words.
std::size_t edit_distance(std::string_view from, std::string_view to);

/// The known word nearest to `word` by edit distance (case, "-" and "_" left out of account), or ""
/// where none is close.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace belay::policy
