#include "policy/policy_keys.h"

#include <array>

#include "policy/rules/rule.h"

namespace belay::policy {
namespace {

void visit_match(PolicyVisitor& visitor, Match& match) {
  visitor.texts({.name = "namespaces",
                 .summary = "Globs on the namespace's name; \"!\" in front excludes",
                 .default_text = "[\"*\"]"},
                TextForm::kNameGlob, match.namespaces);
  visitor.selector({.name = "namespaceSelector",
                    .summary = "Kubernetes LabelSelector on the namespace's labels",
                    .default_text = "all namespaces"},
                   match.namespace_selector);
}

void visit_pin(PolicyVisitor& visitor, PinSettings& pin) {
  visitor.flag({.name = "enabled",
                .summary = "Rewrite repo:tag to repo:tag@sha256:... in what is created and changed",
                .default_text = "false"},
               pin.enabled);
  visitor.repository_globs({.name = "images",
                            .summary = "Globs on the repositories whose tags are pinned",
                            .default_text = "all"},
                           pin.images);
  visit_on_registry_error(visitor, "allow", pin.on_registry_error);
}

void visit_rules(PolicyVisitor& visitor, Rules& rules) {
  for (const RuleType& type : rule_types()) {
    if (type.key.empty()) continue;
    visitor.section({.name = type.key, .summary = type.summary, .default_text = "off"},
                    [&](PolicyVisitor& inner) { type.visit(inner, rules); });
  }
}

void visit_exemption(PolicyVisitor& visitor, Exemption& exemption) {
  visitor.repository_globs({.name = "images",
                            .summary = "Globs on the canonical repositories that are exempt",
                            .required = true},
                           exemption.images);
  visitor.name_globs({.name = "namespaces",
                      .summary = "Globs on the namespace's name; \"!\" in front excludes",
                      .default_text = "all"},
                     exemption.namespaces);
  visitor.rule_ids({.name = "rules",
                    .summary = "Ids of the rules that do not apply to the images",
                    .default_text = "all"},
                   exemption.rules);
  visitor.text({.name = "reason", .summary = "Why the exemption exists", .required = true},
               TextForm::kAny, exemption.reason);
  visitor.text({.name = "ticket", .summary = "Where it is tracked"}, TextForm::kAny,
               exemption.ticket);
  visitor.date({.name = "expires",
                .summary = "YYYY-MM-DD; from that day on (UTC) the exemption is ignored and "
                           "reported",
                .default_text = "never"},
               exemption.expires);
}

void visit_mode_of_policy(PolicyVisitor& visitor, Mode& mode) {
  static constexpr std::array<std::string_view, 3> kWords = {"enforce", "warn", "audit"};
  static constexpr std::array<Mode, 3> kModes = {Mode::kEnforce, Mode::kWarn, Mode::kAudit};
  int choice = -1;
  visitor.choice({.name = "mode",
                  .summary = "What a finding leads to: deny (enforce), admit with a warning "
                             "(warn), or admit, count and log (audit)",
                  .default_text = "enforce"},
                 {kWords}, choice);
  if (choice >= 0) mode = kModes[static_cast<std::size_t>(choice)];
}

void visit_spec(PolicyVisitor& visitor, Policy& policy) {
  visitor.text({.name = "description", .summary = "What the policy is for"}, TextForm::kAny,
               policy.description);
  visit_mode_of_policy(visitor, policy.mode);
  visitor.text({.name = "helpUrl", .summary = "http or https URL that ends every denial"},
               TextForm::kUrl, policy.help_url);
  visitor.section({.name = "match",
                   .summary = "Which namespaces the policy evaluates",
                   .default_text = "all namespaces"},
                  [&](PolicyVisitor& inner) { visit_match(inner, policy.match); });
  visitor.section({.name = "rules",
                   .summary = "The rules, by key; one that is not named is off. image-reference "
                              "has no settings and is always on",
                   .default_text = "{}"},
                  [&](PolicyVisitor& inner) { visit_rules(inner, policy.rules); });
  visitor.sections(
      {.name = "exemptions",
       .summary =
           "Images that some rules do not apply to, with a reason and optionally an end date"},
      [&](PolicyVisitor& inner, std::size_t) {
        visit_exemption(inner, policy.exemptions.emplace_back());
      });
  visitor.texts({.name = "placeholders",
                 .summary = "Image texts that are ignored in templates and evaluated in Pods, "
                            "such as auto of Istio's injection",
                 .default_text = "none"},
                TextForm::kAny, policy.placeholders);
  visitor.section({.name = "pin", .summary = "Pinning of tags to digests by /mutate"},
                  [&](PolicyVisitor& inner) { visit_pin(inner, policy.pin); });
}

}  // namespace

void visit_policy(PolicyVisitor& visitor, Policy& policy) {
  visitor.constant({.name = "apiVersion", .summary = "Version of the format", .required = true},
                   kApiVersion);
  visitor.constant({.name = "kind", .summary = "Kind of the document", .required = true},
                   kPolicyKind);
  visitor.section({.name = "metadata", .summary = "The name of the policy", .required = true},
                  [&](PolicyVisitor& inner) {
                    inner.text({.name = "name",
                                .summary = "Name of the policy, unique among those in force; it "
                                           "is part of every message",
                                .required = true},
                               TextForm::kObjectName, policy.name);
                  });
  visitor.section({.name = "spec", .summary = "The policy itself", .required = true},
                  [&](PolicyVisitor& inner) { visit_spec(inner, policy); });
}

}  // namespace belay::policy
