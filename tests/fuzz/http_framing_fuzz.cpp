// Framing of HTTP requests over any bytes. Holds that
//  - the verdict is the same whether the bytes come at once, one by one, or in odd pieces;
//  - a request that is framed keeps every limit and lies within the input;
//  - one that is framed has a POST of a known path in its head, and no Transfer-Encoding.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/http/framing.h"

using namespace belay::webhook::http;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

Framer frame_in_steps(std::string_view input, const FramingLimits& limits, std::size_t step) {
  Framer framer(limits);
  for (std::size_t size = std::min(step, input.size());;
       size = std::min(size + step, input.size())) {
    framer.advance(input.substr(0, size));
    if (size == input.size()) return framer;
  }
}

void require_same(const Framer& a, const Framer& b) {
  require(a.state() == b.state());
  if (a.state() == FrameState::kRejected) {
    require(a.rejection().reason == b.rejection().reason &&
            a.rejection().what == b.rejection().what);
    return;
  }
  if (a.state() == FrameState::kNeedHead) return;
  require(a.head().head_bytes == b.head().head_bytes);
  require(a.head().body_bytes == b.head().body_bytes);
  require(a.head().path_index == b.head().path_index);
  require(a.head().query.offset == b.head().query.offset);
  require(a.head().content_type.offset == b.head().content_type.offset);
  require(a.head().close == b.head().close);
}

void require_limits(std::string_view input, const Framer& framer, const FramingLimits& limits) {
  const RequestHead& head = framer.head();
  require(head.head_bytes <= limits.max_header_bytes && head.head_bytes <= input.size());
  require(head.body_bytes <= limits.max_body_bytes);
  require(head.path_index < limits.paths.size());
  const std::string_view text = input.substr(0, head.head_bytes);
  require(text.ends_with("\r\n\r\n"));
  require(head.query.of(text).find(' ') == std::string_view::npos);
  require(head.content_type.of(text).find('\n') == std::string_view::npos);
  require(text.find("POST " + limits.paths[head.path_index]) <= 2);
  require(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) <=
          limits.max_headers + 3);
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  require(lower.find("\ntransfer-encoding:") == std::string::npos);
  require(lower.find("\ncontent-length:") == lower.rfind("\ncontent-length:"));
  require(lower.find("\ncontent-length:") != std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::string> kPaths = {"/validate", "/mutate"};
  const FramingLimits limits{512, 8, 256, kPaths};
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Framer whole = frame_in_steps(input, limits, size + 1);
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{64}}) {
    require_same(whole, frame_in_steps(input, limits, step));
  }
  if (whole.state() == FrameState::kNeedBody || whole.state() == FrameState::kWhole) {
    require_limits(input, whole, limits);
  }
  require((whole.state() == FrameState::kWhole) ==
          (whole.head().head_bytes != 0 && whole.state() != FrameState::kRejected &&
           whole.head().total_bytes() <= size));
  return 0;
}
