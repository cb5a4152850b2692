// Tag templates: "{name}-v{version}-{environment}" compiled to a matcher.
//
// Placeholders: {version} SemVer 2.0 without leading v; {date} YYYYMMDD or YYYY-MM-DD, a real date;
// {environment} one of the known words; {commit} 7-40 hex digits; {name} lower-case words of
// letters and digits joined by "-" or "_", the first character a letter; {number} decimal digits;
// {any} one or more characters. Everything else is literal. {name}, {number} and {any} may be
// used more than once, the others once, as a tag has one version. "regex:" before the
// text takes an RE2 expression that must match the whole tag.
//
// A template that fits in several ways is accepted. The first way is the one in which every
// placeholder takes as little as it can, and {environment} the longest word. Matching is bounded:
// polynomial in the 128 characters of a tag at worst; longer text is not a tag and fits nothing.
//
// Compiled values are immutable; match() is const and thread-safe and allocates nothing (RE2 may,
// within 1 MiB an expression).
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::policy {

/// What a template found in a tag. Views borrow from the tag; "" where the template has no such
/// part.
struct TagParts {
  std::string_view version;
  std::string_view environment;  ///< the word as in the tag
};

/// What form() fills placeholders with.
struct TagFormValues {
  std::string_view environment;  ///< "" (or a word that is not known) picks the first known word
};

class TagTemplate {
 public:
  /// \param text  the entry of `anyOf`
  /// \param environments  words that {environment} takes ("prod", "staging")
  /// \return the template, or what is wrong with it and at which byte of the text. A template that
  ///     no tag can fit is wrong: characters that tags cannot have, more than 128 of them.
  struct BadTemplate {
    std::size_t offset;
    std::string message;  ///< `has unknown placeholder "{vers}"; did you mean "{version}"?`
  };
  static std::expected<TagTemplate, BadTemplate> compile(std::string_view text,
                                                         std::span<const std::string> environments);

  /// \return whether the text is not a template but an expression for RE2: "regex:v[0-9]+"
  static bool is_expression(std::string_view text);

  /// \return whether the whole tag fits; fills `parts` (of the first way it fits) where given.
  bool match(std::string_view tag, TagParts* parts = nullptr) const;

  /// \return whether some way to fit the tag has `word` as its {environment} part.
  bool match_with_environment(std::string_view tag, std::string_view word) const;
  /// \return whether some way to fit the tag has `version` as its {version} part.
  bool match_with_version(std::string_view tag, std::string_view version) const;

  bool has_version() const;
  bool has_environment() const;
  /// What a tag that fits looks like, with gaps (gaps.h): "v<version>-prod". "" for regex entries,
  /// and where it would be longer than a tag.
  std::string form(const TagFormValues& values) const;
  /// As the policy's author wrote it.
  const std::string& text() const;

 private:
  struct Program;
  struct Matcher;
  std::shared_ptr<const Program> program_;
};

}  // namespace belay::policy
