// What token services answer (distribution's token specification).
#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "policy/text/ascii.h"
#include "webhook/registry/answers.h"
#include "webhook/registry/json_text.h"

namespace belay::webhook::registry {
namespace {

constexpr std::size_t kMaxToken = 16'384;
constexpr std::int64_t kLongestLife = 3'600;

/// RFC 6750, section 2.1: b64token. It goes into a header as it is.
bool is_token(std::string_view text) {
  if (text.size() > kMaxToken) return false;
  while (text.ends_with('=')) text.remove_suffix(1);
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return policy::is_alphanumeric(c) ||
           std::string_view("-._~+/").find(c) != std::string_view::npos;
  });
}

}  // namespace

std::expected<Token, std::string> read_token(std::string_view body) {
  try {
    const auto root = parse_object(body, kMaxAnswer);
    for (const char* name : {"token", "access_token"}) {
      const auto found = root.find(name);
      if (found == root.end() || !found->is_string()) continue;
      Token token{.text = found->get<std::string>()};
      if (token.text.empty()) continue;
      if (!is_token(token.text)) return std::unexpected("its token contains invalid characters");
      const auto life = root.find("expires_in");
      if (life != root.end() && life->is_number()) {
        token.lifetime = std::chrono::seconds(static_cast<std::int64_t>(
            std::clamp(life->get<double>(), 0.0, static_cast<double>(kLongestLife))));
      }
      return token;
    }
    return std::unexpected("its response contains no token");
  } catch (const Fault& fault) {
    return std::unexpected("its response is invalid: " + fault.message);
  }
}

}  // namespace belay::webhook::registry
