// The sentence of a fix, made of its words and its changes. Runs when a finding is shown. Pure.
#include "policy/fix_text.h"

#include <vector>

#include "policy/rules/words.h"

namespace belay::policy {

namespace {

/// `environment: dev, test or prod`.
std::string label_text(const Change& change, const std::vector<std::string>& alternatives) {
  std::vector<std::string> values = {change.value};
  values.insert(values.end(), alternatives.begin(), alternatives.end());
  return change.target.key + ": " + one_of(values);
}

/// `set environment: prod`, `use shop/web:<version>-prod in spec.containers[0].image`.
std::string also(const Change& change) {
  if (change.target.is_label()) return "set " + label_text(change, {});
  return "use " + change.value + " in " + change.field;
}

std::string capitalised(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') {
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
  }
  return text;
}

std::string image_text(const Fix& fix) {
  const std::string& value = fix.changes.front().value;
  // Where no tag is accepted, the advice about one is no use.
  const std::size_t name_end = value.find('@');
  const bool only_digest = fix.digest_helps && name_end != std::string::npos &&
                           value.find(':', value.rfind('/', name_end) + 1) > name_end;
  std::string text = only_digest ? "Use a digest" : fix.advice;
  if (fix.or_digest && !only_digest) text += " or a digest";
  text.append(fix.joint).append(value);
  for (const std::string& other : fix.alternatives) text.append("; by digest it is ").append(other);
  return text;
}

std::string own_text(const Finding& finding) {
  const Fix& fix = finding.fix;
  const Change& change = fix.changes.front();
  if (change.target != finding.target) return capitalised(also(change));
  if (!change.target.is_label()) return image_text(fix);
  std::string text(fix.verb);
  if (text.empty()) text = finding.has_value ? "Set" : "Add";
  return text.append(" ").append(label_text(change, fix.alternatives));
}

}  // namespace

std::string fix_text(const Finding& finding) {
  const Fix& fix = finding.fix;
  if (fix.changes.empty()) {
    std::string text = fix.advice;
    if (!finding.target.is_label()) text += fix.otherwise;
    if (!fix.obstacle.empty()) text.append("; ").append(fix.obstacle);
    return text;
  }
  std::string text = own_text(finding);
  for (std::size_t i = 1; i < fix.changes.size(); ++i) {
    text.append(", and ").append(also(fix.changes[i]));
  }
  text.append(fix.otherwise);
  if (!fix.obstacle.empty()) text.append("; ").append(fix.obstacle);
  return text;
}

}  // namespace belay::policy
