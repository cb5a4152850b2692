// Manifests -> report: each object becomes the CREATE review that the API server would send and
// goes through Admission, the server's own code path; findings get the line of the field they name.
//
// Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"
#include "webhook/admission/admission.h"
#include "webhook/check/manifest.h"
#include "webhook/namespaces/fixed_namespaces.h"
#include "webhook/report/report.h"

namespace belay::webhook::check {

/// Adds the labels of the Namespace objects among the manifests. What does not read is passed over
/// here; check() reports it.
void learn_namespaces(std::string_view text, namespaces::FixedNamespaces& namespaces);

class Checker {
 public:
  /// References outlive the checker.
  /// \param default_namespace  of objects that name none
  /// \param extra_templates  custom resources that hold a pod template
  /// \param images  a source that waits for nobody: what it can't say at once is a problem
  Checker(const policy::PolicySet& policies, const admission::NamespaceSource& namespaces,
          admission::Today today, std::string default_namespace,
          std::vector<admission::ExtraTemplate> extra_templates = {},
          admission::ImageAccess images = offline());
  /// Nobody is asked: rules that need a registry say so in a warning.
  static admission::ImageAccess offline();

  /// Evaluates every object of a file and adds to `report`, findings in the order of their lines.
  void check(const ManifestFile& file, std::string_view text, report::Report& report);

 private:
  void check_object(const ManifestObject& object, const report::Place& origin, bool named,
                    report::Report& report);

  const policy::PolicySet& policies_;
  const std::string default_namespace_;
  const std::vector<admission::ExtraTemplate> extra_templates_;
  admission::Admission admission_;
  std::string body_;      ///< the review; reused
  std::string response_;  ///< reused
};

}  // namespace belay::webhook::check
