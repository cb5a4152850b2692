// Writes the JSON Schema of ImagePolicy by visiting the description that the reader uses. Pure.
#include "policy/policy_schema.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "policy/policy_keys.h"
#include "policy/text_form.h"

namespace belay::policy {
namespace {

using Json = nlohmann::ordered_json;

Json text_schema(TextForm form) {
  const FormSchema schema = schema_of(form);
  Json json{{"type", "string"}, {"minLength", 1}};
  if (!schema.pattern.empty()) json["pattern"] = schema.pattern;
  if (!schema.format.empty()) json["format"] = schema.format;
  if (form == TextForm::kRuleId) {
    for (std::size_t i = 0; i < kRuleCount; ++i)
      json["enum"].push_back(name_of(static_cast<RuleId>(i)));
  }
  return json;
}

Json list_schema(Json items) {
  return {{"type", "array"}, {"minItems", 1}, {"items", std::move(items)}};
}

/// A mapping whose keys are data: environments, teams, labels.
Json map_schema(TextForm keys, Json values) {
  return {{"type", "object"},
          {"minProperties", 1},
          {"propertyNames", text_schema(keys)},
          {"additionalProperties", std::move(values)}};
}

/// A mapping whose keys are known; closed.
Json object_schema() {
  return {{"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
}

/// Kubernetes' LabelSelector, with the values rules of its operators.
Json selector_schema() {
  const Json label_value = {{"type", "string"},
                            {"pattern", schema_of(TextForm::kLabelValue).pattern}};
  const Json no_values = {{"not", {{"required", Json::array({"values"})}}}};
  const Json with_values = {{"required", Json::array({"values"})}};
  Json expression = object_schema();
  expression["required"] = Json::array({"key", "operator"});
  expression["properties"]["key"] = text_schema(TextForm::kLabelKey);
  expression["properties"]["operator"]["enum"] =
      Json::array({"In", "NotIn", "Exists", "DoesNotExist"});
  expression["properties"]["values"] = list_schema(label_value);
  expression["if"]["properties"]["operator"]["enum"] = Json::array({"In", "NotIn"});
  expression["then"] = with_values;
  expression["else"] = no_values;
  Json selector = object_schema();
  selector["properties"]["matchLabels"] = {
      {"type", "object"},
      {"propertyNames", text_schema(TextForm::kLabelKey)},
      {"additionalProperties",
       {{"type", "string"}, {"anyOf", Json::array({{{"maxLength", 0}}, label_value})}}}};
  selector["properties"]["matchExpressions"] = list_schema(std::move(expression));
  return selector;
}

class SchemaWriter final : public PolicyVisitor {
 public:
  explicit SchemaWriter(Json& object) : object_(object) {}

  void flag(const Key& key, bool&) override { add(key, {{"type", "boolean"}}); }
  void text(const Key& key, TextForm form, std::string&) override { add(key, text_schema(form)); }
  void choice(const Key& key, Choice choice, int&) override {
    Json words = Json::array();
    for (const auto word : choice.words) words.push_back(word);
    add(key, {{"enum", std::move(words)}});
  }
  void texts(const Key& key, TextForm form, std::vector<std::string>&) override {
    add(key, list_schema(text_schema(form)));
  }
  void repository_globs(const Key& key, std::vector<RepositoryGlob>&) override {
    add(key, list_schema(text_schema(TextForm::kRepositoryGlob)));
  }
  void name_globs(const Key& key, NameGlobs&) override {
    add(key, list_schema(text_schema(TextForm::kNameGlob)));
  }
  void tag_globs(const Key& key, std::vector<std::string>&, TagGlobs&) override {
    add(key, list_schema(text_schema(TextForm::kTagGlob)));
  }
  void tag_templates(const Key& key, std::vector<std::string>&) override {
    add(key, list_schema(text_schema(TextForm::kTagTemplate)));
  }
  void text_lists(const Key& key, TextForm form,
                  std::vector<std::pair<std::string, std::vector<std::string>>>&) override {
    add(key, map_schema(TextForm::kLabelValue, list_schema(text_schema(form))));
  }
  void name_globs_by(const Key& key, std::vector<std::pair<std::string, NameGlobs>>&) override {
    add(key, map_schema(TextForm::kLabelValue, list_schema(text_schema(TextForm::kNameGlob))));
  }
  void constraints(const Key& key, TextForm form,
                   std::vector<std::pair<std::string, ValueConstraint>>&) override {
    Json constraint = object_schema();
    constraint["properties"]["values"] = list_schema(text_schema(form));
    constraint["properties"]["pattern"] = {
        {"type", "string"}, {"minLength", 1}, {"maxLength", 1024}};
    constraint["maxProperties"] = 1;
    add(key, map_schema(TextForm::kLabelKey, std::move(constraint)));
  }

  void constant(const Key& key, std::string_view word) override { add(key, {{"const", word}}); }
  void section(const Key& key, const Keys& keys) override { add(key, object_of(keys)); }
  void sections(const Key& key, const ElementKeys& keys) override {
    add(key, list_schema(object_of([&](PolicyVisitor& inner) { keys(inner, 0); })));
  }
  void selector(const Key& key, LabelSelector&) override { add(key, selector_schema()); }
  void date(const Key& key, std::optional<std::chrono::year_month_day>&) override {
    add(key, text_schema(TextForm::kDate));
  }
  void rule_ids(const Key& key, std::vector<RuleId>&) override {
    add(key, list_schema(text_schema(TextForm::kRuleId)));
  }

 private:
  static Json object_of(const Keys& keys) {
    Json object = object_schema();
    SchemaWriter inner(object);
    keys(inner);
    return object;
  }

  void add(const Key& key, Json schema) {
    std::string description(key.summary);
    if (!key.default_text.empty()) {
      description.append(". Default: ").append(key.default_text);
      // Defaults that are valid JSON are given to editors, too.
      const auto value = Json::parse(key.default_text, nullptr, false);
      if (value.is_boolean() || value.is_array()) schema["default"] = value;
      const Json words = schema.value("enum", Json::array());
      if (std::find(words.begin(), words.end(), Json(key.default_text)) != words.end()) {
        schema["default"] = key.default_text;
      }
    }
    schema["description"] = std::move(description);
    object_["properties"][std::string(key.name)] = std::move(schema);
    if (key.required) object_["required"].push_back(key.name);
  }

  Json& object_;
};

}  // namespace

std::string policy_schema() {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"$id", "https://belay.dev/schemas/v1alpha1/imagepolicy.json"},
                 {"title", kPolicyKind},
                 {"description", "Which images may run in which namespaces"}};
  schema.update(object_schema());
  SchemaWriter writer(schema);
  Policy scratch;
  visit_policy(writer, scratch);
  return schema.dump(2) + "\n";
}

}  // namespace belay::policy
