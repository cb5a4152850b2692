// Matching names, repositories and labels: globs and Kubernetes label selectors.
//
// Values here are compiled once by the policy reader and immutable afterwards; matching is pure,
// allocates nothing and is safe from any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/image_reference.h"

namespace belay::policy {

/// One label of an object. Views borrow from the request or the namespace snapshot.
struct Label {
  std::string_view key;
  std::string_view value;
};
using Labels = std::span<const Label>;

/// The value of `key`, or nullptr where the label is absent.
const std::string_view* find_label(Labels labels, std::string_view key);

/// A glob over a whole text: `*` any run of characters (also none), `?` exactly one; everything
/// else is literal. Matching takes time linear in text × stars, never exponential.
class Glob {
 public:
  enum class Case : std::uint8_t { kSensitive, kInsensitive };
  Glob() = default;  ///< matches the empty text only
  /// \return the glob, or what is wrong with the pattern (empty, control characters, > 512 bytes).
  static std::expected<Glob, std::string> compile(std::string_view pattern,
                                                  Case c = Case::kSensitive);
  bool matches(std::string_view text) const;
  const std::string& pattern() const { return pattern_; }

 private:
  std::string pattern_;
  bool ignore_case_ = false;
};

/// Globs on a tag, compared without case: a tag matches when one of them does. Texts without a
/// wildcard are looked up, so a long list of words costs little more than a short one.
class TagGlobs {
 public:
  /// \return what is wrong with the pattern, "" where it was added.
  std::string add(std::string_view pattern);
  bool matches(std::string_view tag) const;

 private:
  std::vector<std::string> words_;  ///< in lower case, sorted
  std::vector<Glob> globs_;         ///< those with a wildcard
};

/// An ordered list of globs on a name in which "!" excludes: a name matches when some positive
/// glob matches and no excluding one does. A list of exclusions alone matches everything else.
class NameGlobs {
 public:
  /// \return the list, or the index of the bad entry with what is wrong with it.
  struct BadEntry {
    std::size_t index;
    std::string message;
  };
  static std::expected<NameGlobs, BadEntry> compile(std::span<const std::string> patterns);
  /// True for an empty list (no restriction).
  bool matches(std::string_view name) const;
  bool empty() const { return include_.empty() && exclude_.empty(); }

 private:
  std::vector<Glob> include_;
  std::vector<Glob> exclude_;
};

/// A glob on a canonical repository (`host[:port]/path`), by whole path segments: a host alone
/// means all of it, `*` stays within one segment, a last `/**` takes one segment or more. Hosts
/// compare without case; a port that is not named does not match one that is, but for the host `*`,
/// which means any registry on any port. Patterns are normalised as references are:
/// `index.docker.io` is `docker.io`, and one segment alone on docker.io is in `library/`.
class RepositoryGlob {
 public:
  /// \return the glob, or what is wrong with the pattern: what no reference can match is an error
  /// (a path without registry, a tag, a digest, upper-case letters in the path).
  static std::expected<RepositoryGlob, std::string> compile(std::string_view pattern);
  bool matches(const ImageReference& reference) const;
  const std::string& pattern() const { return pattern_; }

 private:
  std::string pattern_;
  bool any_host_ = false;  ///< the host is "*"
  Glob host_;
  Glob port_;  ///< matches "" where the pattern names no port
  std::vector<Glob> segments_;
  bool any_depth_ = false;   ///< ends with "/**"
  bool whole_host_ = false;  ///< names no path
};

/// A Kubernetes LabelSelector (k8s.io/apimachinery pkg/labels/selector.go): all requirements are
/// met.
class LabelSelector {
 public:
  enum class Operator : std::uint8_t { kIn, kNotIn, kExists, kDoesNotExist };
  struct Requirement {
    std::string key;
    Operator op;
    std::vector<std::string> values;
  };
  LabelSelector() = default;
  explicit LabelSelector(std::vector<Requirement> requirements);
  /// An empty selector matches everything. NotIn and DoesNotExist match where the key is absent.
  bool matches(Labels labels) const;
  bool empty() const { return requirements_.empty(); }
  const std::vector<Requirement>& requirements() const { return requirements_; }

 private:
  std::vector<Requirement> requirements_;
};

/// \return what is wrong with a label key / value by Kubernetes' rules (validation.go:
/// IsQualifiedName, IsValidLabelValue), or "" where it is valid.
std::string check_label_key(std::string_view key);
std::string check_label_value(std::string_view value);

}  // namespace belay::policy
