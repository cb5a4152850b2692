// The reader of image references: one pass over the text, one function a production of the grammar
// in image_reference.h. Every image of every request comes through here. Stateless, thread-safe.
#include "policy/image_reference.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>

#include "policy/text/ascii.h"

namespace belay::policy {
namespace {

using Code = ReferenceErrorCode;

constexpr std::string_view kDefaultRegistry = "docker.io";
constexpr std::string_view kLegacyRegistry = "index.docker.io";
constexpr std::string_view kLocalhost = "localhost";
constexpr std::string_view kOfficialPrefix = "library/";
constexpr std::size_t kIdentifierLength = 64;

// Classes of bytes; a byte may belong to several.
enum : std::uint8_t {
  kLowerDigit = 1U << 0U,  // a-z 0-9: words of a path
  kUpper = 1U << 1U,       // A-Z
  kDigit = 1U << 2U,       // 0-9
  kLowerHex = 1U << 3U,    // 0-9 a-f
  kHex = 1U << 4U,         // 0-9 a-f A-F
  kTagStart = 1U << 5U,    // word characters: a-z A-Z 0-9 _
  kTagRest = 1U << 6U,     // the same, "." and "-"
  kSpace = 1U << 7U,       // space and the control characters that people take for it
};

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  const auto add = [&classes](unsigned char first, unsigned char last, unsigned what) {
    for (std::size_t c = first; c <= last; ++c) {
      auto& entry = classes[c];
      entry = static_cast<std::uint8_t>(entry | what);
    }
  };
  add('a', 'z', kLowerDigit | kTagStart | kTagRest);
  add('A', 'Z', kUpper | kTagStart | kTagRest);
  add('0', '9', kLowerDigit | kDigit | kLowerHex | kHex | kTagStart | kTagRest);
  add('a', 'f', kLowerHex | kHex);
  add('A', 'F', kHex);
  add('_', '_', kTagStart | kTagRest);
  add('.', '.', kTagRest);
  add('-', '-', kTagRest);
  add(' ', ' ', kSpace);
  add('\t', '\r', kSpace);
  return classes;
}
constexpr std::array<std::uint8_t, 256> kClasses = make_classes();

constexpr bool is(char c, unsigned what) {
  return (kClasses[static_cast<unsigned char>(c)] & what) != 0;
}

/// \return the first position from `at` whose byte is not of the class.
std::size_t skip(std::string_view text, std::size_t at, unsigned what) {
  if (at >= text.size()) return at;
  const std::string_view rest = text.substr(at);
  const char* next = rest.data();
  const char* const end = next + rest.size();
  while (next != end && is(*next, what)) ++next;
  return at + static_cast<std::size_t>(next - rest.data());
}

/// What is wrong with the byte at `at`, where no more special reason is known than `otherwise`.
ReferenceError error_at(std::string_view text, std::size_t at, Code otherwise) {
  if (at < text.size() && is(text[at], kSpace)) return {Code::kWhitespace, at};
  return {otherwise, at};
}

/// Reads a segment of a path.
/// \return one past its end; where it does not fit, that of the part that does, with `fits` false.
std::size_t read_segment(std::string_view text, std::size_t at, bool& fits) {
  fits = false;
  while (true) {
    const std::size_t end = skip(text, at, kLowerDigit);
    if (end == at) return at;  // a separator without a word after it, or nothing
    at = end;
    if (at == text.size()) break;
    if (text[at] == '.') {
      ++at;
    } else if (text[at] == '_') {
      ++at;
      if (at < text.size() && text[at] == '_') ++at;
    } else if (text[at] == '-') {
      while (at < text.size() && text[at] == '-') ++at;
    } else {
      break;
    }
  }
  fits = true;
  return at;
}

/// Reads the name in a host: components of letters, digits and inner "-", joined by ".".
/// \return as read_segment().
std::size_t read_domain(std::string_view text, std::size_t at, bool& fits) {
  fits = false;
  while (true) {
    std::size_t last = std::string_view::npos;
    const std::size_t start = at;
    while (at < text.size() && (is(text[at], kLowerDigit | kUpper) || text[at] == '-')) {
      if (text[at] == '-' && at == start) return at;
      if (text[at] != '-') last = at;
      ++at;
    }
    if (at == start) return at;
    if (last + 1 != at) return at;  // ends with "-"
    if (at == text.size() || text[at] != '.') break;
    ++at;
  }
  fits = true;
  return at;
}

/// \return npos where the whole text is host[:port], else the offset at which it is not.
std::size_t misfit_of_host(std::string_view text) {
  std::size_t at = 0;
  if (text.starts_with('[')) {
    at = 1;
    while (at < text.size() && (is(text[at], kHex) || text[at] == ':')) ++at;
    if (at == 1 || at == text.size() || text[at] != ']') return at;
    ++at;
  } else {
    bool fits = false;
    at = read_domain(text, 0, fits);
    if (!fits) return at;
  }
  if (at == text.size()) return std::string_view::npos;
  if (text[at] != ':') return at;
  const std::size_t end = skip(text, at + 1, kDigit);
  if (end == at + 1 || end != text.size()) return end;
  return std::string_view::npos;
}

bool is_segment(std::string_view text) {
  bool fits = false;
  return read_segment(text, 0, fits) == text.size() && fits;
}

struct DigestAlgorithm {
  std::string_view name;
  std::size_t hex_digits;
};
constexpr std::array<DigestAlgorithm, 3> kDigestAlgorithms{{
    {"sha256", 64},
    {"sha384", 96},
    {"sha512", 128},
}};

/// Checks the digest that takes the text from `start` on.
/// \return whether it is one; `error` says why not.
bool check_digest(std::string_view text, std::size_t start, ReferenceError& error) {
  const std::size_t colon = text.find(':', start);
  if (colon == std::string_view::npos) {
    error = error_at(text, skip(text, start, kTagRest), Code::kInvalidDigest);
    return false;
  }
  const std::string_view name = text.substr(start, colon - start);
  const auto* algorithm = std::find_if(kDigestAlgorithms.begin(), kDigestAlgorithms.end(),
                                       [name](const auto& known) { return known.name == name; });
  if (algorithm == kDigestAlgorithms.end()) {
    const std::size_t misfit = skip(text, start, kTagRest);
    error = misfit == colon && colon != start ? ReferenceError{Code::kUnsupportedDigest, start}
                                              : error_at(text, misfit, Code::kInvalidDigest);
    return false;
  }
  const std::size_t end = skip(text, colon + 1, kLowerHex);
  const std::size_t expected = colon + 1 + algorithm->hex_digits;
  if (end == text.size() && end == expected) return true;
  error = error_at(text, std::min(end, expected), Code::kInvalidDigest);
  return false;
}

}  // namespace

