// Globs and label selectors: compiling checks what no object could ever match, matching is a loop
// over bytes. Stateless but for the compiled values, which never change; thread-safe.
#include "policy/selector.h"

#include <algorithm>
#include <cassert>

#include "policy/text/ascii.h"
#include "policy/text/quote.h"

namespace belay::policy {
namespace {

constexpr std::size_t kMaxSelectorPatternBytes = 512;
constexpr std::size_t kMaxLabelNameBytes = 63;
constexpr std::size_t kMaxDnsSubdomainBytes = 253;
constexpr std::string_view kDockerHub = "docker.io";

bool same_without_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return to_lower(x) == to_lower(y); });
}

/// "" where the pattern is fit to compile.
std::string check_pattern(std::string_view pattern) {
  if (pattern.empty()) return "is empty";
  if (pattern.size() > kMaxSelectorPatternBytes) return "is longer than 512 bytes";
  const bool control = std::any_of(pattern.begin(), pattern.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (control) return "contains control characters";
  return {};
}

/// Splits host[:port]; the port of "[fd00::1]:5000" comes after the bracket.
struct HostPort {
  std::string_view host;
  std::string_view port;
};
HostPort split_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::size_t bracket = text.rfind(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) {
    return {text, {}};
  }
  return {text.substr(0, colon), text.substr(colon + 1)};
}

/// Takes the next segment off the front of a path.
std::string_view take_segment(std::string_view& path) {
  const std::size_t slash = path.find('/');
  const std::string_view segment = path.substr(0, slash);
  path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  return segment;
}

bool is_wild(std::string_view text) { return text.find_first_of("*?") != std::string_view::npos; }

/// What is wrong with the host of a repository pattern, "" where a registry can match it.
std::string check_host(std::string_view host, std::string_view pattern) {
  if (host.empty()) return "starts with \"/\"; it must start with a registry, such as docker.io";
  const bool fits = std::all_of(host.begin(), host.end(), [](char c) {
    return is_alphanumeric(c) || std::string_view(".-_:[]*?").find(c) != std::string_view::npos;
  });
  if (!fits) return "has a registry that is not host or host:port";
  const bool looks_like_host = host == "localhost" || is_wild(host) ||
                               host.find_first_of(".:") != std::string_view::npos ||
                               std::any_of(host.begin(), host.end(), is_upper);
  if (!looks_like_host) {
    std::string out = "names no registry; write docker.io/";
    if (pattern.find('/') == std::string_view::npos) out += "library/";
    out += pattern;
    return out;
  }
  const auto [name, port] = split_port(host);
  if (name.empty()) return "has a port without a host";
  if (host.ends_with(':')) return "has a registry that ends with \":\"; a port must follow it";
  const bool numeric = std::all_of(port.begin(), port.end(),
                                   [](char c) { return is_digit(c) || c == '*' || c == '?'; });
  if (!numeric) return "has port " + quote(port) + ", which is not a number";
  return {};
}

/// What is wrong with one segment of a repository pattern, "" where a repository can match it.
std::string check_segment(std::string_view segment) {
  if (segment.empty()) return "has an empty path segment";
  for (const char c : segment) {
    if (is_upper(c)) return "has upper-case letters in its path, which repositories never have";
    if (c == ':' || c == '@') return "names a tag or digest; only repositories are matched here";
    if (!is_alphanumeric(c) && std::string_view("._-*?").find(c) == std::string_view::npos) {
      return "has characters in its path that repositories never have";
    }
  }
  if (segment.find("**") != std::string_view::npos) {
    return "contains \"**\", which may only be the whole last segment";
  }
  return {};
}

/// Letters, digits, "-", "_" and "." with a letter or digit at both ends, 63 at most
/// (validation.go: the name part of a qualified name, and label values).
std::string check_label_name(std::string_view text) {
  if (text.size() > kMaxLabelNameBytes) return "is longer than 63 characters";
  if (!is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) {
    return "must begin and end with a letter or digit";
  }
  const bool fits = std::all_of(text.begin(), text.end(), [](char c) {
    return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
  });
  if (!fits) return "may contain only letters, digits, \"-\", \"_\" and \".\"";
  return {};
}

