// policies × workload -> verdict: picks the policies that match, parses each image once, runs their
// rules, puts the findings in order and finds fixes. Pure and thread-safe. An object that is
// allowed without findings costs no heap allocation once the verdict has its capacity.
#include "policy/evaluate.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory_resource>
#include <vector>

#include "policy/finding_order.h"
#include "policy/matching.h"
#include "policy/remedy.h"
#include "policy/rule_run.h"

namespace belay::policy {

namespace {

/// Room for the images of some thirty containers and for some fifty policies; more goes to the
/// heap.
constexpr std::size_t kScratchBytes = 6144;

constexpr NamespaceFacts kNoFacts;

bool same_image(const ImageField& a, const ImageField& b) {
  return a.list == b.list && a.name == b.name && a.image == b.image;
}

bool same_labels(Labels a, Labels b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Label& x, const Label& y) {
    return x.key == y.key && x.value == y.value;
  });
}

/// Whether an UPDATE left everything that rules look at as it was, so that no finding can deny it.
bool untouched(const Workload& workload) {
  const auto& now = workload.pod.images;
  const auto& before = workload.old_pod.images;
  return workload.is_update &&
         std::equal(now.begin(), now.end(), before.begin(), before.end(), same_image) &&
         same_labels(workload.pod.labels, workload.old_pod.labels) &&
         same_labels(workload.labels, workload.old_labels);
}

/// Workload::image_changed, with a look at the same position first: most updates keep the order.
bool image_changed(const Workload& workload, std::size_t position) {
  const ImageField& field = workload.pod.images[position];
  const auto& before = workload.old_pod.images;
  if (workload.is_update && position < before.size() && same_image(field, before[position])) {
    return false;
  }
  return workload.image_changed(field);
}

/// Ends an evaluation that takes too long: what was found so far does not count.
void give_up(const Workload& workload, Verdict& verdict) {
  const auto largest = std::ranges::max_element(verdict.policies, {},
                                                [](const Policy* policy) { return policy->size; });
  const std::string name = largest == verdict.policies.end() ? "" : (*largest)->name;
  verdict.clear();
  if (untouched(workload)) return;
  verdict.undecided = "it would take too long, mostly because of policy \"" + name +
                      "\": too many patterns for so many images and labels";
}

}  // namespace

Needs needs(const PolicySet& policies, const Workload& workload) {
  Needs needs;
  if (workload.namespace_name.empty() || workload.is_namespace) return needs;
  needs.namespace_labels =
      is_indexed(policies) && policies.index->asks_for_labels(workload.namespace_name);
  if (needs.namespace_labels) return needs;
  constexpr Labels kNone;
  for_named(policies, workload.namespace_name, &kNone, [&](const Policy&, const PolicyPlan& plan) {
    needs.namespace_labels = needs.namespace_labels || plan.needs_namespace;
  });
  return needs;
}

void evaluate(const PolicySet& policies, const Workload& workload, const Facts& facts,
              Verdict& verdict) {
  verdict.clear();
  alignas(std::max_align_t) std::array<std::byte, kScratchBytes> scratch;
  std::pmr::monotonic_buffer_resource arena(scratch.data(), scratch.size());

  // An object outside every namespace has no namespace labels, so they are known; a namespace
  // brings its own.
  const bool outside = workload.namespace_name.empty() || workload.is_namespace;
  const NamespaceFacts* ns = outside ? &kNoFacts : facts.ns;
  const Labels* labels = workload.is_namespace || ns == nullptr ? nullptr : &ns->labels;
  std::pmr::vector<PolicyPlan> plans(&arena);
  bool missing = false;
  std::size_t size = 0;
  const auto take = [&](const Policy& policy, const PolicyPlan& plan) {
    if (workload.is_namespace && plan.namespace_rules == 0) return;
    if (plan.needs_namespace && ns == nullptr) {
      missing = true;
    } else if (is_selected(policy, workload, ns)) {
      verdict.policies.push_back(&policy);
      plans.push_back(plan);
      size += policy.size;
    }
  };
  for_named(policies, workload.namespace_name, labels, take);
  // An update that changes nothing that rules look at is allowed whatever the labels are, so that
  // finalizers and status never wait for them.
  if (missing && !untouched(workload)) {
    verdict.policies.clear();
    verdict.undecided = "the labels of namespace \"";
    verdict.undecided.append(workload.namespace_name).append("\" are not known");
    if (facts.ns_problem.empty()) {
      verdict.undecided.append(" yet");
    } else {
      verdict.undecided.append(": ").append(facts.ns_problem);
    }
    return;
  }
  if (verdict.policies.empty()) return;

  std::pmr::vector<EvaluatedImage> images(&arena);
  images.reserve(workload.pod.images.size());
  for (std::size_t i = 0; i < workload.pod.images.size(); ++i) {
    const ImageField& field = workload.pod.images[i];
    images.push_back({.field = &field,
                      .reference = parse_image_reference(field.image),
                      .changed = image_changed(workload, i)});
  }

  const EvaluatedImages within(images, facts.budget, is_much_work(size, workload));
  if (within.exhausted()) return give_up(workload, verdict);
  const RuleRun run = {.policies = verdict.policies,
                       .plans = plans,
                       .ns = ns == nullptr ? kNoFacts : *ns,
                       .facts = facts,
                       .is_namespace = workload.is_namespace};
  if (!run_rules(run, workload, images, within, Registries::kAsk, verdict)) {
    return give_up(workload, verdict);
  }
  if (verdict.findings.empty()) return;
  order_and_merge(verdict.findings, within);
  if (within.exhausted()) return give_up(workload, verdict);
  fold(verdict.findings);
  find_fixes(run, workload, within, verdict.findings);
}

}  // namespace belay::policy
