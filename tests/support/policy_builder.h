// Builds policies for tests in a few words, and evaluates workloads under them.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "policy/evaluate.h"
#include "policy/message.h"
#include "policy/pinning.h"
#include "policy/policy_set.h"
#include "policy/registry_needs.h"
#include "policy/rules/rule.h"

namespace belay::policy::testing {

/// Reads nothing: what visit() leaves are the defaults.
class NoSettings final : public SettingsVisitor {
 public:
  void flag(const Key&, bool&) override {}
  void text(const Key&, TextForm, std::string&) override {}
  void choice(const Key&, Choice, int&) override {}
  void texts(const Key&, TextForm, std::vector<std::string>&) override {}
  void repository_globs(const Key&, std::vector<RepositoryGlob>&) override {}
  void name_globs(const Key&, NameGlobs&) override {}
  void tag_globs(const Key&, std::vector<std::string>&, TagGlobs&) override {}
  void tag_templates(const Key&, std::vector<std::string>&) override {}
  void text_lists(const Key&, TextForm,
                  std::vector<std::pair<std::string, std::vector<std::string>>>&) override {}
  void name_globs_by(const Key&, std::vector<std::pair<std::string, NameGlobs>>&) override {}
  void constraints(const Key&, TextForm,
                   std::vector<std::pair<std::string, ValueConstraint>>&) override {}
};

using Texts = std::vector<std::string>;

inline NameGlobs name_globs(const Texts& patterns) { return NameGlobs::compile(patterns).value(); }

inline std::vector<RepositoryGlob> repositories(const Texts& patterns) {
  std::vector<RepositoryGlob> globs;
  for (const std::string& pattern : patterns) {
    globs.push_back(RepositoryGlob::compile(pattern).value());
  }
  return globs;
}

/// Turns a rule on with its defaults.
inline void turn_on(Policy& policy, RuleId rule) {
  NoSettings none;
  rule_types()[static_cast<std::size_t>(rule)].visit(none, policy.rules);
}

/// A policy with some rules on.
inline Policy policy_with(std::initializer_list<RuleId> rules, std::string name = "production") {
  Policy policy;
  policy.name = std::move(name);
  for (const RuleId rule : rules) turn_on(policy, rule);
  return policy;
}

inline void set_mutable_tags(Policy& policy, const Texts& tags) {
  auto& settings = policy.rules.mutable_tag.emplace();
  settings.tags = tags;
  for (const std::string& tag : tags) {
    if (auto wrong = settings.globs.add(tag); !wrong.empty()) throw std::invalid_argument(wrong);
  }
}

/// Turns tag-format on; call it once environments and suffixes are set.
inline void set_tag_format(Policy& policy, const Texts& templates) {
  Texts words = policy.environments();
  if (policy.rules.environment_tag) {
    for (const auto& [environment, suffixes] : policy.rules.environment_tag->suffixes) {
      for (const std::string& suffix : suffixes) words.push_back(suffix.substr(1));
    }
  }
  auto& settings = policy.rules.tag_format.emplace();
  settings.any_of = templates;
  for (const std::string& text : templates) {
    settings.templates.push_back(TagTemplate::compile(text, words).value());
  }
}

inline void restrict_to(Policy& policy, const Texts& namespaces) {
  policy.match.namespaces = namespaces;
  policy.match.namespace_globs = name_globs(namespaces);
}

inline LabelSelector selector(std::string key, std::string value) {
  return LabelSelector({{std::move(key), LabelSelector::Operator::kIn, {std::move(value)}}});
}

inline Exemption exemption(const Texts& images, std::vector<RuleId> rules = {}) {
  Exemption exemption;
  exemption.images = repositories(images);
  exemption.rules = std::move(rules);
  exemption.reason = "vendor image";
  return exemption;
}

inline constexpr std::chrono::year_month_day kToday =
    std::chrono::year{2026} / std::chrono::June / std::chrono::day{15};

/// Policies in force, and what they say of workloads. Outlives the verdicts it gives.
class Evaluator {
 public:
  Evaluator(std::initializer_list<Policy> policies, std::vector<Label> namespace_labels = {})
      : Evaluator(std::vector<Policy>(policies), std::move(namespace_labels)) {}
  Evaluator(const std::vector<Policy>& policies,  // NOLINT: reads as one
            std::vector<Label> namespace_labels = {})
      : namespace_labels_(std::move(namespace_labels)) {
    std::vector<std::shared_ptr<const Policy>> all;
    for (const Policy& policy : policies) all.push_back(std::make_shared<const Policy>(policy));
    set_ = make_policy_set(std::move(all));
  }
  Evaluator(const Policy& policy, std::vector<Label> namespace_labels = {})  // NOLINT: one policy
      : Evaluator({policy}, std::move(namespace_labels)) {}

  Evaluator& without_namespace_labels() {
    known_ = false;
    return *this;
  }
  Evaluator& on(std::chrono::year_month_day today) {
    today_ = today;
    return *this;
  }

  /// What registries say of the images, in their order.
  Evaluator& with_facts(std::vector<ImageFacts> facts) {
    facts_ = std::move(facts);
    return *this;
  }
  Evaluator& offline() {
    offline_ = true;
    return *this;
  }
  Evaluator& knowing(const KnownDigests& digests) {
    known_digests_ = &digests;
    return *this;
  }

  Verdict evaluate(const Workload& workload) const {
    const NamespaceFacts ns{.labels = namespace_labels_};
    Verdict verdict;
    policy::evaluate(set_, workload, facts(ns), verdict);
    return verdict;
  }
  /// What registries are asked about the workload.
  std::vector<ImageNeed> needs(const Workload& workload) const {
    const NamespaceFacts ns{.labels = namespace_labels_};
    std::vector<ImageNeed> needs;
    registry_needs(set_, workload, facts(ns), needs);
    return needs;
  }
  /// What is to be pinned.
  std::vector<Pin> pins(const Workload& workload) const {
    const NamespaceFacts ns{.labels = namespace_labels_};
    std::vector<Pin> pins;
    plan_pins(set_, workload, facts(ns), pins);
    return pins;
  }
  /// Lines of all findings.
  Texts lines(const Workload& workload) const {
    Texts lines;
    for (const Finding& finding : evaluate(workload).findings) {
      lines.push_back(finding_line(finding, false));
    }
    return lines;
  }
  /// "rule field" of all findings.
  Texts brief(const Workload& workload) const {
    Texts found;
    for (const Finding& finding : evaluate(workload).findings) {
      found.push_back(std::string(name_of(finding.rule)) + " " + finding.field);
    }
    return found;
  }
  Decision decision(const Workload& workload) const { return evaluate(workload).decision(); }
  const PolicySet& set() const { return set_; }

 private:
  Facts facts(const NamespaceFacts& ns) const {
    return {.today = today_,
            .ns = known_ ? &ns : nullptr,
            .images = facts_,
            .offline = offline_,
            .known_digests = known_digests_,
            .now = std::chrono::sys_days(today_)};
  }

  PolicySet set_;
  std::vector<Label> namespace_labels_;
  bool known_ = true;
  std::vector<ImageFacts> facts_;
  bool offline_ = false;
  const KnownDigests* known_digests_ = nullptr;
  std::chrono::year_month_day today_ = kToday;
};

}  // namespace belay::policy::testing

namespace doctest {

template <>
struct StringMaker<std::vector<std::string>> {
  static String convert(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) all += "\n    " + text;
    return all.c_str();
  }
};

}  // namespace doctest
