// Why a connection or a request ended without reaching the handler, and what the peer is told.
// Plain values; everything here is thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace belay::webhook::http {

/// Closed set, used as metric label.
enum class Rejection : std::uint8_t {
  kHandshake,         ///< TLS failed or took too long
  kMalformed,         ///< 400: not HTTP/1.1 as we take it
  kUnknownPath,       ///< 404
  kMethod,            ///< 405
  kTimeout,           ///< 408: the request dripped in too slowly
  kLengthRequired,    ///< 411
  kBodyTooLarge,      ///< 413
  kMediaType,         ///< 415: Content-Encoding
  kHeadersTooLarge,   ///< 431
  kTransferEncoding,  ///< 501
  kOverload,          ///< 503: connections or bytes in flight at their limit
};
inline constexpr std::size_t kRejectionCount = 11;

/// "body-too-large": the metric label and the `code` of the error body.
std::string_view name_of(Rejection rejection);
/// The HTTP status that says it; 0 where no response is possible (kHandshake).
int status_of(Rejection rejection);

/// A rejection with its words for the peer.
struct RejectionText {
  Rejection reason = Rejection::kMalformed;
  std::string_view what;       ///< a clause of static text: "the body is too large"
  std::size_t limit = 0;       ///< the limit that was passed, 0 where none is
  std::string_view unit = {};  ///< of the limit: "bytes"
};

/// "OK" for 200; of statuses we don't know, the class's name.
std::string_view reason_phrase(int status);

/// Appends a complete response to `out`: status line, headers with `Connection: close`, and the
/// JSON body {"error": {"code": …, "message": …}}.
/// \param date  the value of the Date field
void append_rejection(const RejectionText& text, std::string_view date, std::string& out);

/// Appends the head and the body of a response of our own making.
/// \param date   the value of the Date field
/// \param close  adds `Connection: close`
void append_response(int status, std::string_view date, bool close, std::string_view body,
                     std::string& out);

/// The text of a Date field (RFC 9110 section 5.6.7) for seconds since the epoch.
std::array<char, 29> format_date(std::int64_t unix_seconds);

}  // namespace belay::webhook::http
