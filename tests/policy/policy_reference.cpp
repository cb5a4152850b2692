#include "tests/policy/policy_reference.h"

#include <vector>

#include "policy/policy_keys.h"
#include "policy/rules/rule.h"
#include "policy/text_form.h"

namespace belay::policy {
namespace {

/// One line of a table.
struct Line {
  std::string path;
  std::string type;
  std::string default_text;
  std::string summary;
};

/// `|` ends a cell and is written with a backslash in one.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

class ReferenceWriter final : public PolicyVisitor {
 public:
  ReferenceWriter(std::vector<Line>& lines, std::string path)
      : lines_(lines), path_(std::move(path)) {}

  void flag(const Key& key, bool&) override { add(key, "boolean"); }
  void text(const Key& key, TextForm form, std::string&) override {
    add(key, std::string(schema_of(form).name));
  }
  void choice(const Key& key, Choice choice, int&) override {
    std::string words;
    for (const auto word : choice.words) {
      if (!words.empty()) words += " | ";
      words.append("`").append(word).append("`");
    }
    add(key, words);
  }
  void texts(const Key& key, TextForm form, std::vector<std::string>&) override {
    add(key, "list: " + std::string(schema_of(form).name));
  }
  void repository_globs(const Key& key, std::vector<RepositoryGlob>&) override {
    list(key, TextForm::kRepositoryGlob);
  }
  void name_globs(const Key& key, NameGlobs&) override { list(key, TextForm::kNameGlob); }
  void tag_globs(const Key& key, std::vector<std::string>&, TagGlobs&) override {
    list(key, TextForm::kTagGlob);
  }
  void tag_templates(const Key& key, std::vector<std::string>&) override {
    list(key, TextForm::kTagTemplate);
  }
  void text_lists(const Key& key, TextForm form,
                  std::vector<std::pair<std::string, std::vector<std::string>>>&) override {
    add(key, "mapping to lists: " + std::string(schema_of(form).name));
  }
  void name_globs_by(const Key& key, std::vector<std::pair<std::string, NameGlobs>>&) override {
    add(key, "mapping to lists: " + std::string(schema_of(TextForm::kNameGlob).name));
  }
  void constraints(const Key& key, TextForm,
                   std::vector<std::pair<std::string, ValueConstraint>>&) override {
    add(key, "mapping: label to constraint");
  }
  void constant(const Key& key, std::string_view word) override {
    add(key, "`" + std::string(word) + "`");
  }
  void section(const Key& key, const Keys& keys) override {
    add(key, "mapping");
    ReferenceWriter inner(lines_, path_to(key));
    keys(inner);
  }
  void sections(const Key& key, const ElementKeys& keys) override {
    add(key, "list of mappings");
    ReferenceWriter inner(lines_, path_to(key) + "[]");
    keys(inner, 0);
  }
  void selector(const Key& key, LabelSelector&) override { add(key, "LabelSelector"); }
  void date(const Key& key, std::optional<std::chrono::year_month_day>&) override {
    add(key, "date");
  }
  void rule_ids(const Key& key, std::vector<RuleId>&) override { list(key, TextForm::kRuleId); }

 private:
  std::string path_to(const Key& key) const {
    return path_.empty() ? std::string(key.name) : path_ + "." + std::string(key.name);
  }
  void list(const Key& key, TextForm form) {
    add(key, "list: " + std::string(schema_of(form).name));
  }
  void add(const Key& key, std::string type) {
    lines_.push_back({path_to(key), std::move(type),
                      key.required ? "required" : std::string(key.default_text),
                      std::string(key.summary)});
  }

  std::vector<Line>& lines_;
  std::string path_;
};

void append_table(const std::vector<Line>& lines, std::string& out) {
  out += "| key | type | default | meaning |\n|---|---|---|---|\n";
  for (const auto& line : lines) {
    out += "| `" + line.path + "` | " + cell(line.type) + " | " + cell(line.default_text) + " | " +
           cell(line.summary) + " |\n";
  }
}

}  // namespace

std::string policy_reference() {
  std::vector<Line> lines;
  ReferenceWriter writer(lines, {});
  Policy scratch;
  visit_policy(writer, scratch);
  std::vector<Line> around;
  for (auto& line : lines) {
    if (!line.path.starts_with("spec.rules.")) around.push_back(std::move(line));
  }
  std::string out = "### The document\n\n";
  append_table(around, out);
  out += "\n### Rules\n";
  for (const RuleType& type : rule_types()) {
    out.append("\n#### ").append(name_of(type.id)).append("\n\n");
    std::string summary(type.summary);
    if (!summary.empty() && summary[0] >= 'a' && summary[0] <= 'z') {
      summary[0] = static_cast<char>(summary[0] - 'a' + 'A');
    }
    out += summary + ".";
    if (type.key.empty()) {
      out += " Always on, in the mode of its policy; it has no settings.\n";
      continue;
    }
    out += " Key: `" + std::string(type.key) + "`.\n\n";
    std::vector<Line> settings;
    ReferenceWriter rule_writer(settings, {});
    type.visit(rule_writer, scratch.rules);
    append_table(settings, out);
  }
  return out;
}

}  // namespace belay::policy
