// Finds an image that all rules accept in place of one that is refused. Pure.
#include "policy/image_remedy.h"

#include <algorithm>

#include "policy/gaps.h"
#include "policy/image_candidates.h"
#include "policy/text/quote.h"

namespace belay::policy {

namespace {

ImageOffers image_offers(const RuleRun& run, Draft& draft, const Problem& problem,
                         const ImageReference& reference) {
  ImageOffers offers;
  const auto& speaking = problem.findings.front()->policies;
  for (const bool first : {true, false}) {  // what the policy of the finding offers comes first
    for (std::size_t i = 0; i < run.policies.size(); ++i) {
      const bool speaks = std::ranges::find(speaking, run.policies[i]) != speaking.end();
      if (speaks != first) continue;
      const Evaluation evaluation = draft.evaluation(i);
      for (const RuleType& type : rule_types()) {
        if ((run.rules_of(i) & bit_of(type.id)) == 0 || type.offer_image == nullptr) continue;
        type.offer_image(evaluation, reference, offers);
      }
    }
  }
  return offers;
}

}  // namespace

std::string obstacle_by(const Finding& finding, std::string_view value) {
  std::string text = "no single change satisfies every rule: ";
  text.append(name_of(finding.rule));
  if (!finding.policies.empty()) {
    text.append(" of policy ").append(quote(finding.policies.front()->name));
  }
  return text.append(" refuses ").append(value.empty() ? std::string_view("any value") : value);
}

ImageOutcome find_image(const RuleRun& run, const Workload& workload, Draft& draft,
                        const Problem& problem, bool may_stay) {
  const std::size_t index = problem.target.image;
  ImageOutcome outcome;
  /// The finding that refuses the text, if any does; prefers what no rule has anything against.
  const auto refusal = [&](std::string_view text, bool& is_clean) {
    const std::vector<Finding>& found = draft.findings_about(index, text);
    is_clean = found.empty();
    const auto strict = std::ranges::find_if(
        found, [&](const Finding& finding) { return finding.effective_mode() >= problem.mode; });
    return strict == found.end() ? nullptr : &*strict;
  };
  RefusedImage refused = {.text = workload.pod.images[index].image};
  bool is_clean = false;
  if (may_stay && refusal(refused.text, is_clean) == nullptr) return outcome;
  for (const Finding* finding : problem.findings) {
    refused.proposals.push_back(finding->fix.proposal);
    refused.same_image = refused.same_image && finding->fix.same_image;
    refused.digest_helps = refused.digest_helps && finding->fix.digest_helps;
    refused.repository = std::max(refused.repository, finding->fix.repository);
  }
  const auto reference = parse_image_reference(refused.text);
  if (reference) refused.known_digest = known_digest(run.facts.known_digests, *reference);
  const std::string repository = repository_in(refused);
  const std::string name = repository.empty() ? "web" : repository;  // which `named` borrows from
  const auto named = parse_image_reference(name);
  const ImageOffers offers = image_offers(run, draft, problem, reference ? *reference : *named);
  for (const std::string& form : image_candidates(refused, repository, offers)) {
    const Finding* by = refusal(sample_text(form), is_clean);
    if (draft.is_over()) return {};
    if (by != nullptr) {
      if (outcome.obstacle.empty()) outcome.obstacle = obstacle_by(*by, form);
    } else if (outcome.form.empty() || is_clean) {
      outcome.form = form;
      if (is_clean) break;
    }
  }
  if (outcome.form.empty()) return outcome;
  const std::string by_its_digest = refused.digest_helps ? by_digest(refused) : std::string();
  if (by_its_digest.empty() || by_its_digest == outcome.form) return outcome;
  outcome.or_digest = refusal(sample_text(by_its_digest), is_clean) == nullptr;
  const bool is_offered = outcome.form.ends_with(refused.known_digest);
  if (outcome.or_digest && !refused.known_digest.empty() && !is_offered) {
    outcome.alternatives.push_back(by_its_digest);
  }
  return outcome;
}

}  // namespace belay::policy
