// One description of every key that a policy may have, read by two visitors: the policy reader
// fills values from a document, the schema writer prints a JSON Schema. A key that is not described
// here is unknown to both.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/policy.h"

namespace belay::policy {

/// A key with the sentence that schema and reference page show.
struct Key {
  std::string_view name;     ///< camelCase, as in the document
  std::string_view summary;  ///< one sentence, no full stop
  bool required = false;
  std::string_view default_text = {};  ///< as YAML, for the reference page: "[dev, test, prod]"
};

/// What the entries of a list (or a text) must be.
enum class TextForm : std::uint8_t {
  kAny,             ///< any text that is not empty
  kObjectName,      ///< name of a policy: DNS-1123 subdomain
  kNameGlob,        ///< glob on a namespace's name, "!" excludes
  kTagGlob,         ///< glob on a tag
  kRepositoryGlob,  ///< glob on a canonical repository
  kTagTemplate,     ///< template of tag_template.h
  kLabelKey,        ///< qualified name
  kLabelValue,      ///< label value
  kTagSuffix,       ///< end of a tag ("-prod")
  kRuleId,          ///< id of a rule
  kUrl,             ///< http(s) URL
  kDate,            ///< YYYY-MM-DD
  kDuration,        ///< number and unit: 90d, 12h, 30m
  kLabelSource,     ///< config, annotations or attached
};

/// A choice among words: the index into `words` is the value.
struct Choice {
  std::span<const std::string_view> words;
};

/// Visits the keys of one mapping, in the order they are documented. Each call reads (or describes)
/// one key; a value that is absent leaves the target alone. Lists that are present and empty are
/// errors. Implementations collect errors, they never throw.
class SettingsVisitor {
 public:
  virtual ~SettingsVisitor() = default;

  virtual void flag(const Key& key, bool& value) = 0;
  virtual void text(const Key& key, TextForm form, std::string& value) = 0;
  virtual void choice(const Key& key, Choice choice, int& value) = 0;
  virtual void texts(const Key& key, TextForm form, std::vector<std::string>& value) = 0;
  /// Globs, compiled as they are read.
  virtual void repository_globs(const Key& key, std::vector<RepositoryGlob>& value) = 0;
  virtual void name_globs(const Key& key, NameGlobs& value) = 0;
  virtual void tag_globs(const Key& key, std::vector<std::string>& texts, TagGlobs& value) = 0;
  /// Templates: texts are kept, compiling follows once the policy's environments are known.
  virtual void tag_templates(const Key& key, std::vector<std::string>& texts) = 0;
  /// Mapping from a label value (environment, team) to a list of texts.
  virtual void text_lists(const Key& key, TextForm form,
                          std::vector<std::pair<std::string, std::vector<std::string>>>& value) = 0;
  /// Mapping from a label value (environment, team) to globs on namespace names.
  virtual void name_globs_by(const Key& key,
                             std::vector<std::pair<std::string, NameGlobs>>& value) = 0;
  /// Mapping from a label key to {} | {values: […]} | {pattern: …}.
  /// \param form  of the values
  virtual void constraints(const Key& key, TextForm form,
                           std::vector<std::pair<std::string, ValueConstraint>>& value) = 0;
};

/// `onRegistryError:` allow | deny. \param default_text  "allow" or "deny"
void visit_on_registry_error(SettingsVisitor& visitor, std::string_view default_text,
                             OnRegistryError& value);

/// `mode:` of a rule: enforce | warn | audit (the reader handles it for every rule alike).
void visit_mode(SettingsVisitor& visitor, std::optional<Mode>& mode);

}  // namespace belay::policy
