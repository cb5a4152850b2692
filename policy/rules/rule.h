// What a rule is: an id, a sentence, settings and judge(). One file a rule; rules.cpp is the one
// table of them. Adding a rule touches its own file, its row, its settings in policy.h, its test
// and its line of documentation.
//
// judge() is pure: it reads the judgement's inputs and adds findings. Thread-safe.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/image_reference.h"
#include "policy/known_digests.h"
#include "policy/patience.h"
#include "policy/policy.h"
#include "policy/settings.h"
#include "policy/verdict.h"
#include "policy/workload.h"

namespace belay::policy {

/// What is known of the object's namespace.
struct NamespaceFacts {
  Labels labels;  ///< of the namespace; borrowed from a snapshot that outlives the evaluation
};

/// One image with its parsed reference; parsed once for all policies.
struct JudgedImage {
  const ImageField* field = nullptr;
  std::expected<ImageReference, ReferenceError> reference;
  bool changed = true;       ///< see Workload::image_changed
  bool placeholder = false;  ///< passed over by this policy (templates only)

  /// Whether rules that look at registry, repository, tag or digest have something to look at.
  bool readable() const { return !placeholder && reference.has_value(); }
};

/// The images of an object, one after the other until patience runs out: what is found by then
/// counts for nothing.
class JudgedImages {
 public:
  /// \param patience  nullptr: endless
  /// \param many  whether lists and images make much work together (matching.h), so that patience
  ///     is asked in front of every image
  JudgedImages(std::span<const JudgedImage> all, Patience* patience, bool many)
      : all_(all), patience_(patience), many_(many) {}

  struct End {};
  class Iterator {
   public:
    explicit Iterator(const JudgedImages& images) : images_(images) {}
    const JudgedImage& operator*() const { return images_.all_[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator!=(End /*end*/) const { return at_ < images_.all_.size() && !images_.over(); }

   private:
    const JudgedImages& images_;
    std::size_t at_ = 0;
  };
  Iterator begin() const { return Iterator(*this); }
  static End end() { return {}; }

  std::span<const JudgedImage> all() const { return all_; }
  bool over() const { return many_ ? ask() : over_; }
  /// The same for those who are about to try a template, which may take a thousand times as long as
  /// another: patience is asked now and then, however little work there seems to be.
  bool over_templates() const {
    constexpr unsigned kFew = 64;
    return ++templates_ % kFew == 0 ? ask() : over_;
  }

 private:
  bool ask() const {
    over_ = over_ || (patience_ != nullptr && patience_->over());
    return over_;
  }

  std::span<const JudgedImage> all_;
  Patience* patience_;
  bool many_;
  mutable bool over_ = false;
  mutable unsigned templates_ = 0;
};

/// What one rule of one policy judges.
struct Judgement {
  const Policy& policy;
  const Workload& workload;
  const JudgedImages& images;
  const NamespaceFacts& ns;  ///< no labels where they are not known and no rule asks for them
  /// Every policy that matched, this one included: what a fix suggests should suit them all.
  std::span<const Policy* const> in_force;
  std::span<const ImageFacts> facts;  ///< by index in workload.pod.images; empty: nobody asked
  bool offline = false;               ///< nobody is to be asked: Facts::offline
  std::chrono::sys_seconds now{};     ///< for ages of images

  /// What was learned of the image, or nullptr where nobody asked.
  const ImageFacts* facts_of(const JudgedImage& image) const {
    const auto index = static_cast<std::size_t>(image.field - workload.pod.images.data());
    return index < facts.size() ? &facts[index] : nullptr;
  }
};

/// What a rule says about a finding where the usual does not hold.
struct Circumstances {
  bool other_changed = false;     ///< an UPDATE changed something else that the rule looked at
  Mode at_most = Mode::kEnforce;  ///< the finding acts no stricter than this
};

/// Takes the findings of one policy's rules; fills in rule, mode, policy, place and "unchanged",
/// and drops what an exemption covers: a finding about an image where one covers the image, any
/// other where every image of the object is covered, one about a namespace where it names the rule
/// and the namespace. Belongs to one evaluation.
class Findings {
 public:
  /// \param today  UTC; exemptions that expired by then cover nothing and are told in the verdict
  /// \param known  digests to offer in fixes of what is wrong with a tag, or nullptr
  Findings(const Policy& policy, const Workload& workload, const JudgedImages& images,
           std::chrono::year_month_day today, Verdict& verdict, const KnownDigests* known = nullptr)
      : policy_(policy),
        workload_(workload),
        images_(images),
        today_(today),
        verdict_(verdict),
        known_(known) {}

