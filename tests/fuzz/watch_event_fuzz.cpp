// Any text -> what the Kubernetes API says: an object, a page of a list, an event of a watch.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "webhook/kube/object.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belay::webhook::kube;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto object = read_object(text)) {
    require(!object->name.empty());
  } else {
    require(!object.error().empty());
  }
  if (const auto list = read_list(text)) {
    require(!list->resource_version.empty());
    for (const Object& object : list->items) require(!object.name.empty());
  } else {
    require(!list.error().empty());
  }
  if (const auto event = read_watch_event(text)) {
    const bool names =
        event->type != WatchEvent::Type::kBookmark && event->type != WatchEvent::Type::kError;
    require(!names || !event->object.name.empty());
  } else {
    require(!event.error().empty());
  }
  return 0;
}