bool is_digest(std::string_view text) {
  ReferenceError error;
  return check_digest(text, 0, error);
}

std::expected<ImageReference, ReferenceError> parse_image_reference(std::string_view text) {
  if (text.empty()) return std::unexpected(ReferenceError{Code::kEmpty, 0});
  if (text.size() == kIdentifierLength && skip(text, 0, kLowerHex) == text.size()) {
    return std::unexpected(ReferenceError{Code::kIdentifier, 0});
  }

  ImageReference reference;
  reference.text = text;
  reference.registry = kDefaultRegistry;

  // A host, if the text before the first "/" looks like one.
  std::size_t path_start = 0;
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view first = text.substr(0, slash);
    const bool looks_like_host =
        first == kLocalhost || std::any_of(first.begin(), first.end(), [](char c) {
          return c == '.' || c == ':' || is(c, kUpper);
        });
    if (looks_like_host) {
      const std::size_t misfit = misfit_of_host(first);
      if (misfit == std::string_view::npos) {
        reference.registry = first == kLegacyRegistry ? kDefaultRegistry : first;
        path_start = slash + 1;
      } else if (is_segment(first)) {
        reference.registry = {};
      } else if (first.find(':') == first.size() - 1 && text.substr(slash).starts_with("//")) {
        return std::unexpected(ReferenceError{Code::kScheme, 0});
      } else {
        return std::unexpected(error_at(text, misfit, Code::kInvalidRegistry));
      }
    }
  }

  // The path.
  std::size_t at = path_start;
  bool several_segments = false;
  while (true) {
    bool fits = false;
    at = read_segment(text, at, fits);
    const char next = at < text.size() ? text[at] : '\0';
    if (!fits || (at < text.size() && next != '/' && next != ':' && next != '@')) {
      const Code code =
          at < text.size() && is(next, kUpper) ? Code::kUppercaseName : Code::kInvalidFormat;
      return std::unexpected(error_at(text, at, code));
    }
    if (next != '/') break;
    several_segments = true;
    ++at;
  }
  reference.path = text.substr(path_start, at - path_start);
  reference.official = !several_segments && reference.registry == kDefaultRegistry;
  const std::size_t max_path =
      kMaxNameBytes - (reference.official ? kOfficialPrefix.size() : std::size_t{0});
  if (reference.path.size() > max_path) {
    return std::unexpected(ReferenceError{Code::kNameTooLong, path_start + max_path});
  }

  if (at < text.size() && text[at] == ':') {
    const std::size_t start = ++at;
    if (at == text.size() || !is(text[at], kTagStart)) {
      return std::unexpected(error_at(text, at, Code::kInvalidTag));
    }
    at = skip(text, at, kTagRest);
    if (at < text.size() && text[at] != '@') {
      return std::unexpected(error_at(text, at, Code::kInvalidTag));
    }
    if (at - start > kMaxTagBytes) {
      return std::unexpected(ReferenceError{Code::kTagTooLong, start + kMaxTagBytes});
    }
    reference.tag = text.substr(start, at - start);
  }

  if (at < text.size()) {
    assert(text[at] == '@');
    ReferenceError error{};
    if (!check_digest(text, at + 1, error)) return std::unexpected(error);
    reference.digest = text.substr(at + 1);
  }
  return reference;
}