  /// What the image's tag points to, where that is known without asking anyone and the image has no
  /// digest of its own; "" else.
  std::string known_digest(const JudgedImage& image) const;

  /// What the next findings belong to.
  void begin(RuleId rule, Mode mode) {
    rule_ = rule;
    mode_ = mode;
  }

  /// A finding about an image; its text is quoted where there is one.
  void image(const JudgedImage& image, std::string problem, std::string fix,
             Circumstances circumstances = {});
  /// A finding about a label of the pod (or template); its value is quoted where it is present.
  void pod_label(std::string_view key, std::string problem, std::string fix,
                 Circumstances circumstances = {});
  /// The same about a label of the object itself.
  void object_label(std::string_view key, std::string problem, std::string fix);
  /// A finding about a field that is neither, such as "spec.containers". An UPDATE leaves it as it
  /// was unless `changed`.
  void field(std::string path, std::string problem, std::string fix, bool changed);

 private:
  bool exempt(const JudgedImages& images);
  bool exempt_namespace();
  /// "; by digest it is shop/web@sha256:…" where a digest would do and is known, else "".
  std::string by_digest(const JudgedImage& image) const;
  void tell_expired(std::size_t index);
  void add(Finding finding, bool changed, Circumstances circumstances);

  const Policy& policy_;
  const Workload& workload_;
  const JudgedImages& images_;
  std::chrono::year_month_day today_;
  Verdict& verdict_;
  const KnownDigests* known_;
  RuleId rule_ = RuleId::kImageReference;
  Mode mode_ = Mode::kEnforce;
};

/// What a rule judges. Rules of workloads never see a namespace, nor the reverse.
enum class Subject : std::uint8_t { kWorkload, kNamespace };

/// A row of the table.
struct RuleType {
  RuleId id;
  std::string_view key;      ///< "mutableTag", "" where it can't be set (image-reference)
  std::string_view summary;  ///< "refuses latest and other tags that move by convention"
  Subject subject = Subject::kWorkload;
  bool (*enabled)(const Policy& policy);
  std::optional<Mode> (*mode)(const Policy& policy);  ///< the rule's own, if any; of enabled rules
  bool (*needs_namespace)(const Policy& policy);      ///< looks at namespace labels
  /// Turns the rule on and visits its settings (mode included); nullptr where it can't be set.
  void (*visit)(SettingsVisitor& visitor, Rules& rules);
  void (*judge)(const Judgement& judgement, Findings& findings);
  /// Adds what the rule asks a registry about an image; nullptr where it never asks.
  void (*ask)(const Policy& policy, const ImageReference& reference, ImageNeed& need) = nullptr;
};

/// Every rule, in the order of RuleId.
std::span<const RuleType> rule_types();

/// The parts of a row that follow from where the rule's settings stand in Rules.
template <auto Settings>
bool is_enabled(const Policy& policy) {
  return (policy.rules.*Settings).has_value();
}
template <auto Settings>
std::optional<Mode> mode_of(const Policy& policy) {
  return (policy.rules.*Settings)->mode;
}
/// \return whether the rule looks at the labels of namespaces, for rules that always or never do.
template <bool Answer>
bool needs_namespace(const Policy& /*policy*/) {
  return Answer;
}

// The rows, each beside its rule.
RuleType image_reference_rule();
RuleType tag_required_rule();
RuleType mutable_tag_rule();
RuleType tag_format_rule();
RuleType digest_required_rule();
RuleType registry_allowed_rule();
RuleType team_prefix_rule();
RuleType environment_label_rule();
RuleType environment_namespace_rule();
RuleType environment_tag_rule();
RuleType version_label_rule();
RuleType required_labels_rule();
RuleType image_labels_rule();
RuleType tag_moved_rule();
RuleType namespace_environment_rule();

}  // namespace belay::policy
