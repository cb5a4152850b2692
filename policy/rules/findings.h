// Takes the findings of a policy's rules: place, mode, exemptions, what an UPDATE changed.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "policy/fix.h"
#include "policy/known_digests.h"
#include "policy/policy.h"
#include "policy/rules/evaluated_images.h"
#include "policy/verdict.h"
#include "policy/workload.h"

namespace belay::policy {

/// What is special about a finding.
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

}  // namespace belay::policy
