// Finished nodes wait in one vector until their parent ends, so each list of children is allocated
// once, at its size.
#include "policy/document_tree.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "policy/field_path.h"
#include "policy/scalar.h"
#include "policy/text/quote.h"

namespace belay::policy {
namespace {

/// Above this many keys duplicates are looked up in a hash set instead of one by one.
constexpr std::size_t kFewKeys = 12;

/// Positions of two keys of one text, the first such pair, or nothing.
std::optional<std::pair<std::size_t, std::size_t>> find_duplicate(const std::vector<Node>& keys) {
  if (keys.size() <= kFewKeys) {
    for (std::size_t i = 1; i < keys.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (keys[i].text == keys[j].text) return std::pair(j, i);
      }
    }
    return std::nullopt;
  }
  std::unordered_map<std::string_view, std::size_t> seen;
  seen.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto [first, fresh] = seen.emplace(keys[i].text, i);
    if (!fresh) return std::pair(first->second, i);
  }
  return std::nullopt;
}

/// The position of the first of two keys, relative to the second: right for a text inside a
/// text, too. A key from an alias may be anywhere.
std::string first_is(const Position& first, const Position& second) {
  if (first.line > second.line) return {};
  const auto lines = second.line - first.line;
  if (lines == 0) return ", first on the same line";
  return ", first " + std::to_string(lines) + (lines == 1 ? " line above" : " lines above");
}

std::size_t depth_of(const Node& node) {
  std::size_t depth = 0;
  for (const auto& item : node.items) depth = std::max(depth, depth_of(item));
  const bool nests = node.kind == Node::Kind::kMapping || node.kind == Node::Kind::kSequence;
  return depth + (nests ? 1 : 0);
}

}  // namespace

bool TreeBuilder::fail(Position position, std::string message) {
  error = {.position = position, .message = std::move(message)};
  return false;
}

bool TreeBuilder::fail_too_large(Position position, std::string_view what) {
  fail(position, std::string(what) + std::to_string(limits_.max_nodes) + " nodes");
  error.too_large = true;
  return false;
}

void TreeBuilder::start_document() { anchors_.clear(); }

/// Counts the nodes of an expanded alias against the limits.
bool TreeBuilder::count(const Node& node, Position position) {
  if (++nodes_ > limits_.max_nodes) {
    return fail_too_large(position, "aliases expand to more than ");
  }
  expanded_bytes_ += node.text.size();
  if (expanded_bytes_ > limits_.max_bytes) {
    return fail(position,
                "aliases expand to more than " + std::to_string(limits_.max_bytes) + " bytes");
  }
  for (const auto& key : node.keys) {
    if (!count(key, position)) return false;
  }
  for (const auto& item : node.items) {
    if (!count(item, position)) return false;
  }
  return true;
}

bool TreeBuilder::open(Node::Kind kind, Position position, const NodeProperties& properties) {
  if (open_.size() >= limits_.max_depth) {
    return fail(position, "nested deeper than " + std::to_string(limits_.max_depth) + " levels");
  }
  const std::string_view wanted =
      kind == Node::Kind::kMapping ? "tag:yaml.org,2002:map" : "tag:yaml.org,2002:seq";
  if (!properties.tag.empty() && properties.tag != "!" && properties.tag != wanted) {
    return fail(position, "tag " + quote_line(properties.tag) + " is not supported here");
  }
  open_.push_back({kind, position, pending_.size(), std::string(properties.anchor)});
  return true;
}

bool TreeBuilder::close(std::size_t end_offset) {
  Open frame = std::move(open_.back());
  open_.pop_back();
  Node node;
  node.kind = frame.kind;
  node.position = frame.position;
  node.end_offset = std::max(end_offset, frame.position.offset);
  if (frame.kind == Node::Kind::kMapping) {
    if (!collect_mapping(frame, node)) return false;
  } else {
    const auto first = pending_.begin() + static_cast<std::ptrdiff_t>(frame.first_child);
    node.items.assign(std::make_move_iterator(first), std::make_move_iterator(pending_.end()));
  }
  pending_.resize(frame.first_child);
  return add(std::move(node), frame.anchor);
}

/// Splits the pending nodes of a mapping into keys and values, refuses duplicates, merges `<<`.
bool TreeBuilder::collect_mapping(const Open& frame, Node& node) {
  const std::size_t size = (pending_.size() - frame.first_child) / 2;
  node.keys.reserve(size);
  node.items.reserve(size);
  std::vector<std::pair<Position, Node>> merges;
  for (std::size_t i = frame.first_child; i + 1 < pending_.size(); i += 2) {
    Node& key = pending_[i];
    if (key.kind == Node::Kind::kMapping || key.kind == Node::Kind::kSequence) {
      return fail(key.position, "a key must be a string");
    }
    if (key.kind == Node::Kind::kNull) {
      if (key.text.empty()) return fail(key.position, "an empty key");
      key.kind = Node::Kind::kScalar;
    }
    if (key.plain && key.text == "<<") {
      merges.emplace_back(key.position, std::move(pending_[i + 1]));
      continue;
    }
    node.keys.push_back(std::move(key));
    node.items.push_back(std::move(pending_[i + 1]));
  }
  if (!take_duplicates(frame, node)) return false;
  if (merges.size() > 1) return fail(merges[1].first, "duplicate key \"<<\"");
  return merges.empty() || merge(node, merges[0].second, merges[0].first);
}

