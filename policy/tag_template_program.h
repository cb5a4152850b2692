// What a tag template compiles to: elements, or an expression. Only
// tag_template.cpp uses it. Immutable once compiled.
#pragma once

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/tag_template.h"

namespace belay::policy {

inline constexpr std::size_t kMaxPlaceholders = 32;
inline constexpr std::size_t kMaxElements = 2 * kMaxPlaceholders + 1;  // with literals between them
inline constexpr std::size_t kMinCommitDigits = 7;
inline constexpr std::size_t kMaxCommitDigits = 40;

enum class ElementKind : std::uint8_t {
  kLiteral,
  kVersion,
  kDate,
  kEnvironment,
  kCommit,
  kName,
  kNumber,
  kAny,
};

struct Placeholder {
  std::string_view name;
  ElementKind kind;
  bool once;  ///< a second one could only contradict it
  std::size_t min_bytes;
  std::string_view gap;  ///< its name in a form (gaps.h)
};
inline constexpr std::array<Placeholder, 7> kPlaceholders{{
    {"version", ElementKind::kVersion, true, 5, "version"},
    {"date", ElementKind::kDate, true, 8, "date"},
    {"environment", ElementKind::kEnvironment, true, 1, ""},
    {"commit", ElementKind::kCommit, true, kMinCommitDigits, "commit"},
    {"name", ElementKind::kName, false, 1, "name"},
    {"number", ElementKind::kNumber, false, 1, "number"},
    {"any", ElementKind::kAny, false, 1, "text"},
}};

/// One piece of a compiled template.
struct Element {
  ElementKind kind;
  std::string literal;  ///< of kLiteral
};

struct TagTemplate::Program {
  std::string text;
  std::vector<Element> elements;
  std::vector<std::string> words;          ///< of {environment}, as given
  std::vector<std::string> longest_first;  ///< the same, in the order in which they are tried
  std::unique_ptr<re2::RE2> regex;         ///< in place of elements

  bool has(ElementKind kind) const {
    return std::any_of(elements.begin(), elements.end(),
                       [kind](const Element& element) { return element.kind == kind; });
  }

  std::expected<void, BadTemplate> read_regex();
  std::expected<void, BadTemplate> read_elements();
  std::expected<void, BadTemplate> read_placeholder(std::size_t open, std::size_t close);
  std::expected<void, BadTemplate> read_literal(std::size_t begin, std::size_t end);
};

/// \return the row of a kind, nullptr for literals.
inline const Placeholder* find_placeholder(ElementKind kind) {
  const auto* found = std::find_if(kPlaceholders.begin(), kPlaceholders.end(),
                                   [kind](const auto& known) { return known.kind == kind; });
  return found == kPlaceholders.end() ? nullptr : found;
}

}  // namespace belay::policy
