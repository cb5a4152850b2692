// RapidJSON's reader with its compile-time switches, alike in every file that parses. Include this,
// in front of any other header of RapidJSON's.
//
// SIMD: SSE2 is part of every x86-64, NEON of every arm64. It reads whole aligned blocks of 16
// bytes and so up to 15 bytes past the end of a text: never into another page, but AddressSanitizer
// and ThreadSanitizer object, so it is off there.
// Assertions throw: what RapidJSON takes for impossible must not end the server.
#pragma once

#include <stdexcept>

#ifndef BELAY_SANITIZED
#if defined(__SSE2__)
#define RAPIDJSON_SSE2
#elif defined(__ARM_NEON)
#define RAPIDJSON_NEON
#endif
#endif

namespace belay::webhook::admission {
struct JsonLibraryError : std::logic_error {
  JsonLibraryError() : std::logic_error("JSON library") {}
};
}  // namespace belay::webhook::admission

#define RAPIDJSON_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : throw ::belay::webhook::admission::JsonLibraryError())

// Behind the switches.
#include <rapidjson/reader.h>

/// The parser works on the stream itself, not on a copy that it takes at every text and writes back
/// behind it. Such a copy is read sixteen bytes at once where eight were written just before, which
/// the processor must wait for: a sixth of the time that a review of 4 KB takes, a quarter at 1 MB.
template <>
class rapidjson::internal::StreamLocalCopy<rapidjson::InsituStringStream, 1> {
 public:
  explicit StreamLocalCopy(InsituStringStream& stream) : s(stream) {}

  InsituStringStream& s;  ///< the name that the parser knows
};
