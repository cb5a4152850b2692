// Asks libyaml for the events of a text, finds where each stands, and hands them to the builder of
// trees. The bytes are looked at before (document_text.h). libyaml's grammar is that of Kubernetes'
// readers: go-yaml, behind sigs.k8s.io/yaml, is its translation to Go.
#include "policy/document.h"

#include <algorithm>
#include <array>

#include <yaml.h>

#include "policy/document_text.h"
#include "policy/document_tree.h"
#include "policy/text/ascii.h"
#include "policy/utf16_escapes.h"

namespace belay::policy {
namespace {

constexpr std::string_view kHalfAPair = "half of a UTF-16 surrogate pair";

/// A libyaml parser over a text, which outlives it.
class Parser {
 public:
  explicit Parser(std::string_view text) : made_(yaml_parser_initialize(&parser_) == 1) {
    if (!made_) return;
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
  }
  ~Parser() {
    if (made_) yaml_parser_delete(&parser_);
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  /// \return false where the text cannot be read on; state() has the reason
  bool next(yaml_event_t& event) { return made_ && yaml_parser_parse(&parser_, &event) == 1; }
  const yaml_parser_t& state() const { return parser_; }

 private:
  yaml_parser_t parser_{};
  const bool made_;
};

/// The next event of a parser; freed at its end.
struct Event {
  Event() = default;
  ~Event() { yaml_event_delete(&value); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  yaml_event_t value{};
};

std::string_view view(const yaml_char_t* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

/// Turns libyaml's events into calls of a TreeBuilder, and its marks into positions of our own.
class EventReader {
 public:
  EventReader(std::string_view text, const Utf16Escapes& escapes, TreeBuilder& tree)
      : text_(text), escapes_(escapes), tree_(tree), walk_(text) {}

  /// \return false after an error, which is in the tree
  bool take(const yaml_event_t& event);

 private:
  Position start_of(const yaml_event_t& event, const NodeProperties& properties);
  bool open(Node::Kind kind, const yaml_event_t& event, const NodeProperties& properties);
  bool close(const yaml_event_t& event);
  bool scalar(const yaml_event_t& event);
  bool alias(const yaml_event_t& event);

  std::string_view text_;
  const Utf16Escapes& escapes_;
  TreeBuilder& tree_;
  TextWalk walk_;
  Position last_;  ///< one past the last token, the position of an empty value
};

/// One past what may come between a node's properties and the node: blanks, breaks and comments.
std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    if (text[at] == '#') {
      at = find_break(text, at);
    } else if (text[at] == ' ' || text[at] == '\t') {
      ++at;
    } else if (const auto length = break_length(text, at)) {
      at += length;
    } else {
      break;
    }
  }
  return at;
}

/// One past the property (YAML 1.2.2, section 6.9) at `at`, an anchor or a tag.
std::size_t property_end(std::string_view text, std::size_t at) {
  if (text[at] == '&') {
    const auto in_name = [](char c) { return is_alphanumeric(c) || c == '_' || c == '-'; };
    const auto* end = std::find_if_not(text.begin() + at + 1, text.end(), in_name);
    return static_cast<std::size_t>(end - text.begin());
  }
  if (text.substr(at).starts_with("!<")) return std::min(text.find('>', at), text.size() - 1) + 1;
  const auto end = std::min(text.find_first_of(" \t\r\n,[]{}", at), text.size());
  return find_break(text.substr(0, end), at);
}

/// One past all properties before a node, and what comes between.
std::size_t skip_properties(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == '&' || text[at] == '!')) {
    at = skip_blanks(text, property_end(text, at));
  }
  return at;
}

/// libyaml's mark of an event is before the node's properties; this is of the node itself.
Position EventReader::start_of(const yaml_event_t& event, const NodeProperties& properties) {
  const Position start = walk_.to_character(event.start_mark.index);
  if (properties.anchor.empty() && properties.tag.empty()) return start;
  return walk_.to_byte(skip_properties(text_, start.offset));
}

bool EventReader::open(Node::Kind kind, const yaml_event_t& event,
                       const NodeProperties& properties) {
  return tree_.open(kind, start_of(event, properties), properties);
}

bool EventReader::close(const yaml_event_t& event) {
  // A block ends with its last token, not where the next one begins; only a bracket is its end.
  if (event.end_mark.index > event.start_mark.index) {
    last_ = walk_.to_character(event.end_mark.index);
  }
  return tree_.close(last_.offset);
}

bool EventReader::scalar(const yaml_event_t& event) {
  const auto& scalar = event.data.scalar;
  const NodeProperties properties{view(scalar.anchor), view(scalar.tag)};
  Node node;
  node.plain = scalar.style == YAML_PLAIN_SCALAR_STYLE;
  node.literal = scalar.style == YAML_LITERAL_SCALAR_STYLE;
  node.text.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
  if (node.plain && node.text.empty()) {
    node.position = last_;
  } else {
    node.position = start_of(event, properties);
    if (node.literal || scalar.style == YAML_FOLDED_SCALAR_STYLE) {  // begins after its header
      const std::size_t header_end = find_break(text_, node.position.offset);
      node.position = walk_.to_byte(header_end + break_length(text_, header_end));
    }
    last_ = walk_.to_character(event.end_mark.index);
    if (!escapes_.restore(node.position.offset, last_.offset, node.text)) {
      tree_.error = {node.position, std::string(kHalfAPair)};
      return false;
    }
  }
  node.end_offset = last_.offset;
  return tree_.scalar(std::move(node), properties);
}

bool EventReader::alias(const yaml_event_t& event) {
  const Position position = walk_.to_character(event.start_mark.index);
  last_ = walk_.to_character(event.end_mark.index);
  return tree_.alias(std::string(view(event.data.alias.anchor)), position);
}

bool EventReader::take(const yaml_event_t& event) {
  switch (event.type) {
    case YAML_DOCUMENT_START_EVENT:
      tree_.start_document();
      return true;
    case YAML_MAPPING_START_EVENT:
      return open(Node::Kind::kMapping, event,
                  {view(event.data.mapping_start.anchor), view(event.data.mapping_start.tag)});
    case YAML_SEQUENCE_START_EVENT:
      return open(Node::Kind::kSequence, event,
                  {view(event.data.sequence_start.anchor), view(event.data.sequence_start.tag)});
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
      return close(event);
    case YAML_SCALAR_EVENT:
      return scalar(event);
    case YAML_ALIAS_EVENT:
      return alias(event);
    default:
      return true;
  }
}

/// What to do about a problem of libyaml's, where its own words do not.
struct Advice {
  std::string_view problem;  ///< libyaml's words
  std::string_view at;       ///< the characters at which it may occur; "" for all
  std::string_view advice;
};
constexpr std::array kAdvice = std::to_array<Advice>({
    {"found character that cannot start any token", "\t", "tabs cannot indent; use spaces"},
    {"found a tab character that violates indentation", "", "tabs cannot indent; use spaces"},
    {"found a tab character where an indentation space is expected", "",
     "tabs cannot indent; use spaces"},
    {"found character that cannot start any token", "",
     "a value cannot start with this character; put it in quotes"},
    {"did not find expected node content", "]},",
     "a value cannot start with this character; put it in quotes"},
    {"mapping values are not allowed in this context", "",
     "a second \": \" in the line, or too many spaces before it; put a value that contains "
     "\": \" in quotes"},
    {"did not find expected ',' or ']'", "", R"(expected "," or "]" in the list)"},
    {"did not find expected ',' or '}'", "", R"(expected "," or "}" in the mapping)"},
    {"did not find expected key", "", "expected a key here; indent the line like its neighbours"},
    {"did not find expected '-' indicator", "",
     "expected \"- \" here; indent the line like its neighbours"},
    {"could not find expected ':'", "", "expected \":\" after a key"},
    {"found unexpected ':'", "", R"(expected a value after ":"; write "" for an empty one)"},
    {"did not find expected <document start>", "", "write \"---\" before a second document"},
    {"found unknown escape character", "",
     R"(unknown escape; in double quotes, write \\ for a backslash)"},
    {"found invalid Unicode character escape code", "", kHalfAPair},
});

