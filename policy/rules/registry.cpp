// The finding that a registry did not respond. Pure.
#include "policy/rules/registry.h"

#include <string>

namespace belay::policy {

const ImageFacts* facts_or_finding(const Evaluation& evaluation, const EvaluatedImage& image,
                                   const FactRequest& request, Findings& findings) {
  const std::string what(request.what);
  if (evaluation.offline) {
    findings.image(
        image, "was not checked for its " + what + ", which only a registry knows",
        {.advice = "Check it with belay check --resolve --registries FILE", .elsewhere = true},
        {.other_changed = false, .at_most = Mode::kWarn});
    return nullptr;
  }
  const ImageFacts* facts = evaluation.facts_of(image);
  if (facts != nullptr && request.known(image, *facts)) return facts;
  const bool told = facts != nullptr && !facts->problem.empty();
  const Mode at_most = request.on_error == OnRegistryError::kAllow ? Mode::kWarn : Mode::kEnforce;
  findings.image(image,
                 "could not be checked for its " + what + ": " +
                     (told ? facts->problem : std::string("no registry was asked")),
                 {.advice = "Try again in a moment; if that does not help, ask the admins of the "
                            "cluster",
                  .elsewhere = true},
                 {.other_changed = false, .at_most = at_most});
  return nullptr;
}

}  // namespace belay::policy
