// Any bytes as an image reference. Holds: an error points into the text; what parses lies within
// the text, fits the limits, and its canonical form reads as itself.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policy/image_reference.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using belay::policy::parse_image_reference;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto reference = parse_image_reference(text);
  if (!reference) {
    require(reference.error().offset <= text.size());
    require(!describe(reference.error().code).empty());
    return 0;
  }
  require(reference->tag.size() <= belay::policy::kMaxTagBytes);
  require(reference->repository().size() <= belay::policy::kMaxNameBytes);
  require(text.starts_with(reference->written_name()));
  require(!reference->host().empty() && !reference->path_on_host().empty());
  require(reference->path.ends_with(reference->last_segment()));

  std::string rebuilt(reference->written_name());
  if (reference->has_tag()) rebuilt.append(":").append(reference->tag);
  if (reference->has_digest()) rebuilt.append("@").append(reference->digest);
  require(rebuilt == text);

  const std::string canonical = reference->canonical();
  const auto again = parse_image_reference(canonical);
  require(again.has_value() && again->canonical() == canonical);
  require(again->registry == reference->registry && again->repository() == reference->repository());
  require(again->tag == reference->tag && again->digest == reference->digest);
  return 0;
}