/// What libyaml was reading, where that helps more than the place of a problem.
struct Context {
  std::string_view context;  ///< libyaml's words
  std::string_view name;
};
constexpr std::array kContexts = std::to_array<Context>({
    {"while parsing a flow sequence", "list"},
    {"while parsing a block collection", "list"},
    {"while parsing a flow mapping", "mapping"},
    {"while parsing a block mapping", "mapping"},
});

/// libyaml's error about the text, in words that say what to do.
DocumentError library_error(std::string_view text, const yaml_parser_t& state) {
  if (state.error == YAML_MEMORY_ERROR) return {{}, "cannot be read: out of memory"};
  if (state.problem == nullptr) return {{}, "cannot be read as YAML"};
  const std::string_view problem = state.problem;
  const std::string_view context = state.context == nullptr ? "" : state.context;
  if (problem == "found unexpected end of stream" && context == "while scanning a quoted scalar") {
    return {TextWalk(text).to_character(state.context_mark.index),
            "the quotes that open here are not closed"};
  }
  const Position position = TextWalk(text).to_character(state.problem_mark.index);
  const char at = position.offset < text.size() ? text[position.offset] : '\0';
  const auto advice = std::ranges::find_if(kAdvice, [&](const Advice& row) {
    return row.problem == problem && (row.at.empty() || row.at.contains(at));
  });
  std::string message(advice == kAdvice.end() ? problem : advice->advice);
  const auto within = std::ranges::find(kContexts, context, &Context::context);
  const Position began = TextWalk(text).to_character(state.context_mark.index);
  if (within != kContexts.end() && began.line != position.line) {
    message.append("; the ").append(within->name).append(" begins at line ");
    message += std::to_string(began.line);
  }
  return {position, std::move(message)};
}

}  // namespace

std::expected<std::vector<Document>, DocumentError> read_documents(
    std::string_view text, const DocumentLimits& limits, std::vector<DocumentError>* duplicates) {
  if (text.size() > limits.max_bytes) {
    return std::unexpected(
        DocumentError{{}, "larger than " + std::to_string(limits.max_bytes) + " bytes"});
  }
  if (auto bad = find_bad_byte(text)) return std::unexpected(std::move(*bad));
  if (auto many = find_many_directives(text)) return std::unexpected(std::move(*many));

  const Utf16Escapes escapes(text);
  Parser parser(escapes.readable().substr(text_start(text)));
  TreeBuilder tree(limits, duplicates);
  EventReader reader(text, escapes, tree);
  while (true) {
    Event event;
    if (!parser.next(event.value)) return std::unexpected(library_error(text, parser.state()));
    if (event.value.type == YAML_STREAM_END_EVENT) return std::move(tree.documents);
    if (!reader.take(event.value)) return std::unexpected(std::move(tree.error));
  }
}

}  // namespace belay::policy
