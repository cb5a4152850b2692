// What a verdict rests on beside the object, learned before evaluate() is called. Plain views: they
// outlive the evaluation.
#pragma once

#include <chrono>
#include <span>
#include <string_view>

#include "policy/budget.h"
#include "policy/known_digests.h"
#include "policy/registry_facts.h"
#include "policy/selector.h"

namespace belay::policy {

/// What is known of the object's namespace.
struct NamespaceFacts {
  Labels labels;  ///< of the namespace; borrowed from a snapshot that outlives the evaluation
};

struct Facts {
  std::chrono::year_month_day today{};  ///< UTC; exemptions expire by it
  /// The namespace's labels, or nullptr where they are not known: a verdict that needs them is then
  /// "undecided".
  const NamespaceFacts* ns = nullptr;
  /// Why `ns` is nullptr, as a clause: "the API server did not respond in time"; "" where nobody
  /// asked.
  std::string_view ns_problem = {};
  /// What was learned of each image, by its index in Workload::pod.images; empty where nobody
  /// asked: a rule that needs it then treats the registry as one that does not respond.
  std::span<const ImageFacts> images = {};
  /// No registry may be asked (`belay check` without --resolve): rules that need one say so in a
  /// warning, whatever their mode.
  bool offline = false;
  const KnownDigests* known_digests = nullptr;  ///< for fixes to copy; nullptr where none is known
  std::chrono::sys_seconds now{};  ///< for ages of images; may be 0 where no rule asks for them
  Budget* budget = nullptr;        ///< nullptr: no limit
};

}  // namespace belay::policy
