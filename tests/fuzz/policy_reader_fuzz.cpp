// Any text -> policies: the YAML reader, the strict policy reader, the JSON writer, ConfigMaps.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policy/document.h"
#include "policy/policy_reader.h"
#include "webhook/policies/policy_files.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belay;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr policy::DocumentLimits kLimits = {
      .max_bytes = 1U << 16U, .max_depth = 64, .max_nodes = 20'000};
  const auto documents = policy::read_documents(text, kLimits);
  if (documents) {
    for (const auto& document : *documents) {
      require(document.root.position.offset <= document.root.end_offset);
      require(document.root.end_offset <= size);
      // What is written as JSON reads as the same JSON.
      std::string once;
      policy::append_json(document.root, once);
      const auto again = policy::read_documents(once);
      if (!again || again->size() != 1) continue;  // keys that become one another in JSON
      std::string twice;
      policy::append_json((*again)[0].root, twice);
      require(once == twice);
    }
  } else {
    require(!documents.error().message.empty() && documents.error().position.offset <= size);
  }
  const auto read = policy::read_policy(text, {});
  if (read) {
    require(!read->name.empty());
  } else {
    require(!read.error().empty());
    for (const auto& error : read.error()) require(!error.message.empty());
  }
  const auto loaded = belay::webhook::policies::load_policy_text("fuzz", text);
  require(!loaded.by_file.empty() || !loaded.problems.empty());
  for (const auto& problem : loaded.problems) require(!problem.format().empty());
  return 0;
}
