// User text in quotes, for errors and findings. Pure and thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace belay::policy {

/// `"text"`, not escaped.
std::string quote(std::string_view text);

/// How much quote_line() shows of a text.
inline constexpr std::size_t kMaxQuotedBytes = 80;

/// `"text"` on one line, cut where it is long, for errors of documents, which have texts of any
/// length.
std::string quote_line(std::string_view text);

}  // namespace belay::policy
