// Matches tags against the elements of a template by backtracking. What failed is remembered by
// (element, position), so no pair is tried twice and hostile tags cost no more than others.
#include "policy/tag_template.h"

#include <re2/re2.h>

#include <algorithm>
#include <bitset>

#include "policy/gaps.h"
#include "policy/image_reference.h"
#include "policy/tag.h"
#include "policy/tag_template_program.h"
#include "policy/text/ascii.h"

namespace belay::policy {

/// One attempt to fit one tag. Lives on the stack of match().
struct TagTemplate::Matcher {
  const Program& program;
  std::string_view tag;
  const std::string_view* wanted_environment = nullptr;  ///< the only word that counts, if any
  const std::string_view* wanted_version = nullptr;
  TagParts parts{};
  std::bitset<kMaxElements*(kMaxTagBytes + 1)> failed{};

  /// \return whether the elements from `element` on fit the tag from `at` on.
  bool rest(std::size_t element, std::size_t at) {
    if (element == program.elements.size()) return at == tag.size();
    const std::size_t key = element * (kMaxTagBytes + 1) + at;
    if (failed[key]) return false;
    if (fit(element, at)) return true;
    failed[key] = true;
    return false;
  }

 private:
  bool fit(std::size_t element, std::size_t at) {
    switch (program.elements[element].kind) {
      case ElementKind::kLiteral: {
        const std::string& literal = program.elements[element].literal;
        return tag.substr(at).starts_with(literal) && rest(element + 1, at + literal.size());
      }
      case ElementKind::kVersion:
        return version(element, at);
      case ElementKind::kDate:
        return date(element, at, 8) || date(element, at, 10);
      case ElementKind::kEnvironment:
        return environment(element, at);
      case ElementKind::kCommit:
        return run(element, at, is_hex, kMinCommitDigits, kMaxCommitDigits);
      case ElementKind::kName:
        return name(element, at);
      case ElementKind::kNumber:
        return run(element, at, is_digit, 1, kMaxTagBytes);
      case ElementKind::kAny:
        return run(element, at, [](char) { return true; }, 1, kMaxTagBytes);
    }
    return false;
  }

  template <typename Class>
  bool run(std::size_t element, std::size_t at, Class is_member, std::size_t min, std::size_t max) {
    std::size_t end = at;
    while (end < tag.size() && end - at < max && is_member(tag[end])) {
      ++end;
      if (end - at >= min && rest(element + 1, end)) return true;
    }
    return false;
  }

  bool date(std::size_t element, std::size_t at, std::size_t size) {
    return tag.size() - at >= size && parse_date(tag.substr(at, size)).has_value() &&
           rest(element + 1, at + size);
  }

  bool environment(std::size_t element, std::size_t at) {
    for (const std::string& word : program.longest_first) {
      if (wanted_environment != nullptr && word != *wanted_environment) continue;
      if (!tag.substr(at).starts_with(word) || !rest(element + 1, at + word.size())) continue;
      parts.environment = tag.substr(at, word.size());
      return true;
    }
    return false;
  }

  bool name(std::size_t element, std::size_t at) {
    bool word_open = false;  // a word has begun, so the name may end or the word be closed
    for (std::size_t end = at; end < tag.size(); ++end) {
      const char c = tag[end];
      const bool letter_or_digit = is_lower(c) || (end != at && is_digit(c));
      if (letter_or_digit) {
        word_open = true;
        if (rest(element + 1, end + 1)) return true;
      } else if ((c == '-' || c == '_') && word_open) {
        word_open = false;
      } else {
        return false;
      }
    }
    return false;
  }

  bool version_ends(std::size_t element, std::size_t at, std::size_t end) {
    const std::string_view text = tag.substr(at, end - at);
    if (wanted_version != nullptr && text != *wanted_version) return false;
    if (!rest(element + 1, end)) return false;
    parts.version = text;
    return true;
  }

  /// Reads digits without a leading zero. \return one past their end, `at` where there are none.
  std::size_t number_end(std::size_t at) const {
    if (at < tag.size() && tag[at] == '0') return at + 1;
    while (at < tag.size() && is_digit(tag[at])) ++at;
    return at;
  }

  bool version(std::size_t element, std::size_t at) {
    // major "." minor "."
    std::size_t end = at;
    for (int i = 0; i < 2; ++i) {
      const std::size_t start = end;
      end = number_end(start);
      if (end == start || end == tag.size() || tag[end] != '.') return false;
      ++end;
    }
    // patch, which may end after any of its digits
    const std::size_t patch_end = number_end(end);
    if (patch_end == end) return false;
    while (end < patch_end) {
      if (version_ends(element, at, ++end)) return true;
    }
    // pre-release, which may end wherever its last identifier is whole
    if (end == tag.size() || tag[end] != '-') return false;
    std::size_t identifier = ++end;
    bool digits_only = true;
    while (end < tag.size()) {
      const char c = tag[end];
      const auto whole = [&] {
        return end > identifier &&
               (!digits_only || end == identifier + 1 || tag[identifier] != '0');
      };
      if (c == '.') {
        if (!whole()) return false;
        identifier = ++end;
        digits_only = true;
        continue;
      }
      if (!is_digit(c) && !is_lower(c) && !is_upper(c) && c != '-') return false;
      digits_only = digits_only && is_digit(c);
      ++end;
      if (whole() && version_ends(element, at, end)) return true;
    }
    return false;
  }
};

bool TagTemplate::match(std::string_view tag, TagParts* parts) const {
  if (tag.size() > kMaxTagBytes) return false;
  if (program_->regex != nullptr) {
    return re2::RE2::FullMatch(re2::StringPiece(tag.data(), tag.size()), *program_->regex);
  }
  Matcher matcher{*program_, tag};
  if (!matcher.rest(0, 0)) return false;
  if (parts != nullptr) *parts = matcher.parts;
  return true;
}

bool TagTemplate::match_with_environment(std::string_view tag, std::string_view word) const {
  if (tag.size() > kMaxTagBytes || !has_environment()) return false;
  Matcher matcher{*program_, tag, &word};
  return matcher.rest(0, 0);
}

bool TagTemplate::match_with_version(std::string_view tag, std::string_view version) const {
  if (tag.size() > kMaxTagBytes || !has_version()) return false;
  Matcher matcher{*program_, tag, nullptr, &version};
  return matcher.rest(0, 0);
}

bool TagTemplate::has_version() const { return program_->has(ElementKind::kVersion); }
bool TagTemplate::has_environment() const { return program_->has(ElementKind::kEnvironment); }

std::string TagTemplate::form(const TagFormValues& values) const {
  std::string out;
  for (const Element& element : program_->elements) {
    if (element.kind == ElementKind::kLiteral) {
      out += element.literal;
    } else if (element.kind == ElementKind::kEnvironment) {
      const auto& words = program_->words;
      const bool known = std::find(words.begin(), words.end(), values.environment) != words.end();
      out += known ? values.environment : std::string_view(words.front());
    } else {
      out.append("<").append(find_placeholder(element.kind)->gap).append(">");
    }
  }
  return sample_text(out).size() > kMaxTagBytes ? std::string() : out;
}

const std::string& TagTemplate::text() const { return program_->text; }

}  // namespace belay::policy
