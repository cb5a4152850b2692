#include "policy/settings_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include "policy/field_path.h"
#include "policy/label_settings.h"
#include "policy/text/ascii.h"
#include "policy/text/quote.h"
#include "policy/text/spelling.h"
#include "policy/text_form.h"

namespace belay::policy {
namespace {

using Kind = Node::Kind;

/// "a list", "the number 3": what is there in place of something else.
std::string describe_node(const Node& node) {
  switch (node.kind) {
    case Kind::kMapping:
      return "a mapping";
    case Kind::kSequence:
      return "a list";
    case Kind::kNull:
      return "null";
    case Kind::kScalar:
      break;
  }
  if (node.is_bool()) return "the boolean " + node.text;
  if (node.is_number()) return "the number " + node.text;
  return "the string " + quote_line(node.text);
}

std::string list_of(std::span<const std::string_view> words) {
  std::string out;
  for (const auto word : words) {
    if (!out.empty()) out += ", ";
    out += word;
  }
  return out;
}

std::string suggestion(std::string_view word, std::span<const std::string_view> known) {
  const auto near = nearest(word, known);
  if (near.empty()) return {};
  std::string out = "; did you mean ";
  out += quote_line(near);
  out += '?';
  return out;
}

}  // namespace

Position position_in(const Node& scalar, std::size_t offset) {
  const std::size_t length = scalar.end_offset - scalar.position.offset;
  const std::size_t quotes = scalar.plain ? 0 : 2;
  if (scalar.literal || length != scalar.text.size() + quotes) return scalar.position;
  Position position = scalar.position;
  position.offset += offset + quotes / 2;
  position.column += static_cast<std::uint32_t>(offset + quotes / 2);
  return position;
}

bool ReadState::take_expression(const Node& node, const std::string& path) {
  if (expressions > 0) {
    --expressions;
    return true;
  }
  if (!std::exchange(reported_expressions, true)) {
    errors.push_back({node.position, path,
                      "is over the limit of regular expressions: a policy, and all policies of a "
                      "ConfigMap together, have at most " +
                          std::to_string(kMaxExpressions)});
  }
  return false;
}

void SettingsReader::fail(const Node& node, std::string path, std::string message) {
  state_.errors.push_back({node.position, std::move(path), std::move(message)});
}

std::string SettingsReader::path_to(std::string_view key) const { return append_key(path_, key); }

const Node* SettingsReader::want(const Key& key) {
  known_.push_back(key.name);
  const Node* value = node_.find(key.name);
  if (value == nullptr && key.required) {
    fail(node_, path_, "lacks the key " + quote_line(key.name) + ": " + std::string(key.summary));
  }
  return value;
}

bool SettingsReader::is_mapping(const Node& node, const std::string& path, std::string_view name) {
  if (node.kind == Kind::kMapping) return true;
  if (node.kind == Kind::kNull) {
    fail(node, path, "is empty; write " + std::string(name) + ": {}");
  } else {
    fail(node, path, "must be a mapping, not " + describe_node(node));
  }
  return false;
}

const Node* SettingsReader::mapping(const Key& key) {
  const Node* node = want(key);
  return node != nullptr && is_mapping(*node, path_to(key.name), key.name) ? node : nullptr;
}

/// The mapping of a key; an empty one has no effect and is an error.
const Node* SettingsReader::want_mapping(const Key& key) {
  const Node* node = want(key);
  if (node == nullptr) return nullptr;
  if (node->kind == Kind::kNull || (node->kind == Kind::kMapping && node->keys.empty())) {
    fail(*node, path_to(key.name), "is empty; give an entry, or leave the key out");
    return nullptr;
  }
  return is_mapping(*node, path_to(key.name), key.name) ? node : nullptr;
}

void SettingsReader::finish() {
  for (std::size_t i = 0; i < node_.keys.size(); ++i) {
    const Node& key = node_.keys[i];
    const auto is_key = [&](std::string_view name) { return name == key.text; };
    if (std::any_of(known_.begin(), known_.end(), is_key)) continue;
    std::string message = "unknown key";
    if (const auto hint = suggestion(key.text, known_); !hint.empty()) {
      message += hint;
    } else {
      message += "; known keys: ";
      message += list_of(known_);
    }
    fail(key, path_to(key.text), std::move(message));
  }
}

bool SettingsReader::check(const Node& node, const std::string& path, TextForm form) {
  if (node.kind == Kind::kNull) {
    fail(node, path, "is empty; write a string, or leave the key out");
    return false;
  }
  if (!node.is_text()) {
    std::string message = "must be a string, not " + describe_node(node);
    if (form == TextForm::kDuration && node.is_number()) {
      message += "; write its unit: " + node.text + "d, " + node.text + "h or " + node.text + "m";
    } else if (node.kind == Kind::kScalar)
      message += "; write it in quotes: " + quote_line(node.text);
    fail(node, path, std::move(message));
    return false;
  }
  auto problem = check_text(form, node.text);
  if (problem.empty()) return true;
  fail(node, path, node.text.empty() ? problem : quote_line(node.text) + " " + problem);
  return false;
}

std::vector<SettingsReader::Entry> SettingsReader::entries(const Node& list,
                                                           const std::string& path, TextForm form) {
  if (list.kind == Kind::kScalar) {
    fail(list, path, "must be a list, not " + describe_node(list) + "; write [" + list.text + "]");
    return {};
  }
  if (list.kind == Kind::kMapping) {
    fail(list, path, "must be a list, not a mapping");
    return {};
  }
  if (list.items.empty()) {
    fail(list, path, "is an empty list; give an entry, or leave the key out");
    return {};
  }
  std::vector<Entry> good;
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    auto item_path = append_index(path, i);
    if (check(list.items[i], item_path, form)) {
      good.push_back({&list.items[i], std::move(item_path)});
    }
  }
  return good;
}

