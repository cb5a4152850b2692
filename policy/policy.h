// A policy as a typed value. Every setting is documented where it is declared; the texts that
// `belay lint`, the JSON Schema and the reference page show are in the visit() functions beside
// the rules (settings.h).
//
// Immutable after reading; shared between threads through shared_ptr<const PolicySet>.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policy/registry_facts.h"
#include "policy/selector.h"
#include "policy/tag_template.h"
#include "policy/verdict.h"

namespace re2 {
class RE2;
}

namespace belay::policy {

/// What a label's value must be. Exactly one of the three; default: any value.
struct ValueConstraint {
  std::vector<std::string> values;           ///< one of these, where not empty
  std::string pattern;                       ///< RE2 over the whole value, where not empty
  std::shared_ptr<const re2::RE2> compiled;  ///< of `pattern`
};

/// Settings that every rule has: its own mode, or none for the policy's.
struct RuleSettings {
  std::optional<Mode> mode;
};

struct TagRequiredSettings : RuleSettings {};

struct MutableTagSettings : RuleSettings {
  std::vector<std::string> tags;  ///< globs as written; left out: kBuiltinMutableTags
  TagGlobs globs;                 ///< compiled, case-insensitive
  bool allow_with_digest = true;  ///< repo:latest@sha256:… passes
};

struct TagFormatSettings : RuleSettings {
  std::vector<std::string> any_of;     ///< templates as written; at least one
  std::vector<TagTemplate> templates;  ///< compiled with the policy's environments
  std::vector<RepositoryGlob> images;  ///< repositories it evaluates; empty: all
};

struct DigestRequiredSettings : RuleSettings {
  std::vector<RepositoryGlob> images;  ///< repositories it evaluates; empty: all
};

struct RegistryAllowedSettings : RuleSettings {
  std::vector<RepositoryGlob> allow;  ///< empty: everything that `deny` does not name
  std::vector<RepositoryGlob> deny;   ///< wins over allow
};

enum class PrefixOn : std::uint8_t { kRepository, kTag, kEither };

struct TeamPrefixSettings : RuleSettings {
  std::string team_label = "team";  ///< label of the namespace
  /// Team -> prefixes it may use; a team that is not listed must use "<team>-".
  std::vector<std::pair<std::string, std::vector<std::string>>> prefixes;
  /// Teams by namespace name, for namespaces without the label: team -> name globs.
  std::vector<std::pair<std::string, NameGlobs>> namespaces;
  PrefixOn on = PrefixOn::kRepository;  ///< last segment, tag, or either
  bool require_team = false;            ///< a namespace without team is a finding
};

struct EnvironmentLabelSettings : RuleSettings {
  std::string label = "environment";
  std::vector<std::string> values = {"dev", "test", "prod"};
};

struct EnvironmentNamespaceSettings : RuleSettings {
  std::string label;            ///< of the pod; default: environmentLabel.label, else "environment"
  std::string namespace_label;  ///< of the namespace; default: `label`
  /// Environment -> globs on the namespace's name.
  std::vector<std::pair<std::string, NameGlobs>> namespaces;
  std::vector<std::string> protected_environments = {"prod"};  ///< need a namespace of their own
};

struct EnvironmentTagSettings : RuleSettings {
  /// Environment -> suffixes of tags ("-prod"), in the order of the document.
  std::vector<std::pair<std::string, std::vector<std::string>>> suffixes;
  std::string label;      ///< of the pod; default: environmentLabel.label, else "environment"
  bool required = false;  ///< a tag that names no environment is a finding
};

struct VersionLabelSettings : RuleSettings {
  std::string label = "app.kubernetes.io/version";
  bool required = false;  ///< a pod without the label is a finding
};

enum class LabelsOn : std::uint8_t { kPod, kObject, kBoth };

struct RequiredLabelsSettings : RuleSettings {
  std::vector<std::pair<std::string, ValueConstraint>> labels;  ///< key -> constraint, in order
  LabelsOn on = LabelsOn::kPod;
};

struct NamespaceEnvironmentSettings : RuleSettings {
  /// Of the namespace; default: environmentNamespace.namespaceLabel, else environmentLabel.label,
  /// else "environment".
  std::string namespace_label;
  /// Groups (userInfo.groups) whose members may change it; empty: nobody.
  std::vector<std::string> break_glass_groups;
};

/// Where the label of an image is looked for.
enum class LabelSource : std::uint8_t { kConfig, kAnnotations, kAttached };
enum class Platforms : std::uint8_t { kAll, kAny };

struct ImageLabelsSettings : RuleSettings {
  std::vector<std::pair<std::string, ValueConstraint>> labels;  ///< key -> constraint, in order
  /// Each label is looked for in all of these; left out: all three.
  std::vector<LabelSource> sources;
  std::vector<RepositoryGlob> images;     ///< repositories it evaluates; empty: all
  Platforms platforms = Platforms::kAll;  ///< of an index: every platform, or one that does
  std::chrono::seconds max_age{0};        ///< since `created` of label or config; 0: any
  OnRegistryError on_registry_error = OnRegistryError::kDeny;
};

struct TagMovedSettings : RuleSettings {
  std::vector<RepositoryGlob> images;  ///< repositories it evaluates; empty: all
  OnRegistryError on_registry_error = OnRegistryError::kDeny;
};

/// Whether tags are rewritten to digests by /mutate.
struct PinSettings {
  bool enabled = false;
  std::vector<RepositoryGlob> images;  ///< repositories whose tags are pinned; empty: all
  OnRegistryError on_registry_error = OnRegistryError::kAllow;
};

/// The rules of a policy: one that is not named is off. image-reference is always on.
struct Rules {
  std::optional<TagRequiredSettings> tag_required;
  std::optional<MutableTagSettings> mutable_tag;
  std::optional<TagFormatSettings> tag_format;
  std::optional<DigestRequiredSettings> digest_required;
  std::optional<RegistryAllowedSettings> registry_allowed;
  std::optional<TeamPrefixSettings> team_prefix;
  std::optional<EnvironmentLabelSettings> environment_label;
  std::optional<EnvironmentNamespaceSettings> environment_namespace;
  std::optional<EnvironmentTagSettings> environment_tag;
  std::optional<VersionLabelSettings> version_label;
  std::optional<RequiredLabelsSettings> required_labels;
  std::optional<ImageLabelsSettings> image_labels;
  std::optional<TagMovedSettings> tag_moved;
  std::optional<NamespaceEnvironmentSettings> namespace_environment;
};

/// Which objects a policy evaluates.
struct Match {
  std::vector<std::string> namespaces = {"*"};  ///< as written
  NameGlobs namespace_globs;                    ///< compiled; empty: all
  LabelSelector namespace_selector;             ///< empty: all
};

/// Images that some rules do not apply to, with a reason and perhaps an end.
struct Exemption {
  std::vector<RepositoryGlob> images;  ///< at least one
  NameGlobs namespaces;                ///< empty: all
  std::vector<RuleId> rules;           ///< empty: all
  std::string reason;                  ///< required
  std::string ticket;
  std::optional<std::chrono::year_month_day> expires;  ///< from that day on it is ignored
};

/// Where a policy came from; part of messages.
struct PolicySource {
  enum class Kind : std::uint8_t { kBuiltin, kFile, kConfigMap };
  Kind kind = Kind::kBuiltin;
  std::string name;  ///< file name, or "namespace/name" of a ConfigMap
};

struct Policy {
  std::string name;
  std::string description;
  Mode mode = Mode::kEnforce;
  std::string help_url;
  Match match;
  Rules rules;
  std::vector<Exemption> exemptions;
  /// Image texts that are ignored in templates and evaluated in Pods ("auto" of Istio).
  std::vector<std::string> placeholders;
  PinSettings pin;

  PolicySource source;
  std::string revision;  ///< first 12 hex digits of the SHA-256 of its text, set by the loader
  std::size_t size = 0;  ///< YAML nodes it was read from: how much there is to compare with
  std::string only_namespace;  ///< of a tenant's policy: the one namespace it evaluates; "" for all

  /// What {environment} and the environment rules know: environmentLabel.values (left out: dev,
  /// test, prod) and the environments of environmentTag.suffixes.
  std::vector<std::string> environments() const;
  /// The pod label that names the environment: environmentLabel.label, else "environment".
  const std::string& environment_label() const;
};

class PolicyIndex;

/// Policies in force, ordered by name. make_policy_set() of policy_set.h orders them and adds the
/// index; without it every policy is looked at for every object.
struct PolicySet {
  std::vector<std::shared_ptr<const Policy>> policies;
  std::shared_ptr<const PolicyIndex> index = nullptr;
};

/// Tags that move by convention (docs/policies.md lists them).
std::vector<std::string> builtin_mutable_tags();
/// Sets `tags` and `globs` to them.
void use_builtin_tags(MutableTagSettings& settings);

}  // namespace belay::policy
