// JSON from outside, read within limits; for the readers of this room, whose errors hold nothing of
// what they read. Each of them ends Fault itself.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace belay::webhook::registry {

/// What is wrong with a text, as a clause.
struct Fault {
  std::string message;
};

/// Bytes of a response of a registry or token service.
inline constexpr std::size_t kMaxResponse = std::size_t{4} << 20U;
inline constexpr int kMaxJsonDepth = 32;
/// Of one text: each costs a multiple of its bytes, and many responses are read side by side.
inline constexpr std::size_t kMaxJsonValues = 100'000;

/// One JSON object, at most kMaxJsonDepth deep and of kMaxJsonValues, without a key that stands
/// twice in an object.
/// \throws Fault
nlohmann::json parse_object(std::string_view text, std::size_t max_bytes);

}  // namespace belay::webhook::registry
