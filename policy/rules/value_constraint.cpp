#include "policy/rules/value_constraint.h"

#include <re2/re2.h>
#include <re2/stringpiece.h>

#include <algorithm>
#include <array>

#include "policy/gaps.h"
#include "policy/rules/words.h"

namespace belay::policy {

namespace {

bool matches(const ValueConstraint& constraint, std::string_view value) {
  return re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *constraint.compiled);
}

/// What most patterns are about: names, numbers, tickets, versions.
constexpr std::array<std::string_view, 12> kSamples = {
    "value", "a", "team-a", "Value", "A", "1", "0042", "42", "ABC-1", "v1", "1.2.3", "a@b.example",
};

}  // namespace

std::string problem_with(const ValueConstraint& constraint, std::string_view value) {
  if (!constraint.values.empty()) {
    const auto& values = constraint.values;
    return std::find(values.begin(), values.end(), value) != values.end()
               ? std::string()
               : "is not an allowed value of the label";
  }
  if (constraint.compiled != nullptr && !matches(constraint, value)) {
    return "does not match the pattern " + constraint.pattern;
  }
  return {};
}

void offer_values(const ValueConstraint& constraint, LabelOffers& offers) {
  for (const std::string& value : constraint.values) {
    if (offers.values.size() == kMaxOffers) return;
    offers.add(value);
  }
  if (!constraint.values.empty()) return;
  std::string_view sample = sample_of("value");
  if (constraint.compiled != nullptr) {
    const auto* found = std::ranges::find_if(
        kSamples, [&](std::string_view value) { return matches(constraint, value); });
    sample = found == kSamples.end() ? std::string_view() : *found;
  }
  offers.values.push_back({wanted_value(constraint), std::string(sample)});
}

std::string wanted_value(const ValueConstraint& constraint) {
  if (!constraint.values.empty()) return one_of(constraint.values);
  if (!constraint.pattern.empty()) return "<a value that matches " + constraint.pattern + ">";
  return std::string(kValueGap);
}

}  // namespace belay::policy
