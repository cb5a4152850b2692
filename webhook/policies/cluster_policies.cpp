// ConfigMaps -> the policies in force. Everything but set_leading() runs on the watch's thread.
#include "webhook/policies/cluster_policies.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "certs/digest.h"
#include "policy/policy_set.h"
#include "webhook/policies/policy_config_map.h"
#include "webhook/policies/policy_status.h"
#include "webhook/policies/policy_status_writer.h"

namespace belay::webhook::policies {
namespace {

using PolicyPointer = std::shared_ptr<const policy::Policy>;

/// Namespace and name. In this order, so that "the second of one name" is the same everywhere.
using Key = std::pair<std::string, std::string>;

struct ConfigMap {
  std::string uid;
  std::string resource_version;
  std::string annotation;
  std::string digest;  ///< of the texts that hold policies
  ConfigMapVerdict verdict;
};

Key key_of(const kube::Object& object) { return {object.namespace_name, object.name}; }

bool is_labelled(const kube::Object& object) {
  const auto label = object.labels.find(kPolicyLabel);
  return label != object.labels.end() && label->second == "true";
}

std::string annotation_of(const kube::Object& object) {
  const auto found = object.annotations.find(kStatusAnnotation);
  return found == object.annotations.end() ? std::string() : found->second;
}

/// Kept in place of the texts, which may be a mebibyte each.
std::string digest_of(const ConfigMapData& data) {
  std::string all;
  for (const auto& [key, text] : data) {
    if (!has_policy_suffix(key)) continue;
    all.append(key).append(1, '\0').append(std::to_string(text.size())).append(1, '\0');
    all.append(text);
  }
  return certs::sha256_hex(all);
}

/// Reads the texts anew. What did not change stays the same value; what is invalid stays what
/// it was.
ConfigMapVerdict verdict_of(const kube::Object& object, const std::string& only_namespace,
                            const ConfigMapVerdict& before) {
  ConfigMapVerdict now;
  auto read = read_policy_config_map(object.namespace_name, object.name, object.data);
  std::set<std::string> names;
  for (auto& [key, policy] : read.by_key) {
    names.insert(policy.name);
    const auto known = before.in_force.find(key);
    if (known != before.in_force.end() && known->second->revision == policy.revision) {
      now.in_force.emplace(key, known->second);
      continue;
    }
    policy.only_namespace = only_namespace;
    now.in_force.emplace(key, std::make_shared<const policy::Policy>(std::move(policy)));
  }
  for (const auto& [key, policy] : before.in_force) {
    const bool broken = object.data.contains(key) && !now.in_force.contains(key);
    // A name that another key has taken over has moved there.
    if (!broken || names.contains(policy->name)) continue;
    now.in_force.emplace(key, policy);
    now.kept.insert(key);
  }
  now.problems = std::move(read.problems);
  return now;
}

std::string place_of(const Key& key) { return "ConfigMap " + key.first + "/" + key.second; }

PolicyStatusOptions status_options(const Policies::Options& options) {
  PolicyStatusOptions status;
  status.pod_name = options.pod_name;
  if (options.status_failed) {
    status.on_failure = [tell = options.status_failed](const ConfigMapStatus& one,
                                                       const std::string& problem) {
      tell(one.namespace_name + "/" + one.name, problem);
    };
  }
  return status;
}

}  // namespace

class Policies::Impl {
 public:
  Impl(kube::Api& api, Options options, Snapshot<policy::PolicySet>& target,
       std::function<void(const ReloadReport&)> report)
      : options_(std::move(options)),
        target_(target),
        report_(std::move(report)),
        writer_(api, status_options(options_)) {}

  /// The texts are read here, so that a list never holds all of them at once: tenants may make as
  /// many ConfigMaps of a mebibyte as they like.
  void listed(kube::Object& object) {
    if (is_ours(object)) listed_news_ = take(object) || listed_news_;
    object.data.clear();
  }

  void replaced(const std::vector<kube::Object>& objects) {
    std::set<Key> there;
    bool news = !std::exchange(listed_, true);
    news = std::exchange(listed_news_, false) || news;
    for (const kube::Object& object : objects) {
      if (!is_ours(object)) continue;
      there.insert(key_of(object));
      news = take(object) || news;
    }
    for (auto known = config_maps_.begin(); known != config_maps_.end();) {
      if (there.contains(known->first)) {
        ++known;
        continue;
      }
      writer_.forget(known->first.first, known->first.second);
      known = config_maps_.erase(known);
      news = true;
    }
    if (news) publish();
    tell_all();
  }

  void changed(const kube::Object& object) {
    if (!is_ours(object)) {
      deleted(object);
    } else if (take(object)) {
      publish();
      tell_all();
    } else {
      tell(*config_maps_.find(key_of(object)));
    }
  }

  void deleted(const kube::Object& object) {
    writer_.forget(object.namespace_name, object.name);
    if (config_maps_.erase(key_of(object)) == 0) return;
    publish();
    tell_all();
  }

  void set_leading(bool leading) { writer_.set_leading(leading); }

 private:
  bool is_own(const Key& key) const { return key.first == options_.own_namespace; }

  bool is_ours(const kube::Object& object) const {
    return is_labelled(object) && (options_.tenants || is_own(key_of(object)));
  }

