// What a rule is: a sentence, settings and evaluate(). One file a rule; its row stands in
// rule_id.h. Adding a rule touches its own file, its row, its settings in policy.h, its test and
// its line of documentation.
//
// evaluate() is pure: it reads the Evaluation and adds findings. Thread-safe.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/budget.h"
#include "policy/facts.h"
#include "policy/image_reference.h"
#include "policy/known_digests.h"
#include "policy/policy.h"
#include "policy/rules/offers.h"
#include "policy/settings.h"
#include "policy/verdict.h"
#include "policy/workload.h"

namespace belay::policy {

/// One image with its parsed reference; parsed once for all policies.
struct EvaluatedImage {
  const ImageField* field = nullptr;
  std::expected<ImageReference, ReferenceError> reference;
  bool changed = true;       ///< see Workload::image_changed
  bool placeholder = false;  ///< passed over by this policy (templates only)

  /// Whether rules that look at registry, repository, tag or digest have something to look at.
  bool readable() const { return !placeholder && reference.has_value(); }
};

/// The images of an object, one after the other until the budget runs out: what was found by then
/// does not count.
class EvaluatedImages {
 public:
  /// \param budget  nullptr: no limit
  /// \param many  whether lists and images make much work together (matching.h), so that the
  ///     budget is asked before every image
  EvaluatedImages(std::span<const EvaluatedImage> all, Budget* budget, bool many)
      : all_(all), budget_(budget), many_(many) {}

  struct End {};
  class Iterator {
   public:
    explicit Iterator(const EvaluatedImages& images) : images_(images) {}
    const EvaluatedImage& operator*() const { return images_.all_[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator!=(End /*end*/) const { return at_ < images_.all_.size() && !images_.exhausted(); }

   private:
    const EvaluatedImages& images_;
    std::size_t at_ = 0;
  };
  Iterator begin() const { return Iterator(*this); }
  static End end() { return {}; }

  std::span<const EvaluatedImage> all() const { return all_; }
  bool is_much_work() const { return many_; }
  /// Other images of the same object, within the same budget.
  EvaluatedImages with(std::span<const EvaluatedImage> others) const {
    return {others, budget_, many_};
  }
  bool exhausted() const { return many_ ? ask() : exhausted_; }
  /// The same before a template is tried, which may take a thousand times as long as another: the
  /// budget is asked now and then, however little work there seems to be.
  bool templates_exhausted() const {
    constexpr unsigned kFew = 64;
    return ++templates_ % kFew == 0 ? ask() : exhausted_;
  }

 private:
  bool ask() const {
    exhausted_ = exhausted_ || (budget_ != nullptr && budget_->exhausted());
    return exhausted_;
  }

  std::span<const EvaluatedImage> all_;
  Budget* budget_;
  bool many_;
  mutable bool exhausted_ = false;
  mutable unsigned templates_ = 0;
};

/// What one rule of one policy looks at.
struct Evaluation {
  const Policy& policy;
  const Workload& workload;
  const EvaluatedImages& images;
  const NamespaceFacts& ns;  ///< no labels where they are not known and no rule asks for them
  std::span<const ImageFacts> facts;  ///< by index in workload.pod.images; empty: nobody asked
  bool offline = false;               ///< no registry may be asked: Facts::offline
  std::chrono::sys_seconds now{};     ///< for ages of images

  /// What was learned of the image, or nullptr where nobody asked.
  const ImageFacts* facts_of(const EvaluatedImage& image) const {
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
/// other where every image of the object is covered, one about a namespace where an exemption names
/// the rule and the namespace. Belongs to one evaluation.
class Findings {
 public:
  /// \param today  UTC; exemptions that expired by then cover nothing; the verdict lists them
  /// \param known  digests to offer, or nullptr
  Findings(const Policy& policy, const Workload& workload, const EvaluatedImages& images,
           std::chrono::year_month_day today, Verdict& verdict, const KnownDigests* known = nullptr)
      : policy_(policy),
        workload_(workload),
        images_(images),
        today_(today),
        verdict_(verdict),
        known_(known) {}

  /// What the tag of a readable image points to, where that is known and the image has no digest of
  /// its own; "" else.
  std::string known_digest(const EvaluatedImage& image) const {
    return policy::known_digest(known_, *image.reference);
  }

  /// What the next findings belong to.
  void begin(RuleId rule, Mode mode) {
    rule_ = rule;
    mode_ = mode;
  }

  /// A finding about an image; its text is quoted where there is one.
  void image(const EvaluatedImage& image, std::string problem, Fix fix,
             Circumstances circumstances = {});
  /// A finding about a label of the pod (or template); its value is quoted where it is present.
  void pod_label(std::string_view key, std::string problem, Fix fix,
                 Circumstances circumstances = {});
  /// The same about a label of the object itself.
  void object_label(std::string_view key, std::string problem, Fix fix);
  /// A finding about a field that is neither, such as "spec.containers". An UPDATE leaves it as it
  /// was unless `changed`.
  void field(std::string path, std::string problem, Fix fix, bool changed);

 private:
  bool exempt(const EvaluatedImages& images);
  bool exempt_namespace();
  void label(Target target, std::string field, Labels labels, std::string problem, Fix fix,
             bool changed, Circumstances circumstances);
  void tell_expired(std::size_t index);
  void add(Finding finding, bool changed, Circumstances circumstances);

  const Policy& policy_;
  const Workload& workload_;
  const EvaluatedImages& images_;
  std::chrono::year_month_day today_;
  Verdict& verdict_;
  const KnownDigests* known_;
  RuleId rule_ = RuleId::kImageReference;
  Mode mode_ = Mode::kEnforce;
};

/// What a rule evaluates. Rules of workloads never see a namespace, nor the reverse.
enum class Subject : std::uint8_t { kWorkload, kNamespace };

/// A row of the table.
struct RuleType {
  RuleId id{};                ///< set by the table, as the key is
  std::string_view key = {};  ///< "mutableTag", "" where it can't be set (image-reference)
  std::string_view summary;   ///< "refuses latest and other mutable tags"
  Subject subject = Subject::kWorkload;
  bool (*enabled)(const Policy& policy);
  std::optional<Mode> (*mode)(const Policy& policy);  ///< the rule's own, if any; of enabled rules
  bool (*needs_namespace)(const Policy& policy);      ///< looks at namespace labels
  /// Turns the rule on and visits its settings (mode included); nullptr where it can't be set.
  void (*visit)(SettingsVisitor& visitor, Rules& rules);
  void (*evaluate)(const Evaluation& evaluation, Findings& findings);
  /// Adds what the rule asks a registry about an image; nullptr where it never asks.
  void (*ask)(const Policy& policy, const ImageReference& reference, ImageNeed& need) = nullptr;
  /// Adds parts of images that the rule would accept in place of this one; nullptr where it has no
  /// say in them.
  void (*offer_image)(const Evaluation& evaluation, const ImageReference& reference,
                      ImageOffers& offers) = nullptr;
  /// The same of values of a label; nothing where the rule does not look at the label.
  void (*offer_label)(const Evaluation& evaluation, const Target& label,
                      LabelOffers& offers) = nullptr;
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

// What each rule says of itself; stands beside the rule.
#define BELAY_DECLARATION(id, name) RuleType name##_rule();
BELAY_RULES(BELAY_DECLARATION)
#undef BELAY_DECLARATION

}  // namespace belay::policy
