// A ConfigMap's data -> policies and problems.
#include "webhook/policies/policy_config_map.h"

#include <algorithm>
#include <array>
#include <utility>

#include "certs/digest.h"
#include "policy/document.h"
#include "policy/policy_reader.h"

namespace belay::webhook::policies {
namespace {

constexpr std::size_t kRevisionDigits = 12;

/// Where a policy that reads says its name.
policy::Position position_of_name(std::string_view text) {
  const auto documents = policy::read_documents(text);
  if (!documents || documents->empty()) return {};
  const policy::Node* metadata = documents->front().root.find("metadata");
  const policy::Node* name = metadata == nullptr ? nullptr : metadata->find("name");
  return name == nullptr ? policy::Position{} : name->position;
}

std::size_t policy_bytes(const ConfigMapData& data) {
  std::size_t bytes = 0;
  for (const auto& [key, text] : data) {
    if (has_policy_suffix(key)) bytes += text.size();
  }
  return bytes;
}

}  // namespace

bool has_policy_suffix(std::string_view key) {
  static constexpr std::array<std::string_view, 3> kSuffixes = {".yaml", ".yml", ".json"};
  return std::any_of(kSuffixes.begin(), kSuffixes.end(),
                     [key](std::string_view suffix) { return key.ends_with(suffix); });
}

std::string policy_revision(std::string_view text) {
  return certs::sha256_hex(text).substr(0, kRevisionDigits);
}

std::size_t ConfigMapPolicies::error_count() const {
  std::size_t count = 0;
  for (const PolicyProblem& problem : problems) {
    count += std::max<std::size_t>(problem.errors.size(), 1);
  }
  return count;
}

ConfigMapPolicies read_policy_config_map(std::string_view namespace_name, std::string_view name,
                                         const ConfigMapData& data) {
  ConfigMapPolicies found;
  if (policy_bytes(data) > kMaxConfigMapBytes) {
    found.problems.push_back({"data",
                              {},
                              "is too large: Kubernetes keeps at most " +
                                  std::to_string(kMaxConfigMapBytes) +
                                  " bytes in a ConfigMap; spread the policies over several"});
    return found;
  }
  std::string source(namespace_name);
  source.append("/").append(name);
  std::map<std::string, std::string> key_of;  // policy name -> key that holds it
  bool any = false;
  policy::PolicyBudget budget{.nodes = kMaxConfigMapNodes};
  for (const auto& [key, text] : data) {
    if (!has_policy_suffix(key)) continue;
    any = true;
    const std::string file = "data[" + key + "]";
    auto read =
        policy::read_policy(text, {policy::PolicySource::Kind::kConfigMap, source}, &budget);
    if (budget.exceeded) {
      found.problems.push_back({file,
                                {},
                                "is too large: the policies of a ConfigMap have at most " +
                                    std::to_string(kMaxConfigMapNodes) +
                                    " keys, values and lists together, aliases expanded"});
      continue;
    }
    if (!read) {
      found.problems.push_back({file, std::move(read.error()), {}});
      continue;
    }
    const auto [taken, fresh] = key_of.emplace(read->name, key);
    if (!fresh) {
      found.problems.push_back({file,
                                {{position_of_name(text), "metadata.name",
                                  "\"" + read->name + "\" is the name of the policy in data[" +
                                      taken->second + "] already"}},
                                {}});
      continue;
    }
    read->revision = policy_revision(text);
    found.by_key.emplace(key, std::move(*read));
  }
  if (!any) {
    found.problems.push_back(
        {"data", {}, "contains no policy: no key ends in .yaml, .yml or .json"});
  }
  return found;
}

}  // namespace belay::webhook::policies
