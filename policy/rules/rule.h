// What a rule is: a sentence, settings and evaluate(). One file a rule; its row stands in
// rule_id.h. Adding a rule touches its own file, its row, its settings in policy.h, its test and
// its line of documentation.
//
// evaluate() is pure: it reads the Evaluation and adds findings. Thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/facts.h"
#include "policy/image_reference.h"
#include "policy/policy.h"
#include "policy/rules/evaluated_images.h"
#include "policy/rules/findings.h"
#include "policy/rules/offers.h"
#include "policy/settings.h"
#include "policy/verdict.h"
#include "policy/workload.h"

namespace belay::policy {

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

/// The parts of a row that follow from the rule's member of Rules.
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

// How each rule describes itself; in the file of the rule.
#define BELAY_DECLARATION(id, name) RuleType name##_rule();
BELAY_RULES(BELAY_DECLARATION)
#undef BELAY_DECLARATION

}  // namespace belay::policy
