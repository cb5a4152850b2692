// Builds the trees of a YAML stream out of its events, in the order in which they stand in the
// text: keeps the limits, refuses duplicate keys, expands aliases, merges `<<` and checks tags.
// Stands between document.cpp, which turns the parser's events into these calls, and its readers.
// One thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/document.h"

namespace belay::policy {

/// The properties before a node: `&anchor` and `!tag`, "" for none.
struct NodeProperties {
  std::string_view anchor;
  std::string_view tag;
};

class TreeBuilder {
 public:
  /// \param limits  of depth, nodes and expanded bytes; outlives the builder
  /// \param duplicates  takes duplicate keys; nullptr where they are errors
  TreeBuilder(const DocumentLimits& limits, std::vector<DocumentError>* duplicates)
      : limits_(limits), duplicates_(duplicates) {}

  // Each of these returns false after an error, after which nothing more may be called.

  void start_document();
  /// \param kind  kMapping or kSequence
  bool open(Node::Kind kind, Position position, const NodeProperties& properties);
  /// Ends what open() began last.
  bool close(std::size_t end_offset);
  /// \param node  with its position, text and quoting
  bool scalar(Node node, const NodeProperties& properties);
  /// \param position  of the "*"
  bool alias(const std::string& name, Position position);

  std::vector<Document> documents;
  DocumentError error;

 private:
  /// A mapping or sequence whose end has not come yet.
  struct Open {
    Node::Kind kind;
    Position position;
    std::size_t first_child;  ///< index into the pending nodes
    std::string anchor;       ///< "" for none
  };

  bool fail(Position position, std::string message);
  bool fail_too_large(Position position, std::string_view what);
  bool count(const Node& node, Position position);
  bool apply_tag(std::string_view tag, Node& node);
  bool add(Node node, std::string_view anchor);
  bool collect_mapping(const Open& frame, Node& node);
  bool take_duplicates(const Open& frame, Node& node);
  std::string path_of(const Open& frame) const;
  bool merge(Node& node, Node& source, Position key);

  const DocumentLimits& limits_;
  std::vector<DocumentError>* const duplicates_;
  std::vector<Open> open_;
  std::vector<Node> pending_;
  std::unordered_map<std::string, Node> anchors_;
  std::size_t nodes_ = 0;
  std::size_t expanded_bytes_ = 0;
};

}  // namespace belay::policy
