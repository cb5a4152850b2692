// policies × workload -> verdict. Pure and thread-safe; the one way to a decision, whoever asks
// (server, review, check).
//
// What a verdict rests on beside the object is handed in as Facts; needs() tells beforehand which
// of them are wanted, so that the caller can fetch them without evaluate() ever blocking.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/patience.h"
#include "policy/policy.h"
#include "policy/registry_facts.h"
#include "policy/rules/rule.h"
#include "policy/verdict.h"
#include "policy/workload.h"

namespace belay::policy {

/// Facts that a verdict on a workload rests on.
struct Needs {
  bool namespace_labels = false;  ///< some policy that may match selects or judges by them
};
Needs needs(const PolicySet& policies, const Workload& workload);

struct Facts {
  std::chrono::year_month_day today{};  ///< UTC; exemptions expire by it
  /// The namespace's labels, or nullptr where they could not be learned: a verdict that needs them
  /// is then "undecided".
  const NamespaceFacts* ns = nullptr;
  /// Why `ns` is nullptr, as a clause: "the API server did not answer in time"; "" where nobody
  /// asked.
  std::string_view ns_problem = {};
  /// What was learned of each image, by its index in Workload::pod.images; empty where nobody
  /// asked, and then a rule that needs it treats the registry as one that could not be asked.
  std::span<const ImageFacts> images = {};
  /// Nobody is to be asked here (`belay check` without --resolve): rules that need a registry say
  /// so in a warning, whatever their mode.
  bool offline = false;
  const KnownDigests* known_digests = nullptr;  ///< for fixes to copy; nullptr where none is known
  std::chrono::sys_seconds now{};  ///< for ages of images; may be 0 where no rule asks for them
  Patience* patience = nullptr;    ///< nullptr: judging takes as long as it takes
};

/// Which facts the rules of the policies that match ask registries for; fills `images` (cleared
/// first), one entry an image that is asked about, in their order. Nothing for images that an
/// UPDATE left alone, for placeholders, for texts that are no references, and for images that are
/// exempt from the rule. Costs next to nothing where no policy has such a rule.
void registry_needs(const PolicySet& policies, const Workload& workload, const Facts& facts,
                    std::vector<ImageNeed>& images);

/// Judges one workload, or one namespace by the rules of namespaces. `verdict` is cleared first and
/// its capacity reused. Where no policy matches, nothing is judged: allowed, with no policies
/// listed. Where patience runs out the verdict is "undecided", or "allowed" for an UPDATE that
/// leaves alone whatever rules look at.
void evaluate(const PolicySet& policies, const Workload& workload, const Facts& facts,
              Verdict& verdict);

}  // namespace belay::policy
