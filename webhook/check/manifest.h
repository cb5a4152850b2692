// Manifests: which files hold them, where one document of a stream ends, which objects a document
// holds, and where a field of an object stands in its file.
//
// Stateless; thread-safe.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/document.h"

namespace belay::webhook::check {

/// A file to read, and how it came to that.
struct ManifestFile {
  std::string path;
  /// By its own name: all of it must be Kubernetes objects. What a directory holds may also be
  /// other people's YAML, such as the values of a chart.
  bool named = true;
};

/// The files behind a path: itself, or every .yaml, .yml and .json below a directory, sorted
/// (kustomization files left out: they hold no objects).
/// \return the files, or why there are none.
std::expected<std::vector<ManifestFile>, std::string> find_manifests(const std::string& path);

/// A whole file. \return its text, or why it cannot be read.
std::expected<std::string, std::string> read_file(const std::string& path);

/// One document of a stream.
struct Chunk {
  std::string_view text;
  std::uint32_t lines_before = 0;
};

/// Splits a stream where a line starts with "---", which no scalar may hold (YAML 1.2, production
/// c-forbidden), so that a stream is read document by document. A stream with directives is one
/// chunk: they belong to the document behind them.
std::vector<Chunk> split_stream(std::string_view text);

/// An object of a document, with what a List says for its items.
struct ManifestObject {
  const policy::Node* node = nullptr;
  std::string_view api_version, kind;  ///< "" where absent
  std::string_view group() const;      ///< "apps" of "apps/v1", "" of "v1"
};

/// Calls `take` for the object of a document, or for each item where it is a List.
void for_each_object(const policy::Node& root, const std::function<void(ManifestObject)>& take);

/// A text at a dotted path of plain keys ("metadata.name"), or "".
std::string_view text_at(const policy::Node& object, std::string_view path);

/// The field at a path ("spec.containers[0].image"), or nullptr.
const policy::Node* find_field(const policy::Node& object, std::string_view field);

/// Where a field stands ("spec.containers[0].image", "metadata.labels[app.kubernetes.io/name]"): a
/// scalar's value, otherwise the key. Of a field that is absent, the nearest that is there.
policy::Position locate(const policy::Node& object, std::string_view field);

}  // namespace belay::webhook::check
