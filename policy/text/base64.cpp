#include "policy/text/base64.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace belay::policy {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Value of each byte, or -1.
constexpr std::array<std::int8_t, 256> kValues = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}();

/// The two letters of each twelve bits.
constexpr std::array<std::array<char, 2>, 4096> kPairs = [] {
  std::array<std::array<char, 2>, 4096> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    pairs[i] = {kAlphabet[i >> 6U], kAlphabet[i & 0x3FU]};
  }
  return pairs;
}();

}  // namespace

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  text.remove_suffix(padding);
  std::string out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::int8_t value = kValues[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> static_cast<unsigned>(count)) & 0xFFU);
    }
  }
  return out;
}

std::string base64_encode(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4, '=');
  // Pointers, for this runs over every patch: an index would be checked each time.
  char* to = out.data();
  const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());  // NOLINT: bytes
  const auto put = [&to](std::uint32_t twelve_bits) {
    std::memcpy(to, kPairs.data() + twelve_bits, 2);
    to += 2;
  };
  std::size_t left = bytes.size();
  for (; left >= sizeof(std::uint64_t); left -= 6, from += 6) {  // eight bytes read, six used
    std::uint64_t bits = 0;
    std::memcpy(&bits, from, sizeof bits);
    if constexpr (std::endian::native == std::endian::little) bits = std::byteswap(bits);
    for (const unsigned shift : {52U, 40U, 28U, 16U}) {
      put(static_cast<std::uint32_t>(bits >> shift) & 0xFFFU);
    }
  }
  for (; left >= 3; left -= 3, from += 3) {
    const std::uint32_t bits =
        std::uint32_t{from[0]} << 16U | std::uint32_t{from[1]} << 8U | std::uint32_t{from[2]};
    put(bits >> 12U);
    put(bits & 0xFFFU);
  }
  if (left > 0) {
    const std::uint32_t bits =
        std::uint32_t{from[0]} << 16U | (left == 2 ? std::uint32_t{from[1]} << 8U : 0U);
    put(bits >> 12U);
    if (left == 2) *to = kPairs.at(bits & 0xFFFU)[0];
  }
  return out;
}

}  // namespace belay::policy
