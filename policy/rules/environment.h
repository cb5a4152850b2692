// Which environment a namespace, a pod and a tag belong to, by one policy. Three rules and their
// fixes use it. Pure; views borrow from the arguments.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "policy/image_reference.h"
#include "policy/policy.h"
#include "policy/rules/rule.h"
#include "policy/workload.h"

namespace belay::policy {

/// The environment of a namespace, by its label and by its name; "" where there is none.
struct NamespaceEnvironment {
  std::string_view by_label;
  std::string_view by_name;  ///< the label's environment where the name fits that one too

  std::string_view value() const { return by_label.empty() ? by_name : by_label; }
  bool contradicts_itself() const {
    return !by_label.empty() && !by_name.empty() && by_label != by_name;
  }
};
/// None where the policy has no rule environment-namespace.
NamespaceEnvironment namespace_environment(const Evaluation& evaluation);

/// The environment that the object is meant for: its pod label's, else its namespace's, else "".
std::string_view intended_environment(const Evaluation& evaluation);

/// The suffixes of an environment by environment-tag; none where the rule is off.
std::span<const std::string> suffixes_of(const Policy& policy, std::string_view environment);
/// A suffix without the separator in front of its word: "staging" of "-staging".
std::string_view without_separator(std::string_view suffix);

/// Key of the pod label that environment-namespace / environment-tag compare with.
std::string_view environment_namespace_label(const Policy& policy);
std::string_view environment_tag_label(const Policy& policy);

/// The environment of a tag, compared with that of a pod.
struct TagEnvironment {
  bool known = false;           ///< the tag names an environment
  bool fits = false;            ///< and it may be the pod's
  std::string_view word;        ///< the part of the tag that names it: "-staging", "staging"
  std::string_view stands_for;  ///< an environment it names, "test"
};
/// Looks for the longest known suffix, and for the {environment} part of the templates that
/// evaluate this image. Where both are there, both must fit.
/// \param environment  of the pod
TagEnvironment tag_environment(const Evaluation& evaluation, const ImageReference& reference,
                               std::string_view environment);

/// Whether tag-format evaluates this image.
bool tag_format_applies(const Policy& policy, const ImageReference& reference);
/// Whether the tag fits one of a policy's templates; of no use once the budget has run out.
bool fits_template(const Evaluation& evaluation, const TagFormatSettings& settings,
                   std::string_view tag);

}  // namespace belay::policy
