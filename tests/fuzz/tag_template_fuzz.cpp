// A template on the first line, a tag behind it. Holds: an error points into the template; the
// example fits; parts lie within the tag and are ways in which it fits.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "policy/gaps.h"
#include "policy/tag.h"
#include "policy/tag_template.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using belay::policy::TagParts;
  using belay::policy::TagTemplate;
  static const std::vector<std::string> kEnvironments{"dev", "test", "prod", "eu-prod"};
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.find('\n');
  const std::string_view text = input.substr(0, line);
  const std::string_view tag = line == std::string_view::npos ? "" : input.substr(line + 1);

  const auto compiled = TagTemplate::compile(text, kEnvironments);
  if (!compiled) {
    require(compiled.error().offset <= text.size() && !compiled.error().message.empty());
    return 0;
  }
  require(compiled->text() == text);
  const std::string example = belay::policy::sample_text(compiled->form({"prod"}));
  if (!example.empty()) {
    require(compiled->match(example));
    require(!compiled->has_environment() || compiled->match_with_environment(example, "prod"));
    require(!compiled->has_version() ||
            compiled->match_with_version(example, belay::policy::sample_of("version")));
  }

  TagParts parts;
  if (compiled->match(tag, &parts)) {
    require(parts.version.empty() != compiled->has_version());
    require(parts.environment.empty() != compiled->has_environment());
    if (compiled->has_version()) {
      require(belay::policy::parse_semver(parts.version).has_value());
      require(compiled->match_with_version(tag, parts.version));
    }
    if (compiled->has_environment()) {
      require(compiled->match_with_environment(tag, parts.environment));
    }
  } else {
    for (const std::string& word : kEnvironments) {
      require(!compiled->match_with_environment(tag, word));
    }
  }
  return 0;
}