  /// \return whether its policies changed, or what is wrong with them.
  bool take(const kube::Object& object) {
    const Key key = key_of(object);
    const auto [found, fresh] = config_maps_.try_emplace(key);
    ConfigMap& known = found->second;
    const bool seen =
        !fresh && known.uid == object.uid && known.resource_version == object.resource_version;
    if (seen) return false;
    known.uid = object.uid;
    known.resource_version = object.resource_version;
    known.annotation = annotation_of(object);
    std::string digest = digest_of(object.data);
    if (!fresh && digest == known.digest) return false;
    known.digest = std::move(digest);
    known.verdict =
        verdict_of(object, is_own(key) ? std::string() : object.namespace_name, known.verdict);
    return true;
  }

  /// Policies of belay's own namespace whose name another one of it has already.
  void find_shared_names() {
    shared_names_.clear();
    std::map<std::string_view, std::string> place_of_name;
    for (const auto& [key, config_map] : config_maps_) {
      if (!is_own(key)) continue;
      for (const auto& [data_key, policy] : config_map.verdict.in_force) {
        const std::string data = "data[" + data_key + "]";
        const auto [first, fresh] = place_of_name.emplace(policy->name, place_of(key) + " " + data);
        if (fresh) continue;
        shared_names_[key].push_back(
            {data,
             {},
             "\"" + policy->name + "\" is the name of the policy in " + first->second +
                 " too; both are in force, but messages can't tell them apart"});
      }
    }
  }

  void publish() {
    find_shared_names();
    ReloadReport report;
    std::vector<PolicyPointer> policies;
    std::vector<PolicyPointer> tenants;
    for (const auto& [key, config_map] : config_maps_) {
      const ConfigMapVerdict& verdict = config_map.verdict;
      auto& target = is_own(key) ? policies : tenants;
      for (const auto& [data_key, policy] : verdict.in_force) target.push_back(policy);
      report.kept += verdict.kept.size();
      for (const auto* problems : {&verdict.problems, shared_names_of(key)}) {
        if (problems == nullptr) continue;
        for (PolicyProblem problem : *problems) {
          problem.file = place_of(key) + " " + problem.file;
          report.problems.push_back(std::move(problem));
        }
      }
    }
    if (!policies.empty()) {
      last_ = policies;
    } else if (!last_.empty()) {
      policies = last_;
      report.kept += last_.size();
      for (const PolicyPointer& policy : last_) {
        report.problems.push_back({"ConfigMap " + policy->source.name,
                                   {},
                                   "held the cluster's last policy, \"" + policy->name +
                                       "\", and no longer does; it stays in force until there is "
                                       "another one"});
      }
    }
    if (policies.empty() && report.problems.empty()) {
      report.problems.push_back({"namespace " + options_.own_namespace,
                                 {},
                                 "contains no policy: no ConfigMap in it has the label " +
                                     std::string(kPolicyLabel) + "=true"});
    }
    if (!policies.empty()) {
      policies.insert(policies.end(), tenants.begin(), tenants.end());
      report.in_force = policies.size();
      if (policies != in_force_) {
        in_force_ = policies;
        target_.publish(
            std::make_shared<policy::PolicySet>(policy::make_policy_set(std::move(policies))));
      }
    }
    report_(report);
  }

  const std::vector<PolicyProblem>* shared_names_of(const Key& key) const {
    const auto found = shared_names_.find(key);
    return found == shared_names_.end() ? nullptr : &found->second;
  }

  void tell(const std::pair<const Key, ConfigMap>& one) {
    const auto& [key, config_map] = one;
    ConfigMapVerdict verdict = config_map.verdict;
    const bool good = verdict.problems.empty();
    if (const auto* shared = shared_names_of(key)) {
      verdict.problems.insert(verdict.problems.end(), shared->begin(), shared->end());
    }
    writer_.want({.namespace_name = key.first,
                  .name = key.second,
                  .uid = config_map.uid,
                  .resource_version = config_map.resource_version,
                  .text = status_text(verdict),
                  .present = config_map.annotation,
                  .in_force = good});
  }

  void tell_all() {
    for (const auto& one : config_maps_) tell(one);
  }

  const Options options_;
  Snapshot<policy::PolicySet>& target_;
  const std::function<void(const ReloadReport&)> report_;
  bool listed_ = false;
  bool listed_news_ = false;  ///< of the list that is being read
  std::map<Key, ConfigMap> config_maps_;
  std::map<Key, std::vector<PolicyProblem>> shared_names_;
  std::vector<PolicyPointer> last_;      ///< of belay's own namespace, when it had any
  std::vector<PolicyPointer> in_force_;  ///< as published
  PolicyStatusWriter writer_;
};

Policies::Policies(kube::Api& api, Options options, Snapshot<policy::PolicySet>& target,
                   std::function<void(const ReloadReport&)> report)
    : impl_(std::make_unique<Impl>(api, std::move(options), target, std::move(report))) {}
Policies::~Policies() = default;
void Policies::listed(kube::Object& object) { impl_->listed(object); }
void Policies::replaced(std::vector<kube::Object> objects) { impl_->replaced(objects); }
void Policies::changed(kube::Object object) { impl_->changed(object); }
void Policies::deleted(const kube::Object& object) { impl_->deleted(object); }
void Policies::set_leading(bool leading) { impl_->set_leading(leading); }

std::vector<PolicyProblem> check_config_map(const kube::Object& config_map) {
  return read_policy_config_map(config_map.namespace_name, config_map.name, config_map.data)
      .problems;
}

}  // namespace belay::webhook::policies
