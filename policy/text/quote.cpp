#include "policy/text/quote.h"

#include <algorithm>

namespace belay::policy {

std::string quote(std::string_view text) {
  std::string quoted;
  quoted.reserve(text.size() + 2);
  return quoted.append("\"").append(text).append("\"");
}

std::string quote_line(std::string_view text) {
  std::string shown(text.substr(0, kMaxQuotedBytes));
  std::replace(shown.begin(), shown.end(), '\n', ' ');
  if (text.size() > kMaxQuotedBytes) shown += "...";
  return quote(shown);
}

}  // namespace belay::policy