/// DNS-1123 subdomain: lower-case labels joined by ".".
bool is_dns_subdomain(std::string_view text) {
  const auto edge = [](char c) { return is_lower(c) || is_digit(c); };
  if (text.empty() || text.size() > kMaxDnsSubdomainBytes) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (edge(c)) continue;
    if (c != '-' && c != '.') return false;
    const bool first = i == 0 || text[i - 1] == '.';
    const bool last = i + 1 == text.size() || text[i + 1] == '.';
    if (first || last) return false;  // an empty label, or "-" at an edge
    if (c == '.' && text[i - 1] == '-') return false;
  }
  return true;
}

}  // namespace

const std::string_view* find_label(Labels labels, std::string_view key) {
  for (const Label& label : labels) {
    if (label.key == key) return &label.value;
  }
  return nullptr;
}

std::expected<Glob, std::string> Glob::compile(std::string_view pattern, Case c) {
  if (std::string problem = check_pattern(pattern); !problem.empty()) {
    return std::unexpected(std::move(problem));
  }
  Glob glob;
  glob.pattern_ = pattern;
  glob.ignore_case_ = c == Case::kInsensitive;
  return glob;
}

bool Glob::matches(std::string_view text) const {
  const std::string_view pattern = pattern_;
  const auto same = [this](char a, char b) {
    return a == b || (ignore_case_ && to_lower(a) == to_lower(b));
  };
  // Where a literal fails, only the last star can help: the ones before it have matched the
  // shortest run already. So there is one place to go back to, and no recursion.
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || same(pattern[p], text[t]))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string TagGlobs::add(std::string_view pattern) {
  auto glob = Glob::compile(pattern, Glob::Case::kInsensitive);
  if (!glob) return std::move(glob.error());
  if (is_wild(pattern)) {
    globs_.push_back(std::move(*glob));
    return {};
  }
  std::string word(pattern);
  std::transform(word.begin(), word.end(), word.begin(), to_lower);
  const auto place = std::lower_bound(words_.begin(), words_.end(), word);
  if (place == words_.end() || *place != word) words_.insert(place, std::move(word));
  return {};
}

bool TagGlobs::matches(std::string_view tag) const {
  const auto before = [](std::string_view a, std::string_view b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [](char x, char y) { return to_lower(x) < to_lower(y); });
  };
  if (std::binary_search(words_.begin(), words_.end(), tag, before)) return true;
  return std::any_of(globs_.begin(), globs_.end(),
                     [tag](const Glob& glob) { return glob.matches(tag); });
}

std::expected<NameGlobs, NameGlobs::BadEntry> NameGlobs::compile(
    std::span<const std::string> patterns) {
  NameGlobs globs;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    std::string_view pattern = patterns[i];
    const bool excludes = pattern.starts_with('!');
    if (excludes) pattern.remove_prefix(1);
    if (excludes && pattern.empty()) {
      return std::unexpected(BadEntry{i, "excludes nothing; a glob must follow \"!\""});
    }
    auto glob = Glob::compile(pattern);
    if (!glob) return std::unexpected(BadEntry{i, std::move(glob.error())});
    (excludes ? globs.exclude_ : globs.include_).push_back(std::move(*glob));
  }
  return globs;
}

bool NameGlobs::matches(std::string_view name) const {
  const auto fits = [name](const Glob& glob) { return glob.matches(name); };
  if (std::any_of(exclude_.begin(), exclude_.end(), fits)) return false;
  return include_.empty() || std::any_of(include_.begin(), include_.end(), fits);
}