/// Reports duplicate keys as errors or collects them, and drops the second ones.
bool TreeBuilder::take_duplicates(const Open& frame, Node& node) {
  while (const auto pair = find_duplicate(node.keys)) {
    const Node& key = node.keys[pair->second];
    std::string message = "duplicate key " + quote_line(key.text) +
                          first_is(node.keys[pair->first].position, key.position);
    if (duplicates_ == nullptr || duplicates_->size() == kMaxDuplicates) {
      return fail(key.position, std::move(message));
    }
    duplicates_->push_back(
        {key.position, std::move(message), append_key(path_of(frame), key.text)});
    const auto second = static_cast<std::ptrdiff_t>(pair->second);
    node.keys.erase(node.keys.begin() + second);
    node.items.erase(node.items.begin() + second);
  }
  return true;
}

/// Path of the mapping that has just ended: each one around it waits with its last key, or with the
/// items in front.
std::string TreeBuilder::path_of(const Open& frame) const {
  std::string path;
  for (std::size_t i = 0; i < open_.size(); ++i) {
    const std::size_t next = i + 1 < open_.size() ? open_[i + 1].first_child : frame.first_child;
    const std::size_t before = next - open_[i].first_child;
    if (open_[i].kind == Node::Kind::kSequence) {
      path = append_index(std::move(path), before);
    } else if (before % 2 != 0) {  // otherwise it is a key itself, which is refused elsewhere
      path = append_key(std::move(path), pending_[next - 1].text);
    }
  }
  return path;
}

/// Merge key of YAML 1.1 (https://yaml.org/type/merge.html): keys of its own win over merged ones,
/// earlier mappings of a list over later ones.
bool TreeBuilder::merge(Node& node, Node& source, Position key) {
  if (source.kind == Node::Kind::kSequence) {
    for (auto& item : source.items) {
      if (item.kind != Node::Kind::kMapping) return fail(key, "<< can merge only mappings");
      if (!merge(node, item, key)) return false;
    }
    return true;
  }
  if (source.kind != Node::Kind::kMapping) return fail(key, "<< can merge only mappings");
  std::unordered_set<std::string> present;
  for (const auto& own : node.keys) present.insert(own.text);
  for (std::size_t i = 0; i < source.keys.size(); ++i) {
    if (present.contains(source.keys[i].text)) continue;
    node.keys.push_back(std::move(source.keys[i]));
    node.items.push_back(std::move(source.items[i]));
  }
  return true;
}

bool TreeBuilder::scalar(Node node, const NodeProperties& properties) {
  node.kind = Node::Kind::kScalar;
  if (!apply_tag(properties.tag, node)) return false;
  if (node.plain && scalar_meaning(node.text) == ScalarMeaning::kNull) {
    node.kind = Node::Kind::kNull;
  }
  return add(std::move(node), properties.anchor);
}

bool TreeBuilder::apply_tag(std::string_view tag, Node& node) {
  if (tag.empty()) return true;
  constexpr std::string_view kCore = "tag:yaml.org,2002:";
  const std::string_view name = tag.starts_with(kCore) ? tag.substr(kCore.size()) : tag;
  if (name == "str" || name == "!") {
    node.plain = false;
    return true;
  }
  struct Row {
    std::string_view name;
    ScalarMeaning meaning;
  };
  static constexpr std::array<Row, 4> kRows = {{{"bool", ScalarMeaning::kBool},
                                                {"int", ScalarMeaning::kInteger},
                                                {"float", ScalarMeaning::kFloat},
                                                {"null", ScalarMeaning::kNull}}};
  for (const auto& row : kRows) {
    if (row.name != name) continue;
    const auto meaning = scalar_meaning(node.text);
    const bool fits = meaning == row.meaning ||
                      (row.meaning == ScalarMeaning::kFloat && meaning == ScalarMeaning::kInteger);
    if (!fits) {
      return fail(node.position, quote_line(node.text) + " is not a !!" + std::string(name));
    }
    node.plain = true;
    return true;
  }
  return fail(node.position, "tag " + quote_line(tag) +
                                 " is not supported; !!str, !!int, !!float, !!bool, !!null, "
                                 "!!map and !!seq are");
}

bool TreeBuilder::alias(const std::string& name, Position position) {
  const auto found = anchors_.find(name);
  if (found == anchors_.end()) {
    return fail(position, "alias *" + name + " has no anchor &" + name + " before it");
  }
  if (open_.size() + depth_of(found->second) > limits_.max_depth) {
    return fail(position,
                "aliases nest deeper than " + std::to_string(limits_.max_depth) + " levels");
  }
  if (!count(found->second, position)) return false;
  return add(found->second, {});
}

bool TreeBuilder::add(Node node, std::string_view anchor) {
  if (++nodes_ > limits_.max_nodes) return fail_too_large(node.position, "more than ");
  if (!anchor.empty()) {
    if (!count(node, node.position)) return false;
    anchors_[std::string(anchor)] = node;
  }
  if (!open_.empty()) {
    pending_.push_back(std::move(node));
  } else if (node.kind != Node::Kind::kNull) {
    documents.push_back({std::move(node)});
  }
  return true;
}

}  // namespace belay::policy
