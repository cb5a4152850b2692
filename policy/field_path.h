// Paths of fields as people read them in errors: "spec.rules.tagFormat.anyOf[1]"; a key with signs
// stands in brackets, as in Kubernetes' field paths ("labels[app.kubernetes.io/name]"). Pure and
// thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace belay::policy {

/// A path ("" for the document) and one step more.
std::string append_key(std::string path, std::string_view key);
std::string append_index(std::string path, std::size_t index);

}  // namespace belay::policy
