// Files, streams, lists, fields: see the header.
#include "webhook/check/manifest.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>

namespace belay::webhook::check {
namespace {

namespace fs = std::filesystem;
using policy::Node;
using policy::Position;

bool holds_manifests(const fs::path& path) {
  const std::string extension = path.extension().string();
  const std::string stem = path.stem().string();
  return (extension == ".yaml" || extension == ".yml" || extension == ".json") &&
         stem != "kustomization";
}

bool starts_document(std::string_view line) {
  return line.starts_with("---") && (line.size() == 3 || line[3] == ' ' || line[3] == '\t' ||
                                     line[3] == '\r' || line[3] == '\n');
}

/// One step of a field path: a key, or the index of an item.
struct Step {
  std::string_view text;
  bool bracketed = false;
};

Step next_step(std::string_view& path) {
  if (path.starts_with('[')) {
    const std::size_t end = std::min(path.find(']'), path.size());
    const Step step{path.substr(1, end - 1), true};
    path.remove_prefix(std::min(end + 1, path.size()));
    if (path.starts_with('.')) path.remove_prefix(1);
    return step;
  }
  const std::size_t end = std::min(path.find_first_of(".["), path.size());
  const Step step{path.substr(0, end), false};
  path.remove_prefix(end);
  if (path.starts_with('.')) path.remove_prefix(1);
  return step;
}

/// \return the node a step leads to, or nullptr; `position` is set where there is one.
const Node* follow(const Node& node, const Step& step, Position& position) {
  if (node.kind == Node::Kind::kSequence && step.bracketed) {
    std::size_t index = 0;
    const char* const begin = step.text.data();
    const char* const end = begin + step.text.size();
    const auto parsed = std::from_chars(begin, end, index);
    if (parsed.ec != std::errc() || parsed.ptr != end || index >= node.items.size()) return nullptr;
    position = node.items[index].position;
    return &node.items[index];
  }
  if (node.kind != Node::Kind::kMapping) return nullptr;
  for (std::size_t i = 0; i < node.keys.size(); ++i) {
    if (node.keys[i].text != step.text) continue;
    const Node& value = node.items[i];
    position = value.kind == Node::Kind::kScalar ? value.position : node.keys[i].position;
    return &value;
  }
  return nullptr;
}

std::string_view scalar_text(const Node* node) {
  return node != nullptr && node->kind == Node::Kind::kScalar ? std::string_view(node->text)
                                                              : std::string_view();
}

}  // namespace

std::expected<std::vector<ManifestFile>, std::string> find_manifests(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return std::unexpected("no such file or directory");
  if (!fs::is_directory(status)) return std::vector{ManifestFile{path}};

  std::vector<ManifestFile> found;
  // Links may lead in circles, or in many ways to one directory: each is read once, by its own path
  // where it has one below.
  std::set<fs::path> folders{path}, linked, seen;
  while (!folders.empty() || !linked.empty()) {
    std::set<fs::path>& from = folders.empty() ? linked : folders;
    const fs::path folder = from.extract(from.begin()).value();
    const fs::path real = fs::canonical(folder, error);
    if (!error && !seen.insert(real).second) continue;
    fs::directory_iterator entry(folder, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      std::error_code ignored;
      if (entry->is_directory(ignored)) {
        (entry->is_symlink(ignored) ? linked : folders).insert(entry->path());
      } else if (entry->is_regular_file(ignored) && holds_manifests(entry->path())) {
        found.push_back({.path = entry->path().string(), .named = false});
      }
    }
    if (error) return std::unexpected(error.message());
  }
  if (found.empty()) return std::unexpected("contains no .yaml, .yml or .json file");
  std::ranges::sort(found, {}, &ManifestFile::path);
  return found;
}

std::expected<std::string, std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::unexpected(std::generic_category().message(errno));
  std::string text;
  std::array<char, 1 << 16> buffer;
  while (file.read(buffer.data(), buffer.size()), file.gcount() > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) {
    std::error_code error;
    const bool folder = std::filesystem::is_directory(path, error);
    return std::unexpected(folder ? "is a directory; name a file" : "cannot be read");
  }
  return text;
}

std::vector<Chunk> split_stream(std::string_view text) {
  std::vector<Chunk> chunks;
  std::size_t begin = 0;  // of the chunk
  std::uint32_t begin_line = 0;
  std::uint32_t line = 0;
  for (std::size_t at = 0; at < text.size(); ++line) {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with('%')) return {{text, 0}};
    if (at != begin && starts_document(rest.substr(0, 4))) {
      chunks.push_back({text.substr(begin, at - begin), begin_line});
      begin = at;
      begin_line = line;
    }
    const std::size_t line_break = text.find('\n', at);
    at = line_break == std::string_view::npos ? text.size() : line_break + 1;
  }
  if (begin < text.size()) chunks.push_back({text.substr(begin), begin_line});
  return chunks;
}

std::string_view ManifestObject::group() const {
  const std::size_t slash = api_version.find('/');
  return slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
}

void for_each_object(const Node& root, const std::function<void(ManifestObject)>& take) {
  ManifestObject object{&root, scalar_text(root.find("apiVersion")),
                        scalar_text(root.find("kind"))};
  const Node* items = root.find("items");
  if (!object.kind.ends_with("List") || items == nullptr || items->kind == Node::Kind::kScalar ||
      items->kind == Node::Kind::kMapping) {
    return take(object);
  }
  for (const Node& item : items->items) {
    ManifestObject part{&item, scalar_text(item.find("apiVersion")),
                        scalar_text(item.find("kind"))};
    // The items of a DeploymentList need not repeat what the list says; those of a List must.
    if (part.kind.empty()) part.kind = object.kind.substr(0, object.kind.size() - 4);
    if (part.api_version.empty()) part.api_version = object.api_version;
    if (part.kind.ends_with("List")) {
      for_each_object(item, take);
    } else {
      take(part);
    }
  }
}

std::string_view text_at(const Node& object, std::string_view path) {
  return scalar_text(find_field(object, path));
}

const Node* find_field(const Node& object, std::string_view field) {
  const Node* node = &object;
  Position ignored;
  while (node != nullptr && !field.empty()) node = follow(*node, next_step(field), ignored);
  return node;
}

Position locate(const Node& object, std::string_view field) {
  Position position = object.position;
  const Node* node = &object;
  while (node != nullptr && !field.empty()) node = follow(*node, next_step(field), position);
  return position;
}

}  // namespace belay::webhook::check
