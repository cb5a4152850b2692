// Finds values that cure findings. Labels are chosen first, then images, which may have to match
// the labels; then all rules run over the object as it would be, and what they find is cured in
// turn.
#include "policy/remedy.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "policy/draft.h"
#include "policy/gaps.h"
#include "policy/image_remedy.h"

namespace belay::policy {

namespace {

constexpr int kMaxRounds = 3;

/// The value that was chosen for a field.
struct ChosenValue {
  Target target = {};
  std::string field = {};
  std::string form = {};
  std::string sample = {};                      ///< "" where nothing that fits the gaps is known
  std::vector<LabelOffers::Value> others = {};  ///< of a label: what else was offered
  std::vector<std::string> alternatives = {};
  bool or_digest = false;
};

std::vector<Problem> problems_of(const std::vector<Finding*>& findings, Mode mode) {
  std::vector<Problem> problems;
  for (const bool labels : {true, false}) {
    for (const Finding* finding : findings) {
      const Target& target = finding->target;
      if (finding->fix.elsewhere || target.kind == Target::Kind::kOther) continue;
      if (target.is_label() != labels) continue;
      auto problem = std::ranges::find(problems, target, &Problem::target);
      if (problem == problems.end()) {
        problems.push_back(
            {.target = target, .field = finding->field, .findings = {}, .mode = mode});
        problem = problems.end() - 1;
      }
      problem->findings.push_back(finding);
    }
  }
  return problems;
}

class Remedy {
 public:
  Remedy(const RuleRun& run, const Workload& workload, const EvaluatedImages& within,
         std::vector<Finding>& findings)
      : run_(run), workload_(workload), draft_(run, workload, within), findings_(findings) {}

  void find() {
    std::vector<Finding*> denying;
    std::vector<Finding*> others;
    for (Finding& finding : findings_) {
      (finding.effective_mode() == Mode::kEnforce ? denying : others).push_back(&finding);
    }
    if (!denying.empty()) cure_together(denying);
    for (Finding* finding : others) {
      if (draft_.is_over()) return;
      cure_alone(*finding);
    }
  }

 private:
  void cure_together(const std::vector<Finding*>& denying);
  void cure_alone(Finding& finding);
  /// Cures what the object would be denied for if it had the values chosen so far.
  /// \return why that is not possible, or ""
  std::string cure_the_rest();
  /// What would deny the object if it had the values chosen so far.
  /// \param all_of  where findings of every mode count; nullptr: nowhere
  std::vector<Finding> left(const Target* all_of = nullptr);
  void find_alternatives(ChosenValue& choice);
  void assign(Finding& finding);
  void assign_extras(const std::vector<Finding*>& denying);

  bool choose(const Problem& problem) {
    return problem.target.is_label() ? choose_label(problem) : choose_image(problem);
  }
  bool choose_label(const Problem& problem);
  bool choose_image(const Problem& problem);
  std::vector<LabelOffers::Value> label_offers(const Problem& problem);
  /// The value as a form: the sample of a version in it becomes the gap again.
  std::string form_of(std::string text) const;

  ChosenValue* choice_of(const Target& target) {
    const auto found = std::ranges::find(choices_, target, &ChosenValue::target);
    return found == choices_.end() ? nullptr : &*found;
  }
  void keep(ChosenValue choice) {
    if (!choice.sample.empty()) draft_.set(choice.target, choice.sample);
    if (ChosenValue* known = choice_of(choice.target)) {
      *known = std::move(choice);
    } else {
      choices_.push_back(std::move(choice));
    }
  }

