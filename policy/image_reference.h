// The grammar of an image reference, and its normal form.
//
// Grammar and normalisation are those of distribution/reference v0.6.0 (reference.go, regexp.go,
// normalize.go: ParseNormalizedNamed) with go-digest's check of the digest: sha256, sha384 and
// sha512 only, lower-case hex of the exact length.
//
//   reference := name [ ":" tag ] [ "@" digest ]
//   name      := [ host "/" ] path
//   host      := ( component { "." component } | "[" ( hex | ":" )+ "]" ) [ ":" digit+ ]
//   path      := segment { "/" segment }
//   segment   := word { ( "." | "_" | "__" | "-"+ ) word }       word := ( a-z | 0-9 )+
//   tag       := one word character, then up to 127 of: word characters, ".", "-"
//
// What stands before the first "/" is a host only if it contains ".", ":" or an upper-case letter,
// or is "localhost"; otherwise the host is docker.io.
//
// All functions here are pure, thread-safe and, but for those that return std::string, free of
// allocation. Views point into the text that was parsed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace belay::policy {

inline constexpr std::size_t kMaxNameBytes = 255;  ///< of a repository path, "library/" included
inline constexpr std::size_t kMaxTagBytes = 128;

/// A reference that parsed. Every view borrows from the parsed text (or from a literal) and lives
/// as long as it.
struct ImageReference {
  std::string_view text;  ///< what was parsed, unchanged
  /// host[:port] after normalisation: "docker.io" where none was written. "" in one odd case of the
  /// grammar: a first segment with "." and "_" ("foo_bar.com/app") does not look like a host and
  /// yet not docker.io's; it stays a part of the path. See host().
  std::string_view registry;
  std::string_view path;    ///< repository path as written, without registry ("nginx")
  bool official = false;    ///< "library/" belongs before the path ("nginx" on docker.io)
  std::string_view tag;     ///< "" where there is none
  std::string_view digest;  ///< "algorithm:hex", "" where there is none

  bool has_tag() const { return !tag.empty(); }
  bool has_digest() const { return !digest.empty(); }

  /// Where a runtime would pull from: the registry, or the first segment of a path that has none.
  std::string_view host() const;
  /// The path after host().
  std::string_view path_on_host() const;
  /// The text before tag and digest, as the user wrote it ("nginx",
  /// "docker.io/library/nginx").
  std::string_view written_name() const;
  /// "library/nginx".
  std::string repository() const;
  /// "docker.io/library/nginx".
  std::string canonical_repository() const;
  /// The same for every way in which a host may be written (RFC 3986, 3.2.2 and 6.2.3): in lower
  /// case, without HTTPS' own port. The tag history uses this name.
  std::string repository_key() const;
  /// registry/repository[:tag][@digest]; no tag is added.
  std::string canonical() const;
  /// Last segment of the path ("web" of "shop/web").
  std::string_view last_segment() const;
};

/// Why a text is not a reference.
enum class ReferenceErrorCode : std::uint8_t {
  kEmpty,              ///< no text
  kNameTooLong,        ///< more than 255 characters of path
  kUppercaseName,      ///< upper-case letters in the repository path
  kIdentifier,         ///< 64 hex digits alone, which name an image id
  kInvalidFormat,      ///< the repository path does not fit the grammar
  kUnsupportedDigest,  ///< an algorithm other than sha256, sha384, sha512
  kInvalidDigest,      ///< wrong length or not lower-case hex
  kScheme,             ///< starts with "https://" or the like
  kWhitespace,         ///< a space, tab or line break
  kInvalidRegistry,    ///< the text before the first "/" is not host[:port]
  kInvalidTag,         ///< an empty tag, or one with other characters
  kTagTooLong,         ///< more than 128 characters of tag
};

struct ReferenceError {
  ReferenceErrorCode code{};
  std::size_t offset = 0;  ///< byte of the text at which reading stopped making sense
};

/// Whether a text is a digest by the grammar, and nothing else.
bool is_digest(std::string_view text);

/// Sentence part for people: "has upper-case letters in its repository name".
std::string_view describe(ReferenceErrorCode code);

/// Parses one reference as it stands: nothing is trimmed.
/// \return the parts, or the first error.
std::expected<ImageReference, ReferenceError> parse_image_reference(std::string_view text);

}  // namespace belay::policy
