// The finding about an image that nobody could ask a registry about. Pure.
#include "policy/rules/registry.h"

#include <string>

namespace belay::policy {

const ImageFacts* facts_or_finding(const Judgement& judgement, const JudgedImage& image,
                                   const Question& question, Findings& findings) {
  const std::string what(question.what);
  if (judgement.offline) {
    findings.image(image, "was not checked for its " + what + ", which a registry knows",
                   "Check it with belay check --resolve --registries FILE",
                   {.other_changed = false, .at_most = Mode::kWarn});
    return nullptr;
  }
  const ImageFacts* facts = judgement.facts_of(image);
  if (facts != nullptr && question.known(image, *facts)) return facts;
  const bool told = facts != nullptr && !facts->problem.empty();
  const Mode at_most = question.on_error == OnRegistryError::kAllow ? Mode::kWarn : Mode::kEnforce;
  findings.image(image,
                 "could not be checked for its " + what + ": " +
                     (told ? facts->problem : std::string("no registry was asked")),
                 "Try again in a moment; if it stays so, ask those who run the cluster",
                 {.other_changed = false, .at_most = at_most});
  return nullptr;
}

}  // namespace belay::policy
