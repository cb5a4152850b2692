// YAML or JSON text -> a tree with positions, within limits. Policies, test cases and manifests all
// come in through here. JSON is read as the subset of YAML it is.
//
// Limits (bytes, depth, nodes, alias expansion, duplicate keys) are kept while reading, so hostile
// text costs no more than friendly text. Stateless and thread-safe. Uses libyaml; nobody else
// does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::policy {

/// A position in a text; line and column count from 1, columns in bytes. A byte order
/// mark counts as offset, not as column.
struct Position {
  std::size_t offset = 0;
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

/// A node of the tree. Scalars keep their text and whether it was quoted; what a plain scalar means
/// is asked with the predicates below (YAML 1.2 core schema plus YAML 1.1 booleans, as
/// sigs.k8s.io/yaml resolves them). Aliases are expanded and merge keys (`<<`) are merged; what
/// came from an anchor keeps the position at which it was written.
struct Node {
  enum class Kind : std::uint8_t { kNull, kScalar, kSequence, kMapping };
  Kind kind = Kind::kNull;
  bool plain = false;          ///< scalar without quotes
  bool literal = false;        ///< block scalar after "|": its lines are lines of the text
  Position position;           ///< of its first byte
  std::size_t end_offset = 0;  ///< one past its last byte
  std::string text;            ///< of a scalar; of a null as it was written ("~", or nothing)
  std::vector<Node> items;     ///< of a sequence; of a mapping: the values
  std::vector<Node> keys;      ///< of a mapping: kScalar nodes, in order, none twice

  bool is_text() const;  ///< a scalar that is a string
  bool is_bool() const;
  bool bool_value() const;
  bool is_number() const;
  /// The value of a key of a mapping, or nullptr.
  const Node* find(std::string_view key) const;
};

struct DocumentLimits {
  std::size_t max_bytes = 16U << 20U;  ///< of a text; also of what its aliases expand to
  std::size_t max_depth = 64;          ///< of mappings and sequences inside one another
  std::size_t max_nodes = 2'000'000;   ///< over all documents, aliases expanded
};

struct DocumentError {
  Position position;
  std::string message;
  std::string path = {};   ///< of the duplicate key; "" for other errors
  bool too_large = false;  ///< the text has more than `max_nodes`
};

/// A document of a stream.
struct Document {
  Node root;
};

/// Reads every document of a text ("---" separates). Empty documents are left out.
/// \param duplicates  if not nullptr, takes the duplicate keys (kMaxDuplicates of them), and
///     reading goes on with the first of each: for readers that report all errors at once.
///     Documents that have some must not be acted on.
/// \return the documents, or the first error (a stream after it cannot be trusted).
std::expected<std::vector<Document>, DocumentError> read_documents(
    std::string_view text, const DocumentLimits& limits = {},
    std::vector<DocumentError>* duplicates = nullptr);
inline constexpr std::size_t kMaxDuplicates = 64;

/// Appends a node as JSON (strings escaped, plain scalars by their meaning). Keys become the texts
/// that sigs.k8s.io/yaml makes of them (`on:` is "true"). JSON has no infinity and no NaN: both
/// become 0, a number like them.
void append_json(const Node& node, std::string& out);

}  // namespace belay::policy
