// The difference of two texts with the same number of lines, as `diff -u` prints it. Pure;
// thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace belay::webhook::check {

/// A unified diff that patch(1) and git apply take, "" where the texts are the same. Lines end with
/// a line feed; a carriage return before it is part of the line.
/// \param path  of the file: a relative one stands as a/path and b/path, as git prints it
/// \param before, after  with the same number of lines
std::string unified_diff(const std::string& path, std::string_view before, std::string_view after);

}  // namespace belay::webhook::check
