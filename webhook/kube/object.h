// A Kubernetes object as far as belay follows it: names, versions, labels, annotations and data.
// Plain values; decoding is pure and thread-safe.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace belay::webhook::kube {

struct Object {
  std::string namespace_name = {};  ///< "" for what has none
  std::string name = {};
  std::string uid = {};
  std::string resource_version = {};
  std::map<std::string, std::string, std::less<>> labels = {};
  std::map<std::string, std::string, std::less<>> annotations = {};
  /// `data` of a ConfigMap as it stands, of a Secret decoded from base64; empty elsewhere.
  std::map<std::string, std::string, std::less<>> data = {};
};

/// A page of a list.
struct ObjectList {
  std::vector<Object> items = {};
  std::string resource_version = {};
  std::string continue_token = {};  ///< "" on the last page
};

/// One line of a watch stream.
struct WatchEvent {
  enum class Type { kAdded, kModified, kDeleted, kBookmark, kError };
  Type type = Type::kError;
  Object object = {};        ///< of a bookmark, only resource_version
  int code = 0;              ///< of kError: the Status' code (410: list again)
  std::string message = {};  ///< of kError
};

/// Whether one resource version was given before another of the same collection: numbers that grow
/// (KEP-5504). Anything else is never older.
bool older(std::string_view version, std::string_view than);

/// \return why the text is no such thing, as a sentence.
std::expected<Object, std::string> read_object(std::string_view json);
std::expected<ObjectList, std::string> read_list(std::string_view json);
std::expected<WatchEvent, std::string> read_watch_event(std::string_view json);

}  // namespace belay::webhook::kube
