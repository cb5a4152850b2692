// The text of a tag template -> its elements, or what is wrong with it and where.
#include "policy/tag_template_program.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "policy/image_reference.h"
#include "policy/text/ascii.h"
#include "policy/text/spelling.h"

namespace belay::policy {
namespace {

constexpr std::string_view kRegexPrefix = "regex:";
constexpr std::size_t kMaxTemplateBytes = 512;
constexpr std::int64_t kMaxRegexMemory = 256 << 10;  // bytes

bool is_tag_byte(char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; }

std::string unknown_placeholder(std::string_view name) {
  std::string message = "has unknown placeholder \"{";
  message += name;
  message += "}\"; ";
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), to_lower);
  const auto* nearest = std::find_if(
      kPlaceholders.begin(), kPlaceholders.end(),
      [&lower](const auto& known) { return lower.size() > 2 && known.name.starts_with(lower); });
  bool near = nearest != kPlaceholders.end();
  if (!near) {
    nearest = std::min_element(kPlaceholders.begin(), kPlaceholders.end(),
                               [&lower](const auto& a, const auto& b) {
                                 return edit_distance(lower, a.name) < edit_distance(lower, b.name);
                               });
    near = edit_distance(lower, nearest->name) * 2 <= nearest->name.size();
  }
  if (near) {
    message += "did you mean \"{";
    message += nearest->name;
    message += "}\"?";
    return message;
  }
  message += "known are";
  for (const Placeholder& known : kPlaceholders) {
    message += &known == kPlaceholders.data() ? " {" : ", {";
    message += known.name;
    message += '}';
  }
  return message;
}

}  // namespace

std::expected<void, TagTemplate::BadTemplate> TagTemplate::Program::read_regex() {
  const std::string_view pattern = std::string_view(text).substr(kRegexPrefix.size());
  const std::size_t start = kRegexPrefix.size();
  if (pattern.empty()) return std::unexpected(BadTemplate{start, "has no expression"});
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxRegexMemory);
  regex = std::make_unique<re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (regex->ok()) return {};
  const std::string& culprit = regex->error_arg();
  const std::size_t at = culprit.empty() ? std::string_view::npos : pattern.find(culprit);
  return std::unexpected(BadTemplate{start + (at == std::string_view::npos ? 0 : at),
                                     "is not an RE2 expression: " + regex->error()});
}

std::expected<void, TagTemplate::BadTemplate> TagTemplate::Program::read_placeholder(
    std::size_t open, std::size_t close) {
  const std::string_view name = std::string_view(text).substr(open + 1, close - open - 1);
  const auto* known = std::find_if(kPlaceholders.begin(), kPlaceholders.end(),
                                   [name](const auto& entry) { return entry.name == name; });
  if (known == kPlaceholders.end()) {
    return std::unexpected(BadTemplate{open, unknown_placeholder(name)});
  }
  if (known->once && has(known->kind)) {
    return std::unexpected(
        BadTemplate{open, "has {" + std::string(name) + "} twice; a tag has one"});
  }
  if (known->kind == ElementKind::kEnvironment && words.empty()) {
    return std::unexpected(BadTemplate{open, "has {environment}, but no environment is known"});
  }
  const auto placeholders = std::count_if(elements.begin(), elements.end(), [](const auto& e) {
    return e.kind != ElementKind::kLiteral;
  });
  if (static_cast<std::size_t>(placeholders) == kMaxPlaceholders) {
    return std::unexpected(BadTemplate{open, "has more than 32 placeholders"});
  }
  elements.push_back({known->kind, {}});
  return {};
}

std::expected<void, TagTemplate::BadTemplate> TagTemplate::Program::read_literal(std::size_t begin,
                                                                                 std::size_t end) {
  for (std::size_t i = begin; i < end; ++i) {
    const char c = text[i];
    if (c == '}') return std::unexpected(BadTemplate{i, "has \"}\" without \"{\""});
    if (!is_tag_byte(c)) {
      return std::unexpected(BadTemplate{i,
                                         "has a character that tags cannot have; they have "
                                         "letters, digits, \"_\", \".\" and \"-\""});
    }
    if (i == 0 && (c == '.' || c == '-')) {
      return std::unexpected(BadTemplate{i, "starts with \".\" or \"-\", which tags cannot"});
    }
  }
  elements.push_back({ElementKind::kLiteral, text.substr(begin, end - begin)});
  return {};
}

std::expected<void, TagTemplate::BadTemplate> TagTemplate::Program::read_elements() {
  std::size_t at = 0;
  while (at < text.size()) {
    if (text[at] == '{') {
      const std::size_t close = text.find_first_of("{}", at + 1);
      if (close == std::string::npos || text[close] == '{') {
        return std::unexpected(BadTemplate{at, "has \"{\" without \"}\""});
      }
      if (auto read = read_placeholder(at, close); !read) return read;
      at = close + 1;
      continue;
    }
    const std::size_t end = std::min(text.find('{', at), text.size());
    if (auto read = read_literal(at, end); !read) return read;
    at = end;
  }
  std::size_t min_bytes = 0;
  for (const Element& element : elements) {
    const Placeholder* known = find_placeholder(element.kind);
    min_bytes += known == nullptr ? element.literal.size() : known->min_bytes;
  }
  if (min_bytes > kMaxTagBytes) {
    return std::unexpected(BadTemplate{0, "is longer than the 128 characters of a tag"});
  }
  return {};
}

bool TagTemplate::is_expression(std::string_view text) { return text.starts_with(kRegexPrefix); }

std::expected<TagTemplate, TagTemplate::BadTemplate> TagTemplate::compile(
    std::string_view text, std::span<const std::string> environments) {
  if (text.empty()) return std::unexpected(BadTemplate{0, "is empty"});
  if (text.size() > kMaxTemplateBytes) {
    return std::unexpected(BadTemplate{kMaxTemplateBytes, "is longer than 512 bytes"});
  }
  auto program = std::make_shared<Program>();
  program->text = text;
  for (const std::string& word : environments) {
    if (!word.empty()) program->words.push_back(word);
  }
  program->longest_first = program->words;
  std::sort(program->longest_first.begin(), program->longest_first.end(),
            [](const auto& a, const auto& b) { return a.size() > b.size(); });
  auto read = is_expression(text) ? program->read_regex() : program->read_elements();
  if (!read) return std::unexpected(std::move(read.error()));
  TagTemplate compiled;
  compiled.program_ = std::move(program);
  return compiled;
}

}  // namespace belay::policy
