// Which images to pin, by the policies that match. Pure.
#include "policy/pinning.h"

#include <algorithm>

#include "policy/matching.h"
#include "policy/policy_set.h"
#include "policy/rules/rule.h"

namespace belay::policy {
namespace {

constexpr NamespaceFacts kOutside;

/// Whether the object is one whose tags are rewritten at all.
bool takes_pins(const Workload& workload) {
  if (workload.is_namespace || workload.is_being_deleted) return false;
  if (!workload.is_pod && workload.is_controlled) return false;
  return !(workload.is_update && workload.kind == "Job");
}

bool same_tag(const ImageReference& a, const ImageReference& b) {
  return a.tag == b.tag && a.canonical_repository() == b.canonical_repository();
}

/// The digest that the old object had for the same tag in the same place, or "".
std::string_view digest_before(const Workload& workload, const ImageField& field,
                               const ImageReference& reference) {
  if (!workload.is_update) return {};
  for (const ImageField& old : workload.old_pod.images) {
    if (old.list != field.list || old.name != field.name) continue;
    const auto before = parse_image_reference(old.image);
    if (before && before->has_digest() && same_tag(*before, reference)) return before->digest;
  }
  return {};
}

/// Calls `visit(policy)` for every policy that pins and may match, selector or not.
template <class Visit>
void for_pinning(const PolicySet& policies, const Workload& workload, const Labels* labels,
                 const Visit& visit) {
  if (!takes_pins(workload) || (is_indexed(policies) && !policies.index->pins())) return;
  for_named(policies, workload.namespace_name, labels,
            [&](const Policy& policy, const PolicyPlan& plan) {
              if (plan.pins) visit(policy);
            });
}

/// The images that some of the policies want pinned, all of which match.
/// \return false where budget ran out
bool plan(const std::vector<const Policy*>& pinning, const Workload& workload, Budget* budget,
          std::vector<Pin>& pins) {
  pins.clear();
  if (pinning.empty()) return true;
  std::size_t size = 0;
  for (const Policy* policy : pinning) size += policy->size;
  if (!is_much_work(size, workload)) budget = nullptr;
  for (std::size_t i = 0; i < workload.pod.images.size(); ++i) {
    const ImageField& field = workload.pod.images[i];
    if (!workload.image_changed(field)) continue;
    if (budget != nullptr && budget->exhausted()) return false;
    const auto reference = parse_image_reference(field.image);
    if (!reference || !reference->has_tag() || reference->has_digest()) continue;
    Pin pin{.image = i, .reused_digest = {}};
    bool wanted = false;
    for (const Policy* policy : pinning) {
      if (is_placeholder(*policy, workload, field.image)) continue;
      if (!is_among(policy->pin.images, *reference)) continue;
      wanted = true;
      pin.on_error = std::max(pin.on_error, policy->pin.on_registry_error);
    }
    if (!wanted) continue;
    pin.reused_digest = digest_before(workload, field, *reference);
    pins.push_back(pin);
  }
  return true;
}

}  // namespace

bool may_pin(const PolicySet& policies, const Workload& workload) {
  bool found = false;
  for_pinning(policies, workload, nullptr, [&](const Policy&) { found = true; });
  return found;
}

bool pinning_needs_namespace(const PolicySet& policies, const Workload& workload) {
  if (workload.namespace_name.empty()) return false;
  bool found = false;
  for_pinning(policies, workload, nullptr, [&](const Policy& policy) {
    found = found || !policy.match.namespace_selector.empty();
  });
  return found;
}

bool plan_pins(const PolicySet& policies, const Workload& workload, const Facts& facts,
               std::vector<Pin>& pins) {
  const NamespaceFacts* ns = workload.namespace_name.empty() ? &kOutside : facts.ns;
  std::vector<const Policy*> pinning;
  for_pinning(policies, workload, ns == nullptr ? nullptr : &ns->labels, [&](const Policy& policy) {
    if (ns == nullptr && !policy.match.namespace_selector.empty()) return;
    if (is_selected(policy, workload, ns)) pinning.push_back(&policy);
  });
  return plan(pinning, workload, facts.budget, pins);
}

bool plan_possible_pins(const PolicySet& policies, const Workload& workload, const Facts& facts,
                        std::vector<Pin>& pins) {
  std::vector<const Policy*> pinning;
  for_pinning(policies, workload, nullptr,
              [&](const Policy& policy) { pinning.push_back(&policy); });
  return plan(pinning, workload, facts.budget, pins);
}

std::string pinned(std::string_view image, std::string_view digest) {
  // "@" comes before a digest only, so what parses with a digest after it parses the same
  // without: checking the result is enough.
  if (image.find('@') != std::string_view::npos) return {};
  std::string text;
  text.reserve(image.size() + 1 + digest.size());
  text.append(image).append("@").append(digest);
  const auto after = parse_image_reference(text);
  if (!after || !after->has_tag() || after->digest != digest) return {};
  return text;
}

}  // namespace belay::policy
