// What is generated from the description of policies: the JSON Schema, the reference page, notes.
// BELAY_UPDATE_DOCS=1 writes the files instead of comparing them. That schema and reader agree is
// shown by tests/conformance/test_policy_schema.py.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "policy/notes.h"
#include "policy/policy_reader.h"
#include "policy/policy_schema.h"
#include "policy/rules/rule.h"
#include "tests/policy/policy_reference.h"
#include "tests/support/sources.h"

namespace belay::policy {
namespace {

const std::string kDocs = tests::source("docs/");
constexpr std::string_view kBegin = "<!-- reference -->\n";
constexpr std::string_view kEnd = "<!-- /reference -->";

std::string file(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool updating() { return std::getenv("BELAY_UPDATE_DOCS") != nullptr; }

TEST_CASE("docs/policy.schema.json is the schema of this reader") {
  const std::string path = kDocs + "policy.schema.json";
  if (updating()) std::ofstream(path) << policy_schema();
  CHECK(file(path) == policy_schema());
  const auto schema = nlohmann::json::parse(policy_schema());
  CHECK(schema["additionalProperties"] == false);
  const auto& rules = schema["properties"]["spec"]["properties"]["rules"]["properties"];
  for (const auto& type : rule_types()) {
    if (!type.key.empty()) CHECK(rules.contains(type.key));
  }
}

TEST_CASE("docs/policies.md contains the reference of this reader") {
  const std::string path = kDocs + "policies.md";
  std::string page = file(path);
  const auto begin = page.find(kBegin) + kBegin.size();
  const auto end = page.find(kEnd);
  REQUIRE(end != std::string::npos);
  const std::string wanted = "\n" + policy_reference() + "\n";
  if (updating()) {
    page.replace(begin, end - begin, wanted);
    std::ofstream(path) << page;
    return;
  }
  CHECK(page.substr(begin, end - begin) == wanted);
}

TEST_CASE("docs/policies.md lists the built-in mutable tags") {
  const std::string page = file(kDocs + "policies.md");
  constexpr std::string_view kListBegin = "<!-- mutable tags -->\n";
  const auto begin = page.find(kListBegin) + kListBegin.size();
  std::istringstream words(page.substr(begin, page.find("<!-- /mutable tags -->") - begin));
  std::vector<std::string> listed;
  for (std::string word; words >> word;) listed.push_back(word);
  std::vector<std::string> has;
  for (const std::string& tag : builtin_mutable_tags()) has.push_back("`" + tag + "`");
  CHECK(listed == has);
}

TEST_CASE("every policy of docs/policies.md is valid, without a note") {
  const std::string page = file(kDocs + "policies.md");
  constexpr std::string_view kFence = "```yaml\n";
  std::size_t count = 0;
  for (auto at = page.find(kFence); at != std::string::npos; at = page.find(kFence, at)) {
    at += kFence.size();
    const auto policy =
        read_policy(std::string_view(page).substr(at, page.find("```", at) - at), {});
    REQUIRE_MESSAGE(policy.has_value(), policy.error()[0].format("recipe"));
    CHECK(policy_notes(*policy, {}).empty());
    ++count;
  }
  CHECK(count >= 5);
}

TEST_CASE("every template that docs/policies.md recommends fits its tags") {
  struct Row {
    std::string_view tag, form;
  };
  constexpr Row kRows[] = {
      {"v1.2.0", "v{version}"},
      {"v1.2.0-rc.1", "v{version}"},
      {"v1.2.0-model-resnet50", "v{version}"},
      {"vision-v1.2.0-prod", "{name}-v{version}-{environment}"},
      {"nlp-v1.1.5-staging", "{name}-v{version}-{environment}"},
      {"dev-experiment-alpha", "{environment}-{name}"},
      {"20250405-build", "{date}-build"},
      {"sec-finance-prod-devops", "sec-{name}-{environment}-{name}"},
      {"3f2c1ab", "{commit}"},
  };
  const std::vector<std::string> environments = {"dev", "test", "prod", "staging"};
  const std::string page = file(kDocs + "policies.md");
  for (const auto& row : kRows) {
    CAPTURE(row.tag);
    CHECK(page.find("`" + std::string(row.tag) + "`") != std::string::npos);
    CHECK(page.find("`" + std::string(row.form) + "`") != std::string::npos);
    const auto form = TagTemplate::compile(row.form, environments);
    REQUIRE(form.has_value());
    CHECK(form->match(row.tag));
  }
}

std::vector<std::string> notes_of(const std::string& spec, std::chrono::year_month_day today = {}) {
  const auto policy = read_policy(
      "{apiVersion: belay.dev/v1alpha1, kind: ImagePolicy, metadata: {name: p}, spec: {" + spec +
          "}}",
      {});
  REQUIRE_MESSAGE(policy.has_value(), policy.error()[0].format("p"));
  return policy_notes(*policy, today);
}

using Notes = std::vector<std::string>;

TEST_CASE("exemptions that have ended, or end within 14 days, are reported") {
  using namespace std::chrono;
  const auto note = [](year_month_day today) {
    return notes_of("exemptions: [{images: [docker.io/x], reason: r, expires: 2026-12-31}]", today);
  };
  CHECK(note(2026y / December / 16).empty());
  CHECK(note(2026y / December / 17) ==
        Notes{"exemptions[0] (docker.io/x) expires on 2026-12-31, in 14 days"});
  CHECK(note(2026y / December / 30) ==
        Notes{"exemptions[0] (docker.io/x) expires on 2026-12-31, in 1 day"});
  CHECK(note(2026y / December / 31) ==
        Notes{"exemptions[0] (docker.io/x) expired on 2026-12-31 and is ignored"});
  CHECK(notes_of("exemptions: [{images: [docker.io/x], reason: r, expires: 0900-01-02}]",
                 2026y / January / 1) ==
        Notes{"exemptions[0] (docker.io/x) expired on 0900-01-02 and is ignored"});
  CHECK(notes_of("rules: {tagRequired: {}}, exemptions: [{images: [docker.io/x], reason: r, rules: "
                 "[mutable-tag, tag-required, image-reference]}]") ==
        Notes{"exemptions[0] (docker.io/x) names mutable-tag, which is off"});
}

TEST_CASE("settings that say nothing are reported") {
  CHECK(notes_of("rules: {digestRequired: {}, tagRequired: {}}") ==
        Notes{"tagRequired has no effect: digestRequired already covers all images"});
  CHECK(notes_of("rules: {digestRequired: {images: [docker.io/**]}, tagRequired: {}}").empty());
  CHECK(notes_of("rules: {digestRequired: {mode: audit}, tagRequired: {}}").empty());
  const Notes unused = {"pin has settings, but nothing is pinned without enabled: true"};
  CHECK(notes_of("pin: {images: [docker.io/**]}") == unused);
  CHECK(notes_of("pin: {onRegistryError: deny, enabled: false}") == unused);
  CHECK(notes_of("pin: {onRegistryError: deny, enabled: true}").empty());
  CHECK(notes_of("pin: {enabled: false}").empty());
  CHECK(notes_of("rules: {tagRequired: {mode: audit}, mutableTag: {}}") ==
        Notes{"images without a tag fall under tagRequired (audit), so mutableTag (enforce) does "
              "not refuse them"});
  CHECK(notes_of("rules: {tagRequired: {}, mutableTag: {mode: audit}}").empty());
  CHECK(notes_of("rules: {tagRequired: {mode: audit}, mutableTag: {tags: [edge]}}").empty());
  CHECK(notes_of("rules: {registryAllowed: {}}") ==
        Notes{"registryAllowed allows everything: it has neither allow nor deny"});
  CHECK(notes_of("rules: {registryAllowed: {deny: [docker.io]}}").empty());
  CHECK(notes_of("rules: {tagFormat: {anyOf: ['{any}', 'v{version}']}}") ==
        Notes{"tagFormat accepts every tag: one of its templates is {any}"});
  CHECK(
      notes_of("rules: {environmentTag: {}}") ==
      Notes{
          "environmentTag has no effect: give suffixes, or use {environment} in tagFormat.anyOf"});
  CHECK(notes_of("rules: {environmentTag: {}, tagFormat: {anyOf: ['v{version}']}}").size() == 1);
  CHECK(notes_of("rules: {environmentTag: {}, tagFormat: {anyOf: ['v{version}-{environment}']}}")
            .empty());
  CHECK(notes_of("rules: {environmentTag: {suffixes: {a: [-x], b: [-x]}}}") ==
        Notes{"environmentTag.suffixes has \"-x\" twice, so a tag with that suffix fits both "
              "environments"});
  CHECK(notes_of("rules: {environmentLabel: {values: [live]}, environmentNamespace: {namespaces: "
                 "{test: [t-*]}}, environmentTag: {suffixes: {qa: [-qa]}}}") ==
        Notes{"environmentNamespace.namespaces names \"test\", which is not in "
              "environmentLabel.values",
              "environmentNamespace.protected names \"prod\", which is not in "
              "environmentLabel.values",
              "environmentTag.suffixes names \"qa\", which is not in environmentLabel.values"});
}

}  // namespace
}  // namespace belay::policy