std::string_view ImageReference::host() const {
  return registry.empty() ? path.substr(0, path.find('/')) : registry;
}

std::string_view ImageReference::path_on_host() const {
  return registry.empty() ? path.substr(path.find('/') + 1) : path;
}

std::string_view ImageReference::written_name() const {
  return text.substr(0, static_cast<std::size_t>(path.data() + path.size() - text.data()));
}

std::string ImageReference::repository() const {
  std::string out;
  out.reserve(kOfficialPrefix.size() + path.size());
  if (official) out += kOfficialPrefix;
  out += path;
  return out;
}

std::string ImageReference::canonical_repository() const {
  std::string out;
  out.reserve(registry.size() + 1 + kOfficialPrefix.size() + path.size());
  out += registry;
  if (!registry.empty()) out += '/';
  if (official) out += kOfficialPrefix;
  out += path;
  return out;
}

std::string ImageReference::repository_key() const {
  constexpr std::string_view kHttpsPort = ":443";
  const std::string_view as_written = host();
  // A text without these is a host by its capitals or its port alone.
  const auto stays_host = [](std::string_view name) {
    return name == kLocalhost || name.find_first_of(".:") != std::string_view::npos;
  };
  std::string key = lower_case(as_written);
  if (!stays_host(key)) key = as_written;
  const auto without_port = std::string_view(key).substr(0, key.size() - kHttpsPort.size());
  if (key.ends_with(kHttpsPort) && stays_host(without_port)) key.resize(without_port.size());
  if (key == as_written) return canonical_repository();
  key.append(1, '/').append(path_on_host());
  const auto same = parse_image_reference(key);  // "DOCKER.IO/nginx" is in "library" as well
  return same ? same->canonical_repository() : canonical_repository();
}

std::string ImageReference::canonical() const {
  std::string out = canonical_repository();
  if (has_tag()) {
    out += ':';
    out += tag;
  }
  if (has_digest()) {
    out += '@';
    out += digest;
  }
  return out;
}

std::string_view ImageReference::last_segment() const {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view describe(ReferenceErrorCode code) {
  switch (code) {
    case Code::kEmpty:
      return "is empty";
    case Code::kNameTooLong:
      return "has a repository name of more than 255 characters";
    case Code::kUppercaseName:
      return "has upper-case letters in its repository name";
    case Code::kIdentifier:
      return "is 64 hex digits, which is an image ID and not a repository";
    case Code::kInvalidFormat:
      return "has a repository name that is not made of lower-case words joined by "
             "\".\", \"_\", \"-\" or \"/\"";
    case Code::kUnsupportedDigest:
      return "has a digest of an algorithm other than sha256, sha384 and sha512";
    case Code::kInvalidDigest:
      return "has a digest that is not an algorithm, \":\" and lower-case hex digits of the exact "
             "length";
    case Code::kScheme:
      return "starts with a URL scheme, which image references do not have";
    case Code::kWhitespace:
      return "has a space, tab or line break";
    case Code::kInvalidRegistry:
      return "has a registry that is not host or host:port";
    case Code::kInvalidTag:
      return "has a tag that is not a letter, digit or \"_\" followed by letters, digits, \"_\", "
             "\".\" "
             "and \"-\"";
    case Code::kTagTooLong:
      return "has a tag of more than 128 characters";
  }
  return "";
}

}  // namespace belay::policy
