// Which policies match an object, and which images they pass over. Pure; thread-safe.
#include "policy/matching.h"

#include <algorithm>

namespace belay::policy {

bool matches_name(const Policy& policy, std::string_view namespace_name) {
  return (policy.only_namespace.empty() || policy.only_namespace == namespace_name) &&
         policy.match.namespace_globs.matches(namespace_name);
}

bool is_selected(const Policy& policy, const Workload& workload, const NamespaceFacts* ns) {
  const LabelSelector& selector = policy.match.namespace_selector;
  if (selector.empty()) return true;
  if (!workload.is_namespace) return selector.matches(ns->labels);
  return selector.matches(workload.labels) ||
         (workload.is_update && selector.matches(workload.old_labels));
}

bool is_much_work(std::size_t size, const Workload& workload) {
  constexpr std::size_t kLittle = 10'000;  // comparisons: some tenth of a millisecond
  const std::size_t compared =
      workload.pod.images.size() + workload.pod.labels.size() + workload.labels.size();
  return size * compared > kLittle;
}

bool is_placeholder(const Policy& policy, const Workload& workload, std::string_view image) {
  const auto& texts = policy.placeholders;
  return !workload.is_pod && std::find(texts.begin(), texts.end(), image) != texts.end();
}

bool covers(const Exemption& exemption, RuleId rule, std::string_view namespace_name,
            const ImageReference& reference) {
  const auto& rules = exemption.rules;
  return exemption.namespaces.matches(namespace_name) &&
         (rules.empty() || std::find(rules.begin(), rules.end(), rule) != rules.end()) &&
         std::any_of(exemption.images.begin(), exemption.images.end(),
                     [&](const RepositoryGlob& glob) { return glob.matches(reference); });
}

bool is_exempt(const Policy& policy, RuleId rule, std::string_view namespace_name,
               const ImageReference& reference, std::chrono::year_month_day today) {
  return std::any_of(policy.exemptions.begin(), policy.exemptions.end(),
                     [&](const Exemption& exemption) {
                       return (!exemption.expires || today < *exemption.expires) &&
                              covers(exemption, rule, namespace_name, reference);
                     });
}

bool is_among(const std::vector<RepositoryGlob>& globs, const ImageReference& reference) {
  return globs.empty() || std::any_of(globs.begin(), globs.end(), [&](const RepositoryGlob& glob) {
           return glob.matches(reference);
         });
}

}  // namespace belay::policy
