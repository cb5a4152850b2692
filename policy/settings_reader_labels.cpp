// The part of the settings reader that knows labels: value constraints and Kubernetes label
// selectors. See settings_reader.h.
#include <re2/re2.h>

#include <array>

#include "policy/field_path.h"
#include "policy/settings_reader.h"
#include "policy/text/quote.h"
#include "policy/text_form.h"

namespace belay::policy {
namespace {

constexpr std::size_t kMaxPatternBytes = 1024;
constexpr std::int64_t kMaxPatternMemory = 256 << 10;  ///< of a compiled expression

}  // namespace

ValueConstraint SettingsReader::constraint(const Node& node, const std::string& path,
                                           TextForm form) {
  ValueConstraint value;
  SettingsReader reader(node, path, state_);
  reader.texts({.name = "values", .summary = "Allowed values"}, form, value.values);
  reader.text({.name = "pattern", .summary = "RE2 expression over the whole value"}, TextForm::kAny,
              value.pattern);
  reader.finish();
  const Node* pattern = node.find("pattern");
  if (pattern != nullptr && node.find("values") != nullptr) {
    fail(*pattern, append_key(path, "pattern"), "stands beside values; give one of the two");
  }
  if (value.pattern.empty()) return value;
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxPatternMemory);
  if (value.pattern.size() > kMaxPatternBytes) {
    fail(*pattern, append_key(path, "pattern"), "is longer than 1024 bytes");
    return value;
  }
  if (!state_.take_expression(*pattern, append_key(path, "pattern"))) return value;
  auto compiled = std::make_shared<re2::RE2>(value.pattern, options);
  if (compiled->ok()) {
    value.compiled = std::move(compiled);
  } else {
    fail(*pattern, append_key(path, "pattern"),
         quote_line(value.pattern) + " is no RE2 expression: " + compiled->error());
  }
  return value;
}

void SettingsReader::constraints(const Key& key, TextForm form,
                                 std::vector<std::pair<std::string, ValueConstraint>>& value) {
  const Node* node = want_mapping(key);
  if (node == nullptr) return;
  value.clear();
  for (std::size_t i = 0; i < node->keys.size(); ++i) {
    const std::string& label = node->keys[i].text;
    const auto path = append_key(path_to(key.name), label);
    auto problem = check_text(TextForm::kLabelKey, label);
    if (!problem.empty()) fail(node->keys[i], path, "label " + problem);
    if (!is_mapping(node->items[i], path, label)) continue;
    value.emplace_back(label, constraint(node->items[i], path, form));
  }
}

void SettingsReader::match_labels(std::vector<LabelSelector::Requirement>& requirements) {
  const Key key = {.name = "matchLabels", .summary = "Labels with their values"};
  const Node* node = want(key);
  const auto path = path_to(key.name);
  if (node == nullptr || !is_mapping(*node, path, key.name)) return;
  for (std::size_t i = 0; i < node->keys.size(); ++i) {
    const auto item_path = append_key(path, node->keys[i].text);
    auto problem = check_text(TextForm::kLabelKey, node->keys[i].text);
    if (!problem.empty()) fail(node->keys[i], item_path, "label " + problem);
    const Node& value = node->items[i];
    // A label may be empty, unlike every other text of a policy.
    const bool empty_text = value.is_text() && value.text.empty();
    if (!empty_text && !check(value, item_path, TextForm::kLabelValue)) continue;
    requirements.push_back({node->keys[i].text, LabelSelector::Operator::kIn, {value.text}});
  }
}

/// One entry of matchExpressions; this reader stands on it. Which operator takes values:
/// apimachinery pkg/apis/meta/v1/validation: ValidateLabelSelectorRequirement.
void SettingsReader::match_expression(std::vector<LabelSelector::Requirement>& requirements) {
  using Operator = LabelSelector::Operator;
  static constexpr std::array<std::string_view, 4> kOperators = {"In", "NotIn", "Exists",
                                                                 "DoesNotExist"};
  LabelSelector::Requirement requirement{{}, Operator::kExists, {}};
  text({.name = "key", .summary = "the label", .required = true}, TextForm::kLabelKey,
       requirement.key);
  int op = -1;
  choice({.name = "operator", .summary = "In, NotIn, Exists or DoesNotExist", .required = true},
         {kOperators}, op);
  texts({.name = "values", .summary = "Values for In and NotIn"}, TextForm::kLabelValue,
        requirement.values);
  if (op < 0) return;
  requirement.op = static_cast<Operator>(op);
  const std::string name(kOperators[static_cast<std::size_t>(op)]);
  const bool takes_values = requirement.op == Operator::kIn || requirement.op == Operator::kNotIn;
  const Node* values = node_.find("values");
  if (takes_values && values == nullptr) {
    fail(node_, path_, "lacks the key \"values\", which operator " + name + " needs");
  } else if (!takes_values && values != nullptr) {
    fail(*values, path_to("values"), "must be left out with operator " + name);
  }
  requirements.push_back(std::move(requirement));
}

void SettingsReader::selector(const Key& key, LabelSelector& value) {
  std::vector<LabelSelector::Requirement> requirements;
  section(key, [&](PolicyVisitor& visitor) {
    auto& reader = static_cast<SettingsReader&>(visitor);  // section() makes nothing else
    reader.match_labels(requirements);
    reader.sections({.name = "matchExpressions", .summary = "Requirements on labels"},
                    [&](PolicyVisitor& element, std::size_t) {
                      static_cast<SettingsReader&>(element).match_expression(requirements);
                    });
  });
  value = LabelSelector(std::move(requirements));
}

}  // namespace belay::policy
