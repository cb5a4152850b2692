#include "webhook/kube/object.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "policy/text/base64.h"

namespace belay::webhook::kube {
namespace {

using nlohmann::json;
using Words = std::map<std::string, std::string, std::less<>>;
using Type = WatchEvent::Type;

constexpr std::pair<std::string_view, Type> kTypes[] = {{"ADDED", Type::kAdded},
                                                        {"MODIFIED", Type::kModified},
                                                        {"DELETED", Type::kDeleted},
                                                        {"BOOKMARK", Type::kBookmark},
                                                        {"ERROR", Type::kError}};

/// What is wrong with an answer; ends in this file.
struct ObjectFault {
  std::string message;
};

json parse(std::string_view text) {
  json value = json::parse(text.begin(), text.end(), nullptr, false);
  if (!value.is_object()) throw ObjectFault{"the API server's response is not a JSON object"};
  return value;
}

/// A member, or null where it is absent.
const json& member(const json& object, std::string_view key) {
  static const json kNothing;
  if (!object.is_object()) return kNothing;
  const auto found = object.find(key);
  return found == object.end() ? kNothing : *found;
}

std::string text_of(const json& object, std::string_view key) {
  const json& value = member(object, key);
  if (value.is_null()) return {};
  if (!value.is_string()) throw ObjectFault{fmt::format("{} is not a string", key)};
  return value.get<std::string>();
}

/// A map of strings.
Words words_of(const json& object, std::string_view key) {
  const json& map = member(object, key);
  if (map.is_null()) return {};
  if (!map.is_object()) throw ObjectFault{fmt::format("{} is not an object", key)};
  Words words;
  for (const auto& [name, value] : map.items()) {
    if (!value.is_string()) throw ObjectFault{fmt::format("{}[{}] is not a string", key, name)};
    words.emplace(name, value.get<std::string>());
  }
  return words;
}

/// \param kind  of a list's items, which do not say it themselves: "ConfigMap"
Object object_of(const json& value, std::string_view kind) {
  const json& metadata = member(value, "metadata");
  if (!metadata.is_object()) throw ObjectFault{"an object without metadata"};
  Object object{.namespace_name = text_of(metadata, "namespace"),
                .name = text_of(metadata, "name"),
                .uid = text_of(metadata, "uid"),
                .resource_version = text_of(metadata, "resourceVersion"),
                .labels = words_of(metadata, "labels"),
                .annotations = words_of(metadata, "annotations"),
                .data = {}};
  if (kind == "ConfigMap" || kind.empty()) object.data = words_of(value, "data");
  if (kind == "Secret") {
    object.data = words_of(value, "data");
    for (auto& [key, encoded] : object.data) {
      auto bytes = policy::base64_decode(encoded);
      if (!bytes) throw ObjectFault{fmt::format("data[{}] of a Secret is not base64", key)};
      encoded = *std::move(bytes);
    }
  }
  return object;
}

Object named_object_of(const json& value, std::string_view kind) {
  Object object = object_of(value, kind);
  if (object.name.empty()) throw ObjectFault{"an object without metadata.name"};
  return object;
}

WatchEvent event_of(const json& line) {
  const std::string type = text_of(line, "type");
  const json& value = member(line, "object");
  WatchEvent event;
  const auto* const row =
      std::ranges::find(kTypes, type, &std::pair<std::string_view, Type>::first);
  if (row == std::end(kTypes))
    throw ObjectFault{fmt::format("an event of unknown type \"{}\"", type)};
  event.type = row->second;
  if (event.type == Type::kError) {
    const json& code = member(value, "code");
    if (code.is_number_integer()) event.code = code.get<int>();
    event.message = text_of(value, "message");
  } else if (event.type == Type::kBookmark) {
    event.object.resource_version = object_of(value, {}).resource_version;
    if (event.object.resource_version.empty())
      throw ObjectFault{"a bookmark without resourceVersion"};
  } else {
    event.object = named_object_of(value, text_of(value, "kind"));
  }
  return event;
}

ObjectList list_of(const json& value) {
  std::string kind = text_of(value, "kind");
  constexpr std::string_view kSuffix = "List";
  if (kind.ends_with(kSuffix)) kind.resize(kind.size() - kSuffix.size());
  const json& metadata = member(value, "metadata");
  if (!metadata.is_object()) throw ObjectFault{"a list without metadata"};
  ObjectList list{.items = {},
                  .resource_version = text_of(metadata, "resourceVersion"),
                  .continue_token = text_of(metadata, "continue")};
  if (list.resource_version.empty()) throw ObjectFault{"a list without resourceVersion"};
  if (!value.contains("items")) throw ObjectFault{"a list without items"};
  const json& items = member(value, "items");
  if (items.is_null()) return list;
  if (!items.is_array()) throw ObjectFault{"items is not an array"};
  list.items.reserve(items.size());
  for (const json& item : items) list.items.push_back(named_object_of(item, kind));
  return list;
}

/// Runs a reader and turns what it threw into an error.
template <typename Read>
auto guarded(std::string_view text, Read read)
    -> std::expected<decltype(read(std::declval<const json&>())), std::string> {
  try {
    return read(parse(text));
  } catch (const ObjectFault& fault) {
    return std::unexpected(fault.message);
  } catch (const json::exception& error) {
    return std::unexpected(std::string(error.what()));
  }
}

}  // namespace

bool older(std::string_view version, std::string_view than) {
  unsigned long long left = 0;
  unsigned long long right = 0;
  const auto whole = [](std::string_view text, unsigned long long& value) {
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    return read.ec == std::errc() && read.ptr == text.data() + text.size();
  };
  return whole(version, left) && whole(than, right) && left < right;
}

std::expected<Object, std::string> read_object(std::string_view json_text) {
  return guarded(json_text,
                 [](const json& value) { return named_object_of(value, text_of(value, "kind")); });
}

std::expected<ObjectList, std::string> read_list(std::string_view json_text) {
  return guarded(json_text, list_of);
}

std::expected<WatchEvent, std::string> read_watch_event(std::string_view json_text) {
  return guarded(json_text, event_of);
}

}  // namespace belay::webhook::kube
