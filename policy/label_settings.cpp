// Reads the settings about labels: value constraints and Kubernetes label selectors.
#include "policy/label_settings.h"

#include <re2/re2.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "policy/field_path.h"
#include "policy/text/quote.h"
#include "policy/text_form.h"

namespace belay::policy {
namespace {

using Requirements = std::vector<LabelSelector::Requirement>;

constexpr std::size_t kMaxLabelPatternBytes = 1024;
constexpr std::int64_t kMaxPatternMemory = 256 << 10;  ///< of a compiled expression

void read_match_labels(SettingsReader& reader, Requirements& requirements) {
  const Key key = {.name = "matchLabels", .summary = "Labels with their values"};
  const Node* node = reader.mapping(key);
  if (node == nullptr) return;
  const std::string path = reader.path_to(key.name);
  for (std::size_t i = 0; i < node->keys.size(); ++i) {
    const auto item_path = append_key(path, node->keys[i].text);
    auto problem = check_text(TextForm::kLabelKey, node->keys[i].text);
    if (!problem.empty()) reader.fail(node->keys[i], item_path, "label " + problem);
    const Node& value = node->items[i];
    // A label may be empty, unlike every other text of a policy.
    const bool empty_text = value.is_text() && value.text.empty();
    if (!empty_text && !reader.check(value, item_path, TextForm::kLabelValue)) continue;
    requirements.push_back({node->keys[i].text, LabelSelector::Operator::kIn, {value.text}});
  }
}

/// One entry of matchExpressions. Which operator takes values: apimachinery
/// pkg/apis/meta/v1/validation, ValidateLabelSelectorRequirement.
void read_match_expression(SettingsReader& reader, Requirements& requirements) {
  using Operator = LabelSelector::Operator;
  static constexpr std::array<std::string_view, 4> kOperators = {"In", "NotIn", "Exists",
                                                                 "DoesNotExist"};
  LabelSelector::Requirement requirement{{}, Operator::kExists, {}};
  reader.text({.name = "key", .summary = "the label", .required = true}, TextForm::kLabelKey,
              requirement.key);
  int op = -1;
  reader.choice(
      {.name = "operator", .summary = "In, NotIn, Exists or DoesNotExist", .required = true},
      {kOperators}, op);
  reader.texts({.name = "values", .summary = "Values for In and NotIn"}, TextForm::kLabelValue,
               requirement.values);
  if (op < 0) return;
  requirement.op = static_cast<Operator>(op);
  const std::string name(kOperators[static_cast<std::size_t>(op)]);
  const bool takes_values = requirement.op == Operator::kIn || requirement.op == Operator::kNotIn;
  const Node* values = reader.node().find("values");
  if (takes_values && values == nullptr) {
    reader.fail(reader.node(), reader.path(),
                "lacks the key \"values\", which operator " + name + " needs");
  } else if (!takes_values && values != nullptr) {
    reader.fail(*values, reader.path_to("values"), "must be left out with operator " + name);
  }
  requirements.push_back(std::move(requirement));
}

}  // namespace

ValueConstraint read_constraint(SettingsReader& reader, TextForm form) {
  ValueConstraint value;
  reader.texts({.name = "values", .summary = "Allowed values"}, form, value.values);
  reader.text({.name = "pattern", .summary = "RE2 expression over the whole value"}, TextForm::kAny,
              value.pattern);
  reader.finish();
  const std::string path = reader.path_to("pattern");
  const Node* pattern = reader.node().find("pattern");
  if (pattern != nullptr && reader.node().find("values") != nullptr) {
    reader.fail(*pattern, path, "is given together with values; give one of the two");
  }
  if (value.pattern.empty()) return value;
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxPatternMemory);
  if (value.pattern.size() > kMaxLabelPatternBytes) {
    reader.fail(*pattern, path, "is longer than 1024 bytes");
    return value;
  }
  if (!reader.state().take_expression(*pattern, path)) return value;
  auto compiled = std::make_shared<re2::RE2>(value.pattern, options);
  if (compiled->ok()) {
    value.compiled = std::move(compiled);
  } else {
    reader.fail(*pattern, path,
                quote_line(value.pattern) + " is not an RE2 expression: " + compiled->error());
  }
  return value;
}

LabelSelector read_selector(SettingsReader& reader) {
  Requirements requirements;
  read_match_labels(reader, requirements);
  reader.sections({.name = "matchExpressions", .summary = "Requirements on labels"},
                  [&](PolicyVisitor& element, std::size_t) {
                    // sections() of a reader visits readers
                    read_match_expression(static_cast<SettingsReader&>(element), requirements);
                  });
  return LabelSelector(std::move(requirements));
}

}  // namespace belay::policy
