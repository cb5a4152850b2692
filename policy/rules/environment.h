// Which environment a namespace, a pod and a tag belong to, in the words of one policy. Three rules
// and the fixes that findings suggest rest on it. Pure; views borrow from the arguments.
#pragma once

#include <string>
#include <string_view>

#include "policy/image_reference.h"
#include "policy/policy.h"
#include "policy/rules/rule.h"
#include "policy/workload.h"

namespace belay::policy {

/// What a namespace says about its environment, by its label and by its name; "" where it is
/// silent.
struct NamespaceEnvironment {
  std::string_view by_label;
  std::string_view by_name;  ///< the label's environment where the name fits that one too

  std::string_view value() const { return by_label.empty() ? by_name : by_label; }
  bool contradicts_itself() const {
    return !by_label.empty() && !by_name.empty() && by_label != by_name;
  }
};
/// Silent where the policy has no rule environment-namespace.
NamespaceEnvironment namespace_environment(const Judgement& judgement);

/// Key of the pod label that environment-namespace / environment-tag compare with.
std::string_view environment_namespace_label(const Policy& policy);
std::string_view environment_tag_label(const Policy& policy);

/// What a tag says beside a pod's environment.
struct TagEnvironment {
  bool known = false;           ///< the tag names an environment
  bool fits = false;            ///< and it may be the pod's
  std::string_view word;        ///< the part of the tag that names it: "-staging", "staging"
  std::string_view stands_for;  ///< an environment it names, "test"
};
/// Looks for the longest known suffix, and for the {environment} part of the templates that judge
/// this image. Both must fit where both speak.
/// \param policy  of those in force
/// \param environment  of the pod
TagEnvironment tag_environment(const Judgement& judgement, const Policy& policy,
                               const ImageReference& reference, std::string_view environment);

/// Whether tag-format judges this image.
bool tag_format_applies(const Policy& policy, const ImageReference& reference);
/// Whether the tag fits one of a policy's templates; the answer counts for nothing once patience
/// has run out.
bool fits_template(const Judgement& judgement, const TagFormatSettings& settings,
                   std::string_view tag);

}  // namespace belay::policy
