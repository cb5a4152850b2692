// Policies in force, with what evaluation would otherwise work out for every object: which policies
// can match a namespace's name, and which rules each of them has.
//
// Built once when policies are loaded, immutable afterwards, shared by all threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/policy.h"
#include "policy/verdict.h"

namespace belay::policy {

/// Orders policies by name (those of the same name by namespace) and indexes them.
PolicySet make_policy_set(std::vector<std::shared_ptr<const Policy>> policies);

/// The rules of one policy, ready to run.
struct PolicyPlan {
  RuleMask rules = 0;                    ///< of workloads, those that are on
  RuleMask namespace_rules = 0;          ///< the same of namespaces
  RuleMask registry_rules = 0;           ///< those of `rules` that ask registries
  bool pins = false;                     ///< tags are to be rewritten to digests
  bool needs_namespace = false;          ///< a rule or the selector looks at namespace labels
  std::array<Mode, kRuleCount> modes{};  ///< of each rule that is on
};
PolicyPlan plan_of(const Policy& policy);

/// Finds the policies whose namespaces are named without globs, or selected by a label with a
/// value, without looking at the others.
class PolicyIndex {
 public:
  explicit PolicyIndex(std::span<const std::shared_ptr<const Policy>> policies);

  /// Calls `visit(i)` for the position of every policy that may match a namespace, in ascending
  /// order. May name policies that do not match, never leaves one out that does.
  /// \param labels  of the namespace; nullptr where they are not known, or not those to select by
  template <class Visit>
  void for_candidates(std::string_view namespace_name, const Labels* labels,
                      const Visit& visit) const {
    alignas(std::uint32_t) std::array<std::byte, kPickedBytes> room;
    std::pmr::monotonic_buffer_resource arena(room.data(), room.size());
    std::pmr::vector<std::uint32_t> labelled(&arena);
    std::span<const std::uint32_t> picked;
    if (const auto found = by_name_.find(namespace_name); found != by_name_.end()) {
      picked = found->second;
    }
    if (!labelled_.empty()) {
      pick(picked, labels, labelled);
      picked = labelled;
    }
    auto next = picked.begin();
    for (const std::uint32_t position : anywhere_) {
      for (; next != picked.end() && *next < position; ++next) visit(*next);
      visit(position);
    }
    for (; next != picked.end(); ++next) visit(*next);
  }

  /// Whether a policy that labels would find may match a namespace of this name.
  bool asks_for_labels(std::string_view namespace_name) const;

  bool asks_registries() const { return asks_registries_; }  ///< some policy does
  bool pins() const { return pins_; }                        ///< some policy does

  const PolicyPlan& plan(std::size_t position) const { return plans_[position]; }
  std::size_t size() const { return plans_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  template <class T>
  using MapOf = std::unordered_map<std::string, T, Hash, std::equal_to<>>;
  using Positions = std::vector<std::uint32_t>;
  static constexpr std::size_t kPickedBytes = 512;  ///< more goes to the heap

  /// Adds `named` and the policies that some label selects to `out`, in ascending order.
  void pick(std::span<const std::uint32_t> named, const Labels* labels,
            std::pmr::vector<std::uint32_t>& out) const;

  std::vector<PolicyPlan> plans_;
  bool asks_registries_ = false;
  bool pins_ = false;
  std::vector<NameGlobs> labelled_names_;  ///< of labelled_, each once; none where one takes all
  Positions anywhere_;                     ///< found neither by name nor by label
  Positions labelled_;                     ///< all of by_label_
  MapOf<Positions> by_name_;
  MapOf<MapOf<Positions>> by_label_;  ///< label key -> value -> policies that ask for the pair
};

}  // namespace belay::policy
