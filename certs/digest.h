// Digests of a text. Pure and thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace belay::certs {

enum class Hash : std::uint8_t { kSha256, kSha384, kSha512 };

/// \return lower-case hex digits (FIPS 180-4). Empty if OpenSSL refuses, which it does for want of
///         memory only.
std::string hash_hex(Hash hash, std::string_view text);
inline std::string sha256_hex(std::string_view text) { return hash_hex(Hash::kSha256, text); }

}  // namespace belay::certs
