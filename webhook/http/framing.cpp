// Framing of requests, line by line. Errors of the grammar end at the line that holds them; what
// the fields say together is evaluated once at the end of the head, in one order.
#include "webhook/http/framing.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace belay::webhook::http {
namespace {

enum CharClass : std::uint8_t { kToken = 1, kValue = 2, kTarget = 4, kHost = 8 };

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    std::uint8_t bits = 0;
    if (alnum || (c < 128 && std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) !=
                                 std::string_view::npos)) {
      bits |= kToken;
    }
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) bits |= kValue;
    if (c > 0x20 && c < 0x7f && c != '#') bits |= kTarget;
    if (alnum || c == '.' || c == '-' || c == ':' || c == '[' || c == ']' || c == '_') {
      bits |= kHost;
    }
    classes[static_cast<std::size_t>(c)] = bits;
  }
  return classes;
}
constexpr auto kClasses = make_classes();

bool all_of_class(std::string_view text, CharClass wanted) {
  std::uint8_t common = wanted;
  for (const char c : text) common &= kClasses[static_cast<unsigned char>(c)];
  return common != 0;
}

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool equal_ignoring_case(std::string_view text, std::string_view lower_case) {
  return text.size() == lower_case.size() &&
         std::equal(text.begin(), text.end(), lower_case.begin(),
                    [](char a, char b) { return lower(a) == b; });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

enum class Field : std::uint8_t {
  kOther,
  kHost,
  kExpect,
  kUpgrade,
  kConnection,
  kContentType,
  kContentLength,
  kContentEncoding,
  kTransferEncoding,
};

Field field_of(std::string_view name) {
  struct Row {
    std::string_view name;
    Field field;
  };
  static constexpr std::array<Row, 8> kRows{{{"host", Field::kHost},
                                             {"expect", Field::kExpect},
                                             {"upgrade", Field::kUpgrade},
                                             {"connection", Field::kConnection},
                                             {"content-type", Field::kContentType},
                                             {"content-length", Field::kContentLength},
                                             {"content-encoding", Field::kContentEncoding},
                                             {"transfer-encoding", Field::kTransferEncoding}}};
  for (const Row& row : kRows) {
    if (equal_ignoring_case(name, row.name)) return row.field;
  }
  return Field::kOther;
}

constexpr RejectionText malformed(std::string_view what) { return {Rejection::kMalformed, what}; }

Slice slice(std::string_view part, std::string_view line, std::size_t line_offset) {
  return {
      static_cast<std::uint32_t>(line_offset + static_cast<std::size_t>(part.data() - line.data())),
      static_cast<std::uint32_t>(part.size())};
}

}  // namespace

bool Framer::reject(RejectionText text) {
  rejection_ = text;
  state_ = FrameState::kRejected;
  return false;
}

FrameState Framer::advance(std::string_view input) {
  while (state_ == FrameState::kNeedHead) {
    const std::size_t window = std::min(input.size(), limits_->max_header_bytes);
    const void* const found =
        scanned_ < window ? std::memchr(input.data() + scanned_, '\n', window - scanned_) : nullptr;
    if (found == nullptr) {
      scanned_ = window;
      if (input.size() >= limits_->max_header_bytes) {
        reject({Rejection::kHeadersTooLarge, "the request line and headers are too long",
                limits_->max_header_bytes, "bytes"});
      }
      break;
    }
    const auto line_end = static_cast<std::size_t>(static_cast<const char*>(found) - input.data());
    std::string_view line = input.substr(line_start_, line_end - line_start_);
    const std::size_t line_offset = line_start_;
    line_start_ = scanned_ = line_end + 1;
    if (line.empty() || line.back() != '\r') {
      reject(malformed("a line of the head does not end with CR LF"));
      break;
    }
    line.remove_suffix(1);
    if (!request_line_) {
      if (line.empty() && !blank_line_) {
        blank_line_ = true;  // RFC 9112 section 2.2 asks servers to pass over one
        continue;
      }
      if (!read_request_line(line)) break;
      const std::size_t target = line.find(' ') + 1;
      path_.offset += static_cast<std::uint32_t>(line_offset + target);
      head_.query.offset += static_cast<std::uint32_t>(line_offset + target);
    } else if (line.empty()) {
      head_.head_bytes = line_start_;
      if (finish_head()) state_ = FrameState::kNeedBody;
    } else if (!read_field(line, line_offset)) {
      break;
    }
  }
  if (state_ == FrameState::kNeedBody && input.size() >= head_.total_bytes()) {
    state_ = FrameState::kWhole;
  }
  return state_;
}

