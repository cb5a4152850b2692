#include "policy/rules/value_constraint.h"

#include <re2/re2.h>
#include <re2/stringpiece.h>

#include <algorithm>

#include "policy/rules/words.h"

namespace belay::policy {

std::string problem_with(const ValueConstraint& constraint, std::string_view value) {
  if (!constraint.values.empty()) {
    const auto& values = constraint.values;
    return std::find(values.begin(), values.end(), value) != values.end()
               ? std::string()
               : "is not an allowed value of the label";
  }
  if (constraint.compiled != nullptr &&
      !re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *constraint.compiled)) {
    return "does not fit the pattern " + constraint.pattern;
  }
  return {};
}

std::string wanted_value(const ValueConstraint& constraint) {
  if (!constraint.values.empty()) return one_of(constraint.values);
  if (!constraint.pattern.empty()) return "<a value that fits " + constraint.pattern + ">";
  return "<value>";
}

}  // namespace belay::policy
