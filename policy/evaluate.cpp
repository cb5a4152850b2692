// policies × workload -> verdict: picks the policies that match, parses each image once, runs their
// rules, and merges what several policies say alike. Pure and thread-safe. An object that is
// allowed costs no heap allocation once the verdict has its capacity.
#include "policy/evaluate.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <memory_resource>
#include <tuple>
#include <vector>

#include "policy/matching.h"
#include "policy/rules/rule.h"

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

/// Marks the images that the policy passes over.
/// \return whether any was marked.
bool mark_placeholders(const Policy& policy, const Workload& workload,
                       std::span<JudgedImage> images) {
  bool any = false;
  for (JudgedImage& image : images) {
    image.placeholder = is_placeholder(policy, workload, image.field->image);
    any = any || image.placeholder;
  }
  return any;
}

bool in_order(const Finding& a, const Finding& b) {
  return std::tie(a.rule, a.place) < std::tie(b.rule, b.place);
}

bool same_finding(const Finding& a, const Finding& b) {
  return a.field == b.field && a.container == b.container && a.value == b.value &&
         a.problem == b.problem;
}

/// Takes `other`, the same finding of another policy, into `finding`: the strictest of what they
/// lead to wins, and its fix with it.
void merge(Finding& finding, Finding& other) {
  if (std::pair(other.effective_mode(), other.mode) >
      std::pair(finding.effective_mode(), finding.mode)) {
    finding.mode = other.mode;
    finding.unchanged = other.unchanged;
    finding.fix = std::move(other.fix);
  }
  finding.policies.push_back(other.policies.front());
}

/// Puts findings in order, and the same finding of several policies into one.
void order_and_merge(std::vector<Finding>& findings, const JudgedImages& images) {
  if (findings.size() < 2) return;
  std::stable_sort(findings.begin(), findings.end(), in_order);
  std::size_t kept = 0;
  std::size_t run = 0;  // start of the findings of one rule about one place
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (images.over()) return;
    if (i == 0 || in_order(findings[kept - 1], findings[i])) run = kept;
    const auto end = findings.begin() + static_cast<std::ptrdiff_t>(kept);
    const auto same =
        std::find_if(findings.begin() + static_cast<std::ptrdiff_t>(run), end,
                     [&](const Finding& finding) { return same_finding(finding, findings[i]); });
    if (same != end) {
      merge(*same, findings[i]);
    } else {
      if (kept != i) findings[kept] = std::move(findings[i]);
      ++kept;
    }
  }
  findings.resize(kept);
}

/// Findings of one object where patience is limited: each holds some hundred bytes.
constexpr std::size_t kMaxFindings = 20'000;

/// Ends a judgement that takes too long: nothing that was found so far counts.
void give_up(const Workload& workload, Verdict& verdict) {
  const auto largest = std::ranges::max_element(verdict.policies, {},
                                                [](const Policy* policy) { return policy->size; });
  const std::string name = largest == verdict.policies.end() ? "" : (*largest)->name;
  verdict.clear();
  if (untouched(workload)) return;
  verdict.undecided = "it would take too long, most of all by policy \"" + name +
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

  // An object outside every namespace has no namespace labels, which is knowing them; a namespace
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
  // An update that touches nothing that is judged goes through whatever the labels are, so that
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

  std::pmr::vector<JudgedImage> images(&arena);
  images.reserve(workload.pod.images.size());
  for (std::size_t i = 0; i < workload.pod.images.size(); ++i) {
    const ImageField& field = workload.pod.images[i];
    images.push_back({.field = &field,
                      .reference = parse_image_reference(field.image),
                      .changed = image_changed(workload, i)});
  }

  const std::span<const RuleType> types = rule_types();
  const JudgedImages judged(images, facts.patience, is_much_work(size, workload));
  if (judged.over()) return give_up(workload, verdict);
  bool marked = false;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const Policy& policy = *verdict.policies[i];
    if (marked || !policy.placeholders.empty()) {
      marked = mark_placeholders(policy, workload, images);
    }
    const Judgement judgement = {.policy = policy,
                                 .workload = workload,
                                 .images = judged,
                                 .ns = ns == nullptr ? kNoFacts : *ns,
                                 .in_force = verdict.policies,
                                 .facts = facts.images,
                                 .offline = facts.offline,
                                 .now = facts.now};
    Findings findings(policy, workload, judged, facts.today, verdict, facts.known_digests);
    const unsigned judging = workload.is_namespace ? plans[i].namespace_rules : plans[i].rules;
    for (unsigned rules = judging; rules != 0; rules &= rules - 1) {
      const auto id = static_cast<std::size_t>(std::countr_zero(rules));
      findings.begin(types[id].id, plans[i].modes[id]);
      types[id].judge(judgement, findings);
      const bool too_many = facts.patience != nullptr && verdict.findings.size() > kMaxFindings;
      if (too_many || judged.over()) return give_up(workload, verdict);
    }
  }
  order_and_merge(verdict.findings, judged);
  if (judged.over()) give_up(workload, verdict);
}

}  // namespace belay::policy