std::expected<RepositoryGlob, std::string> RepositoryGlob::compile(std::string_view pattern) {
  if (std::string problem = check_pattern(pattern); !problem.empty()) {
    return std::unexpected(std::move(problem));
  }
  if (pattern.find("://") != std::string_view::npos) {
    return std::unexpected("starts with a URL scheme, which image references do not have");
  }

  RepositoryGlob glob;
  glob.pattern_ = pattern;
  std::string_view path = pattern;
  std::string_view host = take_segment(path);
  if (host == "**") host = "*";
  if (std::string problem = check_host(host, pattern); !problem.empty()) {
    return std::unexpected(std::move(problem));
  }
  if (same_without_case(host, "index.docker.io")) host = kDockerHub;
  glob.any_host_ = host == "*";
  const auto [name, port] = split_port(host);
  const auto compiled = [](std::string_view text, Glob::Case c) {
    auto result = Glob::compile(text, c);
    assert(result.has_value());  // check_pattern() passed the whole of it
    return std::move(*result);
  };
  glob.host_ = compiled(name, Glob::Case::kInsensitive);
  if (!port.empty()) glob.port_ = compiled(port, Glob::Case::kSensitive);

  glob.whole_host_ = pattern.find('/') == std::string_view::npos;
  if (glob.whole_host_) return glob;
  if (pattern.ends_with('/')) {
    return std::unexpected("ends with \"/\"; leave it out, or end with \"/**\" for any depth");
  }
  while (!path.empty()) {
    const std::string_view segment = take_segment(path);
    if (segment == "**" && path.empty()) {
      glob.any_depth_ = true;
      break;
    }
    if (std::string problem = check_segment(segment); !problem.empty()) {
      return std::unexpected(std::move(problem));
    }
    glob.segments_.push_back(compiled(segment, Glob::Case::kSensitive));
  }
  if (glob.segments_.size() == 1 && !glob.any_depth_ && same_without_case(host, kDockerHub)) {
    glob.segments_.insert(glob.segments_.begin(), compiled("library", Glob::Case::kSensitive));
  }
  return glob;
}

bool RepositoryGlob::matches(const ImageReference& reference) const {
  if (!any_host_) {
    const auto [host, port] = split_port(reference.host());
    if (port_.pattern().empty() != port.empty()) return false;
    if (!host_.matches(host) || !port_.matches(port)) return false;
  }
  if (whole_host_) return true;
  std::string_view path = reference.path_on_host();
  std::size_t matched = 0;
  if (reference.official) {
    if (segments_.empty()) return any_depth_;
    if (!segments_[matched++].matches("library")) return false;
  }
  while (!path.empty()) {
    if (matched == segments_.size()) return any_depth_;
    if (!segments_[matched++].matches(take_segment(path))) return false;
  }
  return matched == segments_.size() && !any_depth_;
}

LabelSelector::LabelSelector(std::vector<Requirement> requirements)
    : requirements_(std::move(requirements)) {}

bool LabelSelector::matches(Labels labels) const {
  return std::all_of(
      requirements_.begin(), requirements_.end(), [labels](const Requirement& requirement) {
        const std::string_view* value = find_label(labels, requirement.key);
        const auto listed = [&] {
          return std::find(requirement.values.begin(), requirement.values.end(), *value) !=
                 requirement.values.end();
        };
        switch (requirement.op) {
          case Operator::kIn:
            return value != nullptr && listed();
          case Operator::kNotIn:
            return value == nullptr || !listed();
          case Operator::kExists:
            return value != nullptr;
          case Operator::kDoesNotExist:
            return value == nullptr;
        }
        return false;
      });
}

std::string check_label_key(std::string_view key) {
  const std::size_t slash = key.find('/');
  std::string_view name = key;
  if (slash != std::string_view::npos) {
    if (key.find('/', slash + 1) != std::string_view::npos) return "has more than one \"/\"";
    if (!is_dns_subdomain(key.substr(0, slash))) {
      return "has a prefix that is not a lower-case DNS name";
    }
    name = key.substr(slash + 1);
  }
  if (name.empty()) return slash == std::string_view::npos ? "is empty" : "has no name after \"/\"";
  return check_label_name(name);
}

std::string check_label_value(std::string_view value) {
  return value.empty() ? std::string() : check_label_name(value);
}

}  // namespace belay::policy
