// Where one request ends and the next begins: the only reader of HTTP on the webhook port.
//
// Grammar (RFC 9112, narrowed to what an API server and curl send):
//
//   request      = [ CRLF ] request-line *( field-line CRLF ) CRLF body
//   request-line = "POST" SP path [ "?" query ] SP "HTTP/1.1" CRLF
//   field-line   = token ":" OWS value OWS       ; no folding, no bare CR or LF, no control bytes
//   body         = Content-Length bytes          ; one Content-Length, no Transfer-Encoding
//
// A pure state machine over bytes: no sockets, no clock, no allocation. It stands between TLS and
// the handler; nothing behind it reads the head again, so no two readers can disagree about it.
// The verdict depends on the bytes alone, never on how they were split. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "webhook/http/rejection.h"

namespace belay::webhook::http {

/// What is read at most. The paths are literal: no decoding, no "..", no trailing slash.
struct FramingLimits {
  std::size_t max_header_bytes;  ///< request line and headers with the blank line
  std::size_t max_headers;
  std::size_t max_body_bytes;
  std::span<const std::string> paths;
};

/// A piece of the request, as offsets from its first byte (the buffer may move meanwhile).
struct Slice {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  std::string_view of(std::string_view input) const { return input.substr(offset, size); }
};

/// What the head of a request says.
struct RequestHead {
  std::size_t path_index = 0;  ///< into FramingLimits::paths
  Slice query;                 ///< behind "?"
  Slice content_type;
  std::size_t head_bytes = 0;  ///< up to and with the blank line
  std::size_t body_bytes = 0;
  bool close = false;             ///< Connection: close
  bool expects_continue = false;  ///< Expect: 100-continue
  std::size_t total_bytes() const { return head_bytes + body_bytes; }
};

enum class FrameState : std::uint8_t {
  kNeedHead,  ///< the head is not whole yet
  kNeedBody,  ///< the head is whole and good, the body is not
  kWhole,     ///< the request is whole: head().total_bytes() of the input
  kRejected,  ///< rejection() says why; the connection must end
};

class Framer {
 public:
  /// \param limits  must outlive the framer
  explicit Framer(const FramingLimits& limits) : limits_(&limits) {}

  /// Looks at the request again.
  /// \param input  all bytes from the request's first on; it begins with what the last call saw
  FrameState advance(std::string_view input);

  FrameState state() const { return state_; }
  /// Valid in kNeedBody and kWhole.
  const RequestHead& head() const { return head_; }
  /// Valid in kRejected.
  const RejectionText& rejection() const { return rejection_; }
  /// Begins the next request.
  void reset() { *this = Framer(*limits_); }

 private:
  bool read_request_line(std::string_view line);
  bool read_field(std::string_view line, std::size_t line_offset);
  bool read_connection(std::string_view value);
  bool finish_head();
  bool reject(RejectionText text);

  const FramingLimits* limits_;
  FrameState state_ = FrameState::kNeedHead;
  RequestHead head_;
  RejectionText rejection_;
  Slice path_;
  std::size_t line_start_ = 0;  ///< of the first line that was not read yet
  std::size_t scanned_ = 0;     ///< no LF between line_start_ and here
  std::size_t fields_ = 0;
  bool blank_line_ = false;  ///< the one empty line before the request line was seen
  bool request_line_ = false;
  bool post_ = false;
  bool known_path_ = false;
  bool host_ = false;
  bool content_type_ = false;
  bool content_length_ = false;
  bool too_long_ = false;  ///< Content-Length above the limit
  bool transfer_encoding_ = false;
  bool content_encoding_ = false;
};

}  // namespace belay::webhook::http
