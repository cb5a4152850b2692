#include "webhook/registry/auth/challenge.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "policy/text/ascii.h"

namespace belay::webhook::registry {
namespace {

constexpr std::size_t kMaxChallengeHeader = 8'192;
constexpr std::size_t kMaxChallenges = 16;

bool is_token_sign(char c) {
  return policy::is_alphanumeric(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

/// RFC 9110 section 11.2, without the "=" at its end.
bool is_token68_sign(char c) {
  return policy::is_alphanumeric(c) || std::string_view("-._~+/").find(c) != std::string_view::npos;
}

/// Bytes of a quoted text: a tab, a blank, what can be seen, and bytes outside ASCII.
bool is_text_sign(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c == '\t' || (byte >= 0x20U && byte != 0x7FU);
}

using Parameters = std::vector<std::pair<std::string, std::string>>;

/// Walks one header's value.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }
  /// Blanks and commas between the elements of a list.
  void skip_separators() {
    take([](char c) { return c == ' ' || c == '\t' || c == ','; });
  }
  std::string_view take_token() { return take(is_token_sign); }

  /// What follows a scheme. \return nullopt where the grammar breaks
  std::optional<Parameters> take_parameters() {
    Parameters parameters;
    const std::size_t before = at_;
    skip_blanks();
    if (at_end() || text_[at_] == ',') return parameters;
    if (at_ == before) return std::nullopt;
    if (take_token68()) return parameters;
    while (true) {
      auto parameter = take_parameter();
      if (!parameter) return std::nullopt;
      const auto same = [&](const auto& other) { return other.first == parameter->first; };
      if (std::ranges::any_of(parameters, same)) return std::nullopt;  // whom to believe?
      parameters.push_back(*std::move(parameter));
      skip_blanks();
      if (at_end()) return parameters;
      if (text_[at_] != ',') return std::nullopt;
      skip_separators();
      if (!at_parameter()) return parameters;
    }
  }

 private:
  template <typename Class>
  std::string_view take(Class is) {
    const std::size_t start = at_;
    while (at_ < text_.size() && is(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }
  void skip_blanks() {
    take([](char c) { return c == ' ' || c == '\t'; });
  }

  /// Takes a token68 that is all there is of its challenge.
  bool take_token68() {
    const std::size_t start = at_;
    if (!take(is_token68_sign).empty()) {
      take([](char c) { return c == '='; });
      skip_blanks();
      if (at_end() || text_[at_] == ',') return true;
    }
    at_ = start;
    return false;
  }

  /// Whether a parameter stands here, and not the next scheme.
  bool at_parameter() {
    const std::size_t start = at_;
    const bool named = !take_token().empty();
    skip_blanks();
    const bool found = named && !at_end() && text_[at_] == '=';
    at_ = start;
    return found;
  }

  std::optional<std::pair<std::string, std::string>> take_parameter() {
    std::string name = policy::lower_case(take_token());
    skip_blanks();
    if (name.empty() || at_end() || text_[at_] != '=') return std::nullopt;
    ++at_;
    skip_blanks();
    if (!at_end() && text_[at_] == '"') {
      auto value = take_quoted();
      if (!value) return std::nullopt;
      return std::pair(std::move(name), *std::move(value));
    }
    const std::string_view value = take_token();
    if (value.empty()) return std::nullopt;
    return std::pair(std::move(name), std::string(value));
  }

  std::optional<std::string> take_quoted() {
    std::string value;
    for (++at_; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c == '"') {
        ++at_;
        return value;
      }
      if (c == '\\') {
        if (++at_ == text_.size()) return std::nullopt;
        c = text_[at_];
      }
      if (!is_text_sign(c)) return std::nullopt;
      value += c;
    }
    return std::nullopt;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::string_view Challenge::get(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return {};
}

std::vector<Challenge> read_challenges(std::string_view value) {
  std::vector<Challenge> challenges;
  if (value.size() > kMaxChallengeHeader) return challenges;
  Reader reader(value);
  for (reader.skip_separators(); !reader.at_end(); reader.skip_separators()) {
    std::string scheme = policy::lower_case(reader.take_token());
    if (scheme.empty()) break;
    auto parameters = reader.take_parameters();
    if (!parameters) break;
    challenges.push_back({.scheme = std::move(scheme), .parameters = *std::move(parameters)});
    if (challenges.size() == kMaxChallenges) break;
  }
  return challenges;
}

}  // namespace belay::webhook::registry
