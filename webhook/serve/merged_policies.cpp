// Two sets become one; a source that has published nothing yet counts for nothing.
#include "webhook/serve/merged_policies.h"

#include <memory>
#include <utility>
#include <vector>

#include "policy/policy_set.h"

namespace belay::webhook::serve {

void MergedPolicies::merge() {
  const auto of_files = files.load();
  const auto of_cluster = cluster.load();
  if (!of_files || !of_cluster) {
    if (of_files || of_cluster) in_force.publish(of_files ? of_files : of_cluster);
    return;
  }
  std::vector<std::shared_ptr<const policy::Policy>> all = of_files->policies;
  all.insert(all.end(), of_cluster->policies.begin(), of_cluster->policies.end());
  in_force.publish(std::make_shared<policy::PolicySet>(policy::make_policy_set(std::move(all))));
}

}  // namespace belay::webhook::serve