bool Framer::read_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t second = first == line.npos ? line.npos : line.find(' ', first + 1);
  if (second == line.npos)
    return reject(malformed("the request line is not an HTTP/1.1 request line"));
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);
  if (method.empty() || !all_of_class(method, kToken)) {
    return reject(malformed("the method contains invalid characters"));
  }
  if (version != "HTTP/1.1") return reject(malformed("only HTTP/1.1 is supported"));
  if (target.empty() || target.front() != '/' || !all_of_class(target, kTarget)) {
    return reject(malformed("the request target is not a path"));
  }
  const std::size_t mark = std::min(target.find('?'), target.size());
  const std::string_view path = target.substr(0, mark);
  path_ = {0, static_cast<std::uint32_t>(path.size())};
  if (mark < target.size()) {
    head_.query = {static_cast<std::uint32_t>(mark + 1),
                   static_cast<std::uint32_t>(target.size() - mark - 1)};
  }
  const auto known = std::find(limits_->paths.begin(), limits_->paths.end(), path);
  known_path_ = known != limits_->paths.end();
  head_.path_index = static_cast<std::size_t>(known - limits_->paths.begin());
  post_ = method == "POST";
  request_line_ = true;
  return true;
}

bool Framer::read_field(std::string_view line, std::size_t line_offset) {
  if (++fields_ > limits_->max_headers) {
    return reject({Rejection::kHeadersTooLarge, "too many header fields", limits_->max_headers});
  }
  if (line.front() == ' ' || line.front() == '\t') {
    return reject(malformed("a header line is folded"));
  }
  const std::size_t colon = line.find(':');
  if (colon == line.npos || colon == 0 || !all_of_class(line.substr(0, colon), kToken)) {
    return reject(malformed("the name of a header field is invalid"));
  }
  const std::string_view value = trim(line.substr(colon + 1));
  if (!all_of_class(value, kValue)) {
    return reject(malformed("a header field contains a control character"));
  }
  switch (field_of(line.substr(0, colon))) {
    case Field::kOther:
      return true;
    case Field::kHost:
      if (host_) return reject(malformed("more than one Host field"));
      if (value.empty() || !all_of_class(value, kHost)) {
        return reject(malformed("the Host field is not a host or host:port"));
      }
      host_ = true;
      return true;
    case Field::kExpect:
      if (!equal_ignoring_case(value, "100-continue")) {
        return reject(malformed("the Expect field is not 100-continue"));
      }
      head_.expects_continue = true;
      return true;
    case Field::kUpgrade:
      return reject(malformed("protocol upgrades are not supported"));
    case Field::kConnection:
      return read_connection(value);
    case Field::kContentType:
      if (content_type_) return reject(malformed("more than one Content-Type field"));
      content_type_ = true;
      head_.content_type = slice(value, line, line_offset);
      return true;
    case Field::kContentLength:
      if (content_length_) return reject(malformed("more than one Content-Length field"));
      content_length_ = true;
      if (value.empty() || (value.size() > 1 && value.front() == '0') ||
          !std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        return reject(malformed("the Content-Length is not a decimal number"));
      }
      for (const char c : value) {
        head_.body_bytes = head_.body_bytes * 10 + static_cast<std::size_t>(c - '0');
        if (head_.body_bytes > limits_->max_body_bytes) {
          too_long_ = true;
          head_.body_bytes = 0;
          break;
        }
      }
      return true;
    case Field::kContentEncoding:
      content_encoding_ = true;
      return true;
    case Field::kTransferEncoding:
      transfer_encoding_ = true;
      return true;
  }
  return true;
}

bool Framer::read_connection(std::string_view value) {
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    const std::string_view option = trim(value.substr(0, comma));
    if (equal_ignoring_case(option, "close")) head_.close = true;
    if (equal_ignoring_case(option, "upgrade")) {
      return reject(malformed("protocol upgrades are not supported"));
    }
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return true;
}

bool Framer::finish_head() {
  if (!host_) return reject(malformed("the Host field is missing"));
  if (transfer_encoding_) {
    return reject({Rejection::kTransferEncoding,
                   "Transfer-Encoding is not supported, send a Content-Length"});
  }
  if (!known_path_) return reject({Rejection::kUnknownPath, "this path does not exist"});
  if (!post_) return reject({Rejection::kMethod, "only POST is supported"});
  if (content_encoding_) {
    return reject({Rejection::kMediaType, "Content-Encoding is not supported, send plain JSON"});
  }
  if (!content_length_) {
    return reject({Rejection::kLengthRequired, "the Content-Length field is missing"});
  }
  if (too_long_) {
    return reject(
        {Rejection::kBodyTooLarge, "the body is too large", limits_->max_body_bytes, "bytes"});
  }
  return true;
}

}  // namespace belay::webhook::http