  const RuleRun& run_;
  const Workload& workload_;
  Draft draft_;
  std::vector<Finding>& findings_;
  std::vector<ChosenValue> choices_;
  std::vector<std::pair<Target, std::string>> obstacles_;
  /// By the image's text and the rules that refuse it; holds while labels stay as they are.
  std::map<std::tuple<std::string_view, RuleMask, Mode>, ImageOutcome> images_;
};

// -- labels ---------------------------------------------------------------------------------------

std::string Remedy::form_of(std::string text) const {
  const bool has_version = std::ranges::any_of(choices_, [](const ChosenValue& choice) {
    return choice.form.find(kVersionGap) != std::string::npos;
  });
  const std::string sample = sample_text(kVersionGap);
  const std::size_t at = has_version ? text.find(sample) : std::string::npos;
  return at == std::string::npos ? text : text.replace(at, sample.size(), kVersionGap);
}

std::vector<LabelOffers::Value> Remedy::label_offers(const Problem& problem) {
  LabelOffers offers;
  for (const Finding* finding : problem.findings) {
    if (!finding->fix.proposal.empty()) offers.add(finding->fix.proposal);
  }
  for (std::size_t i = 0; i < run_.policies.size(); ++i) {
    const Evaluation evaluation = draft_.evaluation(i);
    for (const RuleType& type : rule_types()) {
      if ((run_.rules_of(i) & bit_of(type.id)) == 0 || type.offer_label == nullptr) continue;
      type.offer_label(evaluation, problem.target, offers);
    }
  }
  std::vector<LabelOffers::Value> values;
  for (LabelOffers::Value& value : offers.values) {
    value.text = form_of(std::move(value.text));
    if (std::ranges::find(values, value.text, &LabelOffers::Value::text) != values.end()) continue;
    if (values.size() < kMaxOffers) values.push_back(std::move(value));
  }
  return values;
}

bool Remedy::choose_label(const Problem& problem) {
  std::vector<LabelOffers::Value> values = label_offers(problem);
  if (values.empty()) {
    obstacles_.emplace_back(problem.target, obstacle_by(*problem.findings.front(), {}));
    return false;
  }
  // What is refused less, here and then elsewhere, is better; of equals the first.
  using Score = std::tuple<bool, std::size_t, std::size_t>;
  std::optional<Score> best;
  std::size_t chosen = 0;
  std::string obstacle;
  for (std::size_t i = 0; i < values.size() && values.size() > 1; ++i) {
    Score score = {false, 0, findings_.size()};  // of a value that can't be tried
    if (!values[i].sample.empty()) {
      draft_.set(problem.target, values[i].sample);
      score = {};
      for (const Finding& finding : draft_.findings()) {
        auto& [is_refused, here, all] = score;
        const bool is_here = finding.target == problem.target;
        const bool is_strict = finding.effective_mode() >= problem.mode;
        if (is_here && is_strict && !is_refused) {
          is_refused = true;
          if (obstacle.empty()) obstacle = obstacle_by(finding, values[i].text);
        }
        if (is_here) ++here;
        if (is_strict) ++all;
      }
    }
    if (draft_.is_over()) return false;
    if (best && score >= *best) continue;
    best = score;
    chosen = i;
    if (score == Score()) break;
  }
  if (best && std::get<0>(*best)) {
    obstacles_.emplace_back(problem.target, obstacle);
    return false;
  }
  ChosenValue choice = {.target = problem.target,
                        .field = problem.field,
                        .form = values[chosen].text,
                        .sample = values[chosen].sample};
  const bool is_proposed = std::ranges::any_of(problem.findings, [&](const Finding* finding) {
    return finding->fix.proposal == choice.form;
  });
  if (!is_proposed) {
    values.erase(values.begin() + static_cast<std::ptrdiff_t>(chosen));
    choice.others = std::move(values);
  }
  const ChosenValue* known = choice_of(choice.target);
  const bool is_new = known == nullptr || known->form != choice.form;
  keep(std::move(choice));
  images_.clear();
  return is_new;
}

void Remedy::find_alternatives(ChosenValue& choice) {
  for (const LabelOffers::Value& other : choice.others) {
    if (other.sample.empty()) continue;
    draft_.set(choice.target, other.sample);
    if (left(&choice.target).empty() && !draft_.is_over()) {
      choice.alternatives.push_back(other.text);
    }
  }
  if (!choice.others.empty() && !choice.sample.empty()) draft_.set(choice.target, choice.sample);
}

// -- images ---------------------------------------------------------------------------------------

bool Remedy::choose_image(const Problem& problem) {
  RuleMask rules = 0;
  bool asks = false;
  for (const Finding* finding : problem.findings) {
    rules |= bit_of(finding->rule);
    asks = asks || rule_types()[static_cast<std::size_t>(finding->rule)].ask != nullptr;
  }
  // A label that changes may be all that the image needs.
  const bool may_stay =
      !asks && std::ranges::any_of(choices_, &Target::is_label, &ChosenValue::target);
  const auto [at, is_first] =
      images_.try_emplace({workload_.pod.images[problem.target.image].image, rules, problem.mode});
  if (is_first) at->second = find_image(run_, workload_, draft_, problem, may_stay);
  const ImageOutcome& outcome = at->second;
  if (outcome.form.empty()) {
    if (!outcome.obstacle.empty()) obstacles_.emplace_back(problem.target, outcome.obstacle);
    return false;
  }
  const ChosenValue* known = choice_of(problem.target);
  const bool is_new = known == nullptr || known->form != outcome.form;
  keep({.target = problem.target,
        .field = problem.field,
        .form = outcome.form,
        .sample = sample_text(outcome.form),
        .alternatives = outcome.alternatives,
        .or_digest = outcome.or_digest});
  return is_new;
}

// -- the object -----------------------------------------------------------------------------------

std::vector<Finding> Remedy::left(const Target* all_of) {
  std::vector<Finding> left;
  for (const Finding& finding : draft_.findings()) {
    const bool counts = all_of != nullptr && finding.target == *all_of;
    if (!counts && finding.effective_mode() != Mode::kEnforce) continue;
    const ChosenValue* choice = choice_of(finding.target);
    if (choice != nullptr && choice->sample.empty()) continue;
    // What no value cures denied the object before; what is new of it is an obstacle.
    const bool was_there =
        finding.fix.elsewhere && std::ranges::any_of(findings_, [&](const Finding& known) {
          return known.rule == finding.rule && known.field == finding.field &&
                 known.effective_mode() == Mode::kEnforce;
        });
    if (!was_there) left.push_back(finding);
  }
  return left;
}

std::string Remedy::cure_the_rest() {
  for (int round = 0;; ++round) {
    std::vector<Finding> found = left();
    if (found.empty() || draft_.is_over()) return {};
    std::vector<Finding*> findings;
    findings.reserve(found.size());
    for (Finding& finding : found) findings.push_back(&finding);
    bool progress = false;
    if (round < kMaxRounds) {
      for (const Problem& problem : problems_of(findings, Mode::kEnforce)) {
        progress = choose(problem) || progress;
      }
    }
    if (progress) continue;
    const ChosenValue* choice = choice_of(found.front().target);
    return obstacle_by(found.front(), choice == nullptr ? found.front().value : choice->form);
  }
}

void Remedy::cure_together(const std::vector<Finding*>& denying) {
  for (const Problem& problem : problems_of(denying, Mode::kEnforce)) choose(problem);
  std::string obstacle;
  if (obstacles_.empty()) obstacle = cure_the_rest();
  if (draft_.is_over()) {
    choices_.clear();
    obstacles_.clear();
    return;
  }
  if (obstacle.empty() && obstacles_.empty()) {
    for (ChosenValue& choice : choices_) find_alternatives(choice);
  }
  for (Finding* finding : denying) assign(*finding);
  assign_extras(denying);
  if (obstacle.empty()) return;
  const auto first =
      std::ranges::find_if(denying, [](const Finding* finding) { return !finding->fix.elsewhere; });
  if (first != denying.end()) (*first)->fix.obstacle = obstacle;
}

void Remedy::cure_alone(Finding& finding) {
  std::vector<Finding*> alone = {&finding};
  for (const Problem& problem : problems_of(alone, finding.effective_mode())) {
    if (choice_of(problem.target) != nullptr || !choose(problem)) continue;
    find_alternatives(*choice_of(problem.target));
  }
  if (!draft_.is_over()) assign(finding);
}

/// Gives a finding the change of its field; where that may stay as it is, those that cure it.
void Remedy::assign(Finding& finding) {
  if (finding.fix.elsewhere) return;
  Fix& fix = finding.fix;
  const auto change_of = [](const ChosenValue& choice) {
    return Change{.target = choice.target, .field = choice.field, .value = choice.form};
  };
  if (const ChosenValue* choice = choice_of(finding.target)) {
    fix.changes = {change_of(*choice)};
    if (fix.names_digest) return;
    fix.alternatives = choice->alternatives;
    fix.or_digest = choice->or_digest;
    return;
  }
  const auto obstacle =
      std::ranges::find(obstacles_, finding.target, &std::pair<Target, std::string>::first);
  if (obstacle != obstacles_.end()) {
    fix.obstacle = obstacle->second;
    return;
  }
  for (const ChosenValue& choice : choices_) {
    if (choice.target.is_label() != finding.target.is_label()) {
      fix.changes.push_back(change_of(choice));
    }
  }
}

/// Adds the changes of fields without a finding to one that makes them necessary.
void Remedy::assign_extras(const std::vector<Finding*>& denying) {
  for (const ChosenValue& choice : choices_) {
    const auto has_change = [&](const Finding* finding) {
      return std::ranges::find(finding->fix.changes, choice.target, &Change::target) !=
             finding->fix.changes.end();
    };
    if (std::ranges::any_of(denying, has_change)) continue;
    const auto causes = [&](const Finding* finding) {
      return !finding->fix.changes.empty() &&
             finding->target.is_label() != choice.target.is_label();
    };
    auto cause = std::ranges::find_if(denying, causes);
    if (cause == denying.end()) {
      cause = std::ranges::find_if(
          denying, [](const Finding* finding) { return !finding->fix.changes.empty(); });
    }
    if (cause == denying.end()) continue;
    (*cause)->fix.changes.push_back(
        {.target = choice.target, .field = choice.field, .value = choice.form});
  }
}

}  // namespace

void find_fixes(const RuleRun& run, const Workload& workload, const EvaluatedImages& within,
                std::vector<Finding>& findings) {
  Remedy(run, workload, within, findings).find();
}

}  // namespace belay::policy