void SettingsReader::flag(const Key& key, bool& value) {
  const Node* node = want(key);
  if (node == nullptr) return;
  if (node->is_bool()) {
    value = node->bool_value();
  } else {
    fail(*node, path_to(key.name), "must be true or false, not " + describe_node(*node));
  }
}

void SettingsReader::text(const Key& key, TextForm form, std::string& value) {
  const Node* node = want(key);
  if (node != nullptr && check(*node, path_to(key.name), form)) value = node->text;
}

void SettingsReader::choice(const Key& key, Choice choice, int& value) {
  const Node* node = want(key);
  if (node == nullptr) return;
  const auto found = node->is_text()
                         ? std::find(choice.words.begin(), choice.words.end(), node->text)
                         : choice.words.end();
  if (found != choice.words.end()) {
    value = static_cast<int>(found - choice.words.begin());
    return;
  }
  std::string message = "must be one of " + list_of(choice.words) + ", not " + describe_node(*node);
  if (node->is_text()) message += suggestion(node->text, choice.words);
  fail(*node, path_to(key.name), std::move(message));
}

void SettingsReader::texts(const Key& key, TextForm form, std::vector<std::string>& value) {
  const Node* node = want(key);
  if (node == nullptr) return;
  value.clear();
  for (const auto& entry : entries(*node, path_to(key.name), form)) {
    value.push_back(entry.node->text);
  }
}

void SettingsReader::repository_globs(const Key& key, std::vector<RepositoryGlob>& value) {
  std::vector<std::string> patterns;
  texts(key, TextForm::kRepositoryGlob, patterns);
  for (const auto& pattern : patterns) {
    if (auto glob = RepositoryGlob::compile(pattern)) value.push_back(std::move(*glob));
  }
}

void SettingsReader::name_globs(const Key& key, NameGlobs& value) {
  std::vector<std::string> patterns;
  texts(key, TextForm::kNameGlob, patterns);
  if (auto globs = NameGlobs::compile(patterns)) value = std::move(*globs);
}

void SettingsReader::tag_globs(const Key& key, std::vector<std::string>& texts_value,
                               TagGlobs& value) {
  texts(key, TextForm::kTagGlob, texts_value);
  // In the order in which they are kept, or each would move those after it: a list may be long.
  std::vector<std::string> sorted = texts_value;
  for (std::string& pattern : sorted) pattern = lower_case(pattern);
  std::sort(sorted.begin(), sorted.end());
  for (const auto& pattern : sorted) value.add(pattern);  // texts() reported the bad ones
}

void SettingsReader::tag_templates(const Key& key, std::vector<std::string>& texts_value) {
  const Node* node = want(key);
  if (node == nullptr) return;
  texts_value.clear();
  for (auto& entry : entries(*node, path_to(key.name), TextForm::kTagTemplate)) {
    texts_value.push_back(entry.node->text);
    state_.templates.push_back({entry.node, std::move(entry.path)});
  }
}

void SettingsReader::text_lists(
    const Key& key, TextForm form,
    std::vector<std::pair<std::string, std::vector<std::string>>>& value) {
  const Node* node = want_mapping(key);
  if (node == nullptr) return;
  value.clear();
  for (std::size_t i = 0; i < node->keys.size(); ++i) {
    const auto path = append_key(path_to(key.name), node->keys[i].text);
    auto problem = check_text(TextForm::kLabelValue, node->keys[i].text);
    if (!problem.empty()) fail(node->keys[i], path, "key " + problem);
    auto& list = value.emplace_back(node->keys[i].text, std::vector<std::string>()).second;
    for (const auto& entry : entries(node->items[i], path, form)) {
      list.push_back(entry.node->text);
    }
  }
}

void SettingsReader::name_globs_by(const Key& key,
                                   std::vector<std::pair<std::string, NameGlobs>>& value) {
  std::vector<std::pair<std::string, std::vector<std::string>>> lists;
  text_lists(key, TextForm::kNameGlob, lists);
  for (auto& [word, patterns] : lists) {
    if (auto globs = NameGlobs::compile(patterns)) value.emplace_back(word, std::move(*globs));
  }
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
    SettingsReader reader(node->items[i], path, state_);
    value.emplace_back(label, read_constraint(reader, form));
  }
}

void SettingsReader::selector(const Key& key, LabelSelector& value) {
  section(key, [&](PolicyVisitor& visitor) {
    value = read_selector(static_cast<SettingsReader&>(visitor));  // section() makes nothing else
  });
}

void SettingsReader::constant(const Key& key, std::string_view word) {
  const Node* node = want(key);
  if (node == nullptr || (node->is_text() && node->text == word)) return;
  fail(*node, path_to(key.name), "must be " + std::string(word) + ", not " + describe_node(*node));
}

void SettingsReader::section(const Key& key, const Keys& keys) {
  const Node* node = want(key);
  auto path = path_to(key.name);
  if (node == nullptr || !is_mapping(*node, path, key.name)) return;
  SettingsReader reader(*node, std::move(path), state_);
  keys(reader);
  reader.finish();
}

void SettingsReader::sections(const Key& key, const ElementKeys& keys) {
  const Node* node = want(key);
  if (node == nullptr) return;
  const auto path = path_to(key.name);
  if (node->kind != Kind::kSequence && node->kind != Kind::kNull) {
    fail(*node, path, "must be a list, not " + describe_node(*node));
    return;
  }
  if (node->items.empty()) {
    fail(*node, path, "is an empty list; give an entry, or leave the key out");
    return;
  }
  for (std::size_t i = 0; i < node->items.size(); ++i) {
    auto item_path = append_index(path, i);
    if (node->items[i].kind != Kind::kMapping) {
      fail(node->items[i], item_path, "must be a mapping, not " + describe_node(node->items[i]));
      continue;
    }
    SettingsReader reader(node->items[i], std::move(item_path), state_);
    keys(reader, i);
    reader.finish();
  }
}

void SettingsReader::date(const Key& key, std::optional<std::chrono::year_month_day>& value) {
  std::string text_value;
  text(key, TextForm::kDate, text_value);
  if (!text_value.empty()) value = parse_day(text_value);
}

void SettingsReader::rule_ids(const Key& key, std::vector<RuleId>& value) {
  std::vector<std::string> names;
  texts(key, TextForm::kRuleId, names);
  for (const auto& name : names) {
    if (const auto id = find_rule_id(name)) value.push_back(*id);
  }
}

}  // namespace belay::policy
