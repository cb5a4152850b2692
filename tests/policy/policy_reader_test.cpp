// The policy reader: what a good policy becomes, and every error with its line, column and path.
#include "policy/policy_reader.h"

#include <doctest/doctest.h>
#include <re2/re2.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>

#include "policy/notes.h"
#include "policy/rules/rule.h"
#include "policy/text/spelling.h"
#include "policy/text_form.h"
#include "tests/support/sources.h"

namespace belay::policy {
namespace {

std::string file(const std::string& name) {
  std::ifstream in(tests::source("tests/data/policies/" + name));
  REQUIRE(in.good());
  return {std::istreambuf_iterator<char>(in), {}};
}

Policy read(std::string_view text) {
  auto policy = read_policy(text, {PolicySource::Kind::kFile, "p.yaml"});
  if (!policy) {
    for (const auto& error : policy.error()) FAIL_CHECK(error.format("p.yaml"));
    FAIL("the policy is invalid");
  }
  return std::move(*policy);
}

/// Every error as a line, "" for a policy that reads.
std::string errors_of(std::string_view text) {
  const auto policy = read_policy(text, {});
  std::string out;
  if (policy) return out;
  for (const auto& error : policy.error()) out += error.format("p") + "\n";
  return out;
}

/// Lines 1 to 6 of a policy; `spec` begins on line 7, indented by two.
std::string with_spec(std::string_view spec) {
  return "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata:\n  name: p\n# "
         "spec\nspec:\n" +
         std::string(spec);
}

/// Rules begin on line 8, indented by four.
std::string with_rules(std::string_view rules) {
  return with_spec("  rules:\n" + std::string(rules));
}

TEST_CASE("a policy that uses every key becomes what it says") {
  const Policy policy = read(file("production.yaml"));
  CHECK(policy.name == "production");
  CHECK(policy.description == "What may run in production");
  CHECK(policy.mode == Mode::kEnforce);
  CHECK(policy.help_url == "https://platform.example/images");
  CHECK(policy.source.name == "p.yaml");
  CHECK(policy.revision.empty());
  CHECK(policy.match.namespaces == std::vector<std::string>{"*", "!sandbox-*"});
  CHECK(policy.match.namespace_globs.matches("shop"));
  CHECK_FALSE(policy.match.namespace_globs.matches("sandbox-1"));
  const std::vector<Label> labels = {{"environment", "prod"}, {"team", "a"}};
  CHECK(policy.match.namespace_selector.matches(labels));
  CHECK_FALSE(policy.match.namespace_selector.matches(Labels(labels).first(1)));
  CHECK(policy.match.namespace_selector.requirements().size() == 3);

  for (const auto& type : rule_types()) {
    CAPTURE(type.key);
    CHECK(type.enabled(policy));
  }
  const Rules& rules = policy.rules;
  CHECK(rules.mutable_tag->tags == std::vector<std::string>{"latest", "stable", "production-*"});
  CHECK(rules.mutable_tag->globs.matches("Production-7"));
  CHECK_FALSE(rules.mutable_tag->globs.matches("main"));
  REQUIRE(rules.tag_format->templates.size() == 3);
  CHECK(rules.tag_format->templates[1].match("vision-v1.2.0-prod"));
  CHECK(rules.digest_required->mode == Mode::kWarn);
  CHECK(rules.digest_required->images.size() == 1);
  CHECK(rules.registry_allowed->allow.size() == 2);
  CHECK(rules.registry_allowed->deny.size() == 1);
  CHECK(rules.team_prefix->prefixes.size() == 2);
  CHECK(rules.team_prefix->prefixes[1].second == std::vector<std::string>{"be-", "api-"});
  CHECK(rules.environment_namespace->namespaces[0].second.matches("shop-prod"));
  CHECK(rules.environment_tag->suffixes[1].first == "test");
  CHECK(rules.version_label->required);
  CHECK(rules.required_labels->on == LabelsOn::kBoth);
  REQUIRE(rules.required_labels->labels.size() == 3);
  CHECK(rules.required_labels->labels[0].second.values.empty());
  CHECK(rules.required_labels->labels[1].second.values.size() == 2);
  REQUIRE(rules.required_labels->labels[2].second.compiled != nullptr);
  CHECK(RE2::FullMatch("1234", *rules.required_labels->labels[2].second.compiled));

  CHECK(rules.namespace_environment->namespace_label == "environment");
  CHECK(rules.namespace_environment->break_glass_groups ==
        std::vector<std::string>{"platform-admins"});

  REQUIRE(policy.exemptions.size() == 1);
  CHECK(policy.exemptions[0].images[0].pattern() == "docker.io/istio/proxyv2");
  CHECK(policy.exemptions[0].namespaces.matches("legacy-1"));
  CHECK(policy.exemptions[0].rules == std::vector<RuleId>{RuleId::kMutableTag});
  CHECK(policy.exemptions[0].ticket == "OPS-1234");
  CHECK(policy.exemptions[0].expires == std::chrono::year_month_day(std::chrono::year(2026),
                                                                    std::chrono::month(12),
                                                                    std::chrono::day(31)));
  CHECK(policy.placeholders == std::vector<std::string>{"auto"});
}

TEST_CASE("a policy may be JSON") {
  const Policy policy = read(
      "{\n\t\"apiVersion\": \"belay.dev/v1alpha1\",\"kind\":\"ImagePolicy\","
      "\"metadata\":{\"name\":\"j\"},\"spec\":{\"mode\":\"audit\",\"rules\":{\"tagRequired\":{}}}"
      "}");
  CHECK(policy.mode == Mode::kAudit);
  CHECK(policy.rules.tag_required.has_value());
}

TEST_CASE("what is left out has its default") {
  const Policy policy = read(with_spec("  rules: {}\n"));
  CHECK(policy.mode == Mode::kEnforce);
  CHECK(policy.match.namespace_globs.matches("anything"));
  CHECK(policy.match.namespace_selector.empty());
  CHECK_FALSE(policy.rules.tag_required.has_value());
  CHECK(policy.environments() == std::vector<std::string>{"dev", "test", "prod"});
  CHECK(policy.environment_label() == "environment");
  CHECK(errors_of(with_spec("  {}\n")).empty());

  const Policy full =
      read(with_rules("    mutableTag: {}\n    environmentNamespace: {}\n"
                      "    environmentTag: {}\n    requiredLabels: {labels: {a: {}}}\n"));
  CHECK(full.rules.mutable_tag->tags == builtin_mutable_tags());
  CHECK(full.rules.mutable_tag->globs.matches("x-snapshot"));
  CHECK(full.rules.environment_namespace->label == "environment");
  CHECK(full.rules.environment_namespace->namespace_label == "environment");
  CHECK(full.rules.environment_namespace->protected_environments ==
        std::vector<std::string>{"prod"});
  CHECK(full.rules.environment_tag->label == "environment");
}

TEST_CASE("the environment rules share the label and words of environmentLabel") {
  const Policy policy =
      read(with_rules("    environmentNamespace: {}\n"
                      "    environmentTag: {suffixes: {live: [-live, _canary, '-']}}\n"
                      "    environmentLabel: {label: stage, values: [lab, live]}\n"
                      "    tagFormat: {anyOf: [\"{version}-{environment}\"]}\n"));
  CHECK(policy.environment_label() == "stage");
  CHECK(policy.rules.environment_namespace->label == "stage");
  CHECK(policy.rules.environment_namespace->namespace_label == "stage");
  CHECK(policy.rules.environment_tag->label == "stage");
  CHECK(policy.environments() == std::vector<std::string>{"lab", "live"});
  const auto& form = policy.rules.tag_format->templates[0];
  CHECK(form.match("1.0.0-lab"));
  CHECK(form.match("1.0.0-canary"));  // the word of a suffix
  CHECK_FALSE(form.match("1.0.0-prod"));
}

TEST_CASE("environments of suffixes count as known, each once") {
  const Policy policy =
      read(with_rules("    environmentTag: {suffixes: {prod: [-p], qa: [-q]}}\n"));
  CHECK(policy.environments() == std::vector<std::string>{"dev", "test", "prod", "qa"});
}

TEST_CASE("all errors of a document come at once, by their place") {
  CHECK(errors_of(file("broken.yaml")) == file("broken.txt"));
}

TEST_CASE("a duplicate key hides no other error") {
  CHECK(errors_of(with_spec("  mode: audit\n  mode: warn\n  rules:\n    tagRequird: {}\n")) ==
        "p:8:3: spec.mode: duplicate key \"mode\", first 1 line above\n"
        "p:10:5: spec.rules.tagRequird: unknown key; did you mean \"tagRequired\"?\n");
  CHECK(errors_of(with_spec("  mode: audit\n  mode: audit\n")) ==
        "p:8:3: spec.mode: duplicate key \"mode\", first 1 line above\n");
}

TEST_CASE("every kind of mistake is named with line, column, path and a way out") {
  struct Row {
    std::string text;
    std::string_view error;  ///< the only one
  };
  const std::vector<Row> rows = {
      {"", "p:1:1: contains no policy"},
      {"# nothing\n", "p:1:1: contains no policy"},
      {"- a\n", "p:1:1: a policy is a mapping with apiVersion, kind, metadata, spec"},
      {with_spec("  {}\n---\na: 1\n"),
       "p:9:1: a second document; write each policy in its own file or key"},
      {with_spec("\tx: 1\n"), "p:7:1: tabs cannot indent; use spaces"},
      {with_spec("  mode: audit\n  mode: warn\n"),
       "p:8:3: spec.mode: duplicate key \"mode\", first 1 line above"},
      {"kind: ImagePolicy\nmetadata: {name: p}\nspec: {}\n",
       "p:1:1: lacks the key \"apiVersion\": Version of the format"},
      {"apiVersion: belay.dev/v1\nkind: ImagePolicy\nmetadata: {name: p}\nspec: {}\n",
       "p:1:13: apiVersion: must be belay.dev/v1alpha1, not the string \"belay.dev/v1\""},
      {"apiVersion: belay.dev/v1alpha1\nkind: [x]\nmetadata: {name: p}\nspec: {}\n",
       "p:2:7: kind: must be ImagePolicy, not a list"},
      {"apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {}\nspec: {}\n",
       "p:3:11: metadata: lacks the key \"name\": Name of the policy, unique among those in force; "
       "it "
       "is part of every message"},
      {"apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: Prod_1}\nspec: {}\n",
       "p:3:18: metadata.name: \"Prod_1\" is not a name; use lower-case letters, digits, \"-\" and "
       "\".\", such as production"},
      {"apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: p, labels: {}}\nspec: "
       "{}\n",
       "p:3:21: metadata.labels: unknown key; known keys: name"},
      {"apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: 12}\nspec: {}\n",
       "p:3:18: metadata.name: must be a string, not the number 12; write it in quotes: \"12\""},
      {"apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: p}\nspec:\n",
       "p:4:5: spec: is empty; write spec: {}"},
      {with_spec("  mode: enforced\n"),
       "p:7:9: spec.mode: must be one of enforce, warn, audit, not the string \"enforced\"; did "
       "you "
       "mean \"enforce\"?"},
      {with_spec("  mode: on\n"),
       "p:7:9: spec.mode: must be one of enforce, warn, audit, not the boolean on"},
      {with_spec("  description: ''\n"), "p:7:16: spec.description: is empty"},
      {with_spec("  description:\n"),
       "p:7:14: spec.description: is empty; write a string, or leave the key out"},
      {with_spec("  description: {a: b}\n"),
       "p:7:16: spec.description: must be a string, not a mapping"},
      {with_spec("  helpUrl: ftp://x\n"),
       "p:7:12: spec.helpUrl: \"ftp://x\" is not an http or https URL, such as "
       "https://platform.example/images"},
      {with_spec("  helpUrl: https:///x\n"),
       "p:7:12: spec.helpUrl: \"https:///x\" is not an http or https URL, such as "
       "https://platform.example/images"},
      {with_spec("  match: all\n"),
       "p:7:10: spec.match: must be a mapping, not the string \"all\""},
      {with_spec("  match: {namespaces: []}\n"),
       "p:7:23: spec.match.namespaces: is an empty list; give an entry, or leave the key out"},
      {with_spec("  match: {namespaces: shop}\n"),
       "p:7:23: spec.match.namespaces: must be a list, not the string \"shop\"; write [shop]"},
      {with_spec("  match: {namespaces: {a: b}}\n"),
       "p:7:23: spec.match.namespaces: must be a list, not a mapping"},
      {with_spec("  match: {namespaces: [a, yes]}\n"),
       "p:7:27: spec.match.namespaces[1]: must be a string, not the boolean yes; write it in "
       "quotes: "
       "\"yes\""},
      {with_spec("  match: {namespaces: ['!']}\n"),
       "p:7:24: spec.match.namespaces[0]: \"!\" excludes nothing; a glob must follow \"!\""},
      {with_spec("  match: {namespaceSelector: {matchLabels: {'a b': c}}}\n"),
       "p:7:45: spec.match.namespaceSelector.matchLabels[a b]: label may contain only letters, "
       "digits, "
       "\"-\", \"_\" and \".\""},
      {with_spec("  match: {namespaceSelector: {matchLabels: {a: '!'}}}\n"),
       "p:7:48: spec.match.namespaceSelector.matchLabels.a: \"!\" must begin and end with a letter "
       "or digit"},
      {with_spec("  match: {namespaceSelector: {matchLabels: }}\n"),
       "p:7:42: spec.match.namespaceSelector.matchLabels: is empty; write matchLabels: {}"},
      {with_spec("  match: {namespaceSelector: {matchExpressions: [{key: a, operator: In}]}}\n"),
       "p:7:50: spec.match.namespaceSelector.matchExpressions[0]: lacks the key \"values\", which "
       "operator In needs"},
      {with_spec(
           "  match: {namespaceSelector: {matchExpressions: [{key: a, operator: Exists, values: "
           "[b]}]}}\n"),
       "p:7:85: spec.match.namespaceSelector.matchExpressions[0].values: must be left out with "
       "operator Exists"},
      {with_spec("  match: {namespaceSelector: {matchExpressions: [{key: a, operator: in, values: "
                 "[b]}]}}\n"),
       "p:7:69: spec.match.namespaceSelector.matchExpressions[0].operator: must be one of In, "
       "NotIn, "
       "Exists, DoesNotExist, not the string \"in\"; did you mean \"In\"?"},
      {with_spec("  match: {namespaceSelector: {matchExpressions: []}}\n"),
       "p:7:49: spec.match.namespaceSelector.matchExpressions: is an empty list; give an entry, or "
       "leave the key out"},
      {with_spec("  match: {namespaceSelector: {matchExpressions: {}}}\n"),
       "p:7:49: spec.match.namespaceSelector.matchExpressions: must be a list, not a mapping"},
      {with_rules("    tagRequired:\n"),
       "p:8:16: spec.rules.tagRequired: is empty; write tagRequired: {}"},
      {with_rules("    tagRequired: true\n"),
       "p:8:18: spec.rules.tagRequired: must be a mapping, not the boolean true"},
      {with_rules("    mutabletag: {}\n"),
       "p:8:5: spec.rules.mutabletag: unknown key; did you mean \"mutableTag\"?"},
      {with_rules("    mutable-tag: {}\n"),
       "p:8:5: spec.rules.mutable-tag: unknown key; did you mean \"mutableTag\"?"},
      {with_rules("    mutableTag: {allowWithDigest: maybe}\n"),
       "p:8:35: spec.rules.mutableTag.allowWithDigest: must be true or false, not the string "
       "\"maybe\""},
      {with_rules("    mutableTag: {tags: ['a b']}\n"),
       "p:8:25: spec.rules.mutableTag.tags[0]: \"a b\" can match no tag: tags have only "
       "letters, digits, \"_\", \".\" and \"-\""},
      {with_rules("    tagFormat: {}\n"),
       "p:8:16: spec.rules.tagFormat: lacks the key \"anyOf\": Templates of tags, or regex: and an "
       "RE2 expression; a tag must fit one of them"},
      {with_rules("    digestRequired: {images: [nginx]}\n"),
       "p:8:31: spec.rules.digestRequired.images[0]: \"nginx\" names no registry; write "
       "docker.io/library/nginx"},
      {with_rules("    environmentTag: {suffixes: {}}\n"),
       "p:8:32: spec.rules.environmentTag.suffixes: is empty; give an entry, or leave the key out"},
      {with_rules("    environmentTag: {suffixes: [a]}\n"),
       "p:8:32: spec.rules.environmentTag.suffixes: must be a mapping, not a list"},
      {with_rules("    environmentTag: {suffixes: {'a/b': [-x]}}\n"),
       "p:8:33: spec.rules.environmentTag.suffixes[a/b]: key may contain only letters, digits, "
       "\"-\", "
       "\"_\" and \".\""},
      {with_rules("    environmentTag: {suffixes: {prod: [+x]}}\n"),
       "p:8:40: spec.rules.environmentTag.suffixes.prod[0]: \"+x\" can end no tag: tags have only "
       "letters, digits, \"_\", \".\" and \"-\""},
      {with_rules("    requiredLabels: {labels: {owner: }}\n"),
       "p:8:36: spec.rules.requiredLabels.labels.owner: is empty; write owner: {}"},
      {with_rules("    requiredLabels: {labels: {a/b/c: {}}}\n"),
       "p:8:31: spec.rules.requiredLabels.labels[a/b/c]: label has more than one \"/\""},
      {with_rules("    requiredLabels: {labels: {a: {pattern: '['}}}\n"),
       "p:8:44: spec.rules.requiredLabels.labels.a.pattern: \"[\" is not an RE2 expression: "
       "missing ]: "
       "["},
      {with_rules("    requiredLabels: {labels: {a: {pattern: x, values: [z]}}}\n"),
       "p:8:44: spec.rules.requiredLabels.labels.a.pattern: is given together with values; give "
       "one of the "
       "two"},
      {with_rules("    requiredLabels: {labels: {a: {pattern: " + std::string(1025, 'x') + "}}}\n"),
       "p:8:44: spec.rules.requiredLabels.labels.a.pattern: is longer than 1024 bytes"},
      {with_rules("    requiredLabels: {labels: {a: {value: x}}}\n"),
       "p:8:35: spec.rules.requiredLabels.labels.a.value: unknown key; did you mean \"values\"?"},
      {with_rules("    imageLabels: {}\n"),
       "p:8:18: spec.rules.imageLabels: lacks the key \"labels\": Label to {} (any value), "
       "{values: [...]} or {pattern: RE2 over the whole value}"},
      {with_rules("    imageLabels: {labels: {a: {}}, sources: [config, layers]}\n"),
       "p:8:54: spec.rules.imageLabels.sources[1]: \"layers\" is not a source; use config, "
       "annotations "
       "or attached"},
      {with_rules("    imageLabels: {labels: {a: {}}, maxAge: ninety}\n"),
       "p:8:44: spec.rules.imageLabels"
       ".maxAge: \"ninety\" is not a duration: write 90d, 12h, 30m or 60s"},
      {with_rules("    imageLabels: {labels: {a: {}}, maxAge: 90}\n"),
       "p:8:44: spec.rules.imageLabels.maxAge: must be a string, not the number 90; write its "
       "unit: "
       "90d, 90h or 90m"},
      {with_rules("    imageLabels: {labels: {a: {}}, maxAge: 0d}\n"),
       "p:8:44: spec.rules.imageLabels.maxAge: \"0d\" is not a duration: write 90d, 12h, 30m or "
       "60s"},
      {with_rules("    imageLabels: {labels: {a: {}}, maxAge: 90w}\n"),
       "p:8:44: spec.rules.imageLabels.maxAge: \"90w\" is not a duration: write 90d, 12h, 30m or "
       "60s"},
      {with_rules("    imageLabels: {labels: {a: {}}, maxAge: d}\n"),
       "p:8:44: spec.rules.imageLabels.maxAge: \"d\" is not a duration: write 90d, 12h, 30m or "
       "60s"},
      {with_rules("    imageLabels: {labels: {a: {}}, maxAge: -1d}\n"),
       "p:8:44: spec.rules.imageLabels.maxAge: \"-1d\" is not a duration: write 90d, 12h, 30m or "
       "60s"},
      {with_rules("    imageLabels: {labels: {a: {}}, maxAge: 99999999999999999999d}\n"),
       "p:8:44: spec.rules.imageLabels.maxAge: \"99999999999999999999d\" is not a duration: write "
       "90d, 12h, 30m or 60s"},
      {with_rules("    imageLabels: {labels: {a: {}}, maxAge: 36526d}\n"),
       "p:8:44: spec.rules.imageLabels.maxAge: \"36526d\" is not a duration: write 90d, 12h, 30m "
       "or 60s"},
      {with_rules("    imageLabels: {labels: {a: {}}, maxAge: 1.5h}\n"),
       "p:8:44: spec.rules.imageLabels.maxAge: \"1.5h\" is not a duration: write 90d, 12h, 30m or "
       "60s"},
      {with_rules("    imageLabels: {labels: {a: {}}, sources: config}\n"),
       "p:8:45: spec.rules.imageLabels.sources: must be a list, not the string \"config\"; write "
       "[config]"},
      {with_rules("    imageLabels: {labels: {a: {}}, sources: []}\n"),
       "p:8:45: spec.rules.imageLabels.sources: is an empty list; give an entry, or leave the key "
       "out"},
      {with_rules("    imageLabels: {labels: {a: {}}, images: [shop/web]}\n"),
       "p:8:45: spec.rules.imageLabels.images[0]: \"shop/web\" names no registry; write "
       "docker.io/shop/web"},
      {with_rules("    tagMoved: {sources: [config]}\n"),
       "p:8:16: spec.rules.tagMoved.sources: unknown key; known keys: mode, images, "
       "onRegistryError"},
      {with_rules("    tagmoved: {}\n"),
       "p:8:5: spec.rules.tagmoved: unknown key; did you mean \"tagMoved\"?"},
      {with_spec("  pin: {enabled: true, image: [docker.io/**]}\n"),
       "p:7:24: spec.pin.image: unknown key; did you mean \"images\"?"},
      {with_rules("    imageLabels: {labels: {a: {}}, platforms: some}\n"),
       "p:8:47: spec.rules.imageLabels.platforms: must be one of all, any, not the string "
       "\"some\""},
      {with_rules("    tagMoved: {onRegistryError: warn}\n"),
       "p:8:33: spec.rules.tagMoved.onRegistryError: must be one of allow, deny, not the string "
       "\"warn\""},
      {with_rules("    namespaceEnvironment: {breakGlassGroups: []}\n"),
       "p:8:46: spec.rules.namespaceEnvironment.breakGlassGroups: is an empty list; give an entry, "
       "or leave the "
       "key out"},
      {with_spec("  pin: {enabled: yes please}\n"),
       "p:7:18: spec.pin.enabled: must be true or false, not the string \"yes please\""},
      {with_spec("  pin: {onRegistryError: refuse}\n"),
       "p:7:26: spec.pin.onRegistryError: must be one of allow, deny, not the string \"refuse\""},
      {with_spec("  exemptions: []\n"),
       "p:7:15: spec.exemptions: is an empty list; give an entry, or leave the key out"},
      {with_spec("  exemptions: [x]\n"),
       "p:7:16: spec.exemptions[0]: must be a mapping, not the string \"x\""},
      {with_spec("  exemptions: [{images: [docker.io/x]}]\n"),
       "p:7:16: spec.exemptions[0]: lacks the key \"reason\": Why the exemption exists"},
      {with_spec("  exemptions: [{reason: x}]\n"),
       "p:7:16: spec.exemptions[0]: lacks the key \"images\": Globs on the canonical repositories "
       "that are exempt"},
      {with_spec("  exemptions: [{images: [docker.io/x], reason: x, rules: [mutableTag]}]\n"),
       "p:7:59: spec.exemptions[0].rules[0]: \"mutableTag\" is not a rule; did you mean "
       "\"mutable-tag\"?"},
      {with_spec("  exemptions: [{images: [docker.io/x], reason: x, rules: [zzzzzzz]}]\n"),
       "p:7:59: spec.exemptions[0].rules[0]: \"zzzzzzz\" is not a rule"},
      {with_spec("  exemptions: [{images: [docker.io/x], reason: x, expires: 2026-02-30}]\n"),
       "p:7:60: spec.exemptions[0].expires: \"2026-02-30\" is not a date; write YYYY-MM-DD, such "
       "as "
       "2026-12-31"},
      {with_spec("  exemptions: [{images: [docker.io/x], reason: x, expires: 20261231}]\n"),
       "p:7:60: spec.exemptions[0].expires: must be a string, not the number 20261231; write it in "
       "quotes: \"20261231\""},
      {with_spec("  placeholders: [~]\n"),
       "p:7:18: spec.placeholders[0]: is empty; write a string, or leave the key out"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    CHECK(errors_of(row.text) == std::string(row.error) + "\n");
  }
}

TEST_CASE("a mistake inside a tag template points at its byte") {
  const auto place = [](std::string_view rules) {
    const auto text = with_rules(rules);
    const auto policy = read_policy(text, {});
    REQUIRE_FALSE(policy.has_value());
    REQUIRE(policy.error().size() == 1);
    CHECK(policy.error()[0].path == "spec.rules.tagFormat.anyOf[1]");
    return std::to_string(policy.error()[0].position.line) + ":" +
           std::to_string(policy.error()[0].position.column);
  };
  const auto bad = TagTemplate::compile("v{nope}", {});
  REQUIRE_FALSE(bad.has_value());
  const auto at = [&](std::size_t column) {
    return ":" + std::to_string(column + bad.error().offset);
  };
  CHECK(place("    tagFormat:\n      anyOf:\n        - v{version}\n        - v{nope}\n") ==
        "11" + at(11));
  CHECK(place("    tagFormat: {anyOf: [a, \"v{nope}\"]}\n") == "8" + at(29));
  // Where the text does not stand as it is written, its beginning is told.
  CHECK(place("    tagFormat: {anyOf: [a, \"\\x76{nope}\"]}\n") == "8:28");
  CHECK(place("    tagFormat:\n      anyOf:\n        - a\n        - |-\n          v{nope}\n") ==
        "12:1");
}

TEST_CASE("an exemption that has expired is not an error") {
  CHECK(errors_of(with_spec("  exemptions: [{images: [docker.io/x], reason: x, expires: "
                            "2001-01-01}]\n")) == "");
}

TEST_CASE(
    "pinning is off by default, lets pass what no registry can tell, and takes its settings") {
  CHECK_FALSE(read(with_spec("  pin: {}\n")).pin.enabled);
  CHECK(read(with_spec("  pin: {}\n")).pin.on_registry_error == OnRegistryError::kAllow);
  const Policy policy =
      read(with_spec("  pin: {enabled: true, images: [a.b/**], onRegistryError: deny}\n"));
  CHECK(policy.pin.enabled);
  CHECK(policy.pin.images.size() == 1);
  CHECK(policy.pin.on_registry_error == OnRegistryError::kDeny);
}

TEST_CASE("rules about registries refuse by default what no registry can tell") {
  const Policy policy = read(
      with_rules("    imageLabels: {labels: {security: {values: ['any text: even this']}}, "
                 "sources: [attached, config], platforms: any, maxAge: 90d}\n    tagMoved: {}\n"));
  const ImageLabelsSettings& labels = *policy.rules.image_labels;
  CHECK(labels.on_registry_error == OnRegistryError::kDeny);
  CHECK(labels.sources == std::vector{LabelSource::kAttached, LabelSource::kConfig});
  CHECK(labels.platforms == Platforms::kAny);
  CHECK(labels.max_age == std::chrono::days(90));
  CHECK(policy.rules.tag_moved->on_registry_error == OnRegistryError::kDeny);
}

TEST_CASE("a duration is a number and a unit, from a second to a hundred years") {
  CHECK(parse_duration("36525d") == std::chrono::days(36'525));
  CHECK(parse_duration("12h") == std::chrono::hours(12));
  CHECK(parse_duration("30m") == std::chrono::minutes(30));
  CHECK(parse_duration("1s") == std::chrono::seconds(1));
  for (const char* text :
       {"", "d", "0d", "-1d", "1", "1w", "1.5h", "36526d", "99999999999999999999s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text));
  }
}

TEST_CASE("a selector may ask for an empty label, and for none at all") {
  const Policy policy = read(with_spec("  match: {namespaceSelector: {matchLabels: {a: ''}}}\n"));
  const std::vector<Label> empty = {{"a", ""}};
  CHECK(policy.match.namespace_selector.matches(empty));
  CHECK(read(with_spec("  match: {namespaceSelector: {}}\n")).match.namespace_selector.empty());
}

TEST_CASE("anchors and merge keys spare writing things twice") {
  const Policy policy =
      read(with_rules("    digestRequired: {images: &all [docker.io/**]}\n"
                      "    tagFormat: {anyOf: [x], images: *all}\n"));
  CHECK(policy.rules.tag_format->images[0].pattern() == "docker.io/**");
}

TEST_CASE("the built-in policy wants a tag that does not move") {
  const Policy policy = builtin_policy();
  CHECK(policy.mode == Mode::kEnforce);
  CHECK(policy.source.kind == PolicySource::Kind::kBuiltin);
  CHECK(policy.rules.tag_required.has_value());
  REQUIRE(policy.rules.mutable_tag.has_value());
  const TagGlobs& globs = policy.rules.mutable_tag->globs;
  CHECK(globs.matches("latest"));
  CHECK(globs.matches("1.2-SNAPSHOT"));
  CHECK_FALSE(globs.matches("v1.2.3"));
  CHECK_FALSE(policy.rules.tag_format.has_value());
}

TEST_CASE("names near to a known one are found, others not") {
  constexpr std::string_view kKnown[] = {"mutableTag", "tagFormat", "mode"};
  CHECK(nearest("mutabelTag", kKnown) == "mutableTag");
  CHECK(nearest("mutable_tags", kKnown) == "mutableTag");
  CHECK(nearest("modes", kKnown) == "mode");
  CHECK(nearest("banana", kKnown).empty());
  CHECK(nearest(std::string(1000, 'x'), kKnown).empty());
  CHECK(nearest("x", kKnown).empty());
}

TEST_CASE("forms of texts") {
  struct Row {
    TextForm form;
    std::string_view text;
    bool good;
  };
  constexpr Row kRows[] = {
      {TextForm::kObjectName, "a", true},
      {TextForm::kObjectName, "a-b.c-1", true},
      {TextForm::kObjectName, "-a", false},
      {TextForm::kObjectName, "a-", false},
      {TextForm::kObjectName, "a..b", false},
      {TextForm::kObjectName, "a.-b", false},
      {TextForm::kObjectName, "a-.b", false},
      {TextForm::kObjectName, "a.", false},
      {TextForm::kObjectName, "A", false},
      {TextForm::kDate, "2024-02-29", true},
      {TextForm::kDate, "2023-02-29", false},
      {TextForm::kDate, "2024-2-29", false},
      {TextForm::kDate, "2024x02-29", false},
      {TextForm::kDate, "2024-02x29", false},
      {TextForm::kDate, "20a4-02-29", false},
      {TextForm::kDate, "2024-0a-29", false},
      {TextForm::kDate, "2024-02-a9", false},
      {TextForm::kDate, "2024-13-01", false},
      {TextForm::kUrl, "http://h", true},
      {TextForm::kUrl, "https://h:1/p?q#f", true},
      {TextForm::kUrl, "https://", false},
      {TextForm::kUrl, "https://?x", false},
      {TextForm::kUrl, "https://#x", false},
      {TextForm::kUrl, "https://h/a b", false},
      {TextForm::kUrl, "https://h/\"", false},
      {TextForm::kUrl, "h", false},
      {TextForm::kTagSuffix, "_x.1-", true},
      {TextForm::kTagSuffix, "a:b", false},
      {TextForm::kRuleId, "tag-format", true},
      {TextForm::kRuleId, "tagFormat", false},
      {TextForm::kTagGlob, "a?*", true},
      {TextForm::kTagGlob, "a/b", false},
      {TextForm::kAny, "", false},
      {TextForm::kAny, " ", true},
      {TextForm::kLabelValue, "a", true},
      {TextForm::kTagTemplate, "{", true},
  };
  for (const auto& row : kRows) {
    CAPTURE(row.text);
    CHECK(check_text(row.form, row.text).empty() == row.good);
  }
  CHECK_FALSE(check_text(TextForm::kTagSuffix, std::string(128, 'a')).empty());
  CHECK_FALSE(check_text(TextForm::kObjectName, std::string(254, 'a')).empty());
  CHECK_FALSE(check_text(TextForm::kTagGlob, std::string(600, 'a')).empty());
}

TEST_CASE("a policy has a limit of regular expressions, and no more are compiled") {
  const auto with = [](std::size_t expressions) {
    std::string text =
        "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: p}\nspec:\n  rules:\n"
        "    requiredLabels: {labels: {owner: {pattern: a+}}}\n    tagFormat:\n      anyOf:\n";
    for (std::size_t i = 1; i < expressions; ++i) text += "      - regex:a+\n      - '{any}'\n";
    return text;
  };
  CHECK(read_policy(with(kMaxExpressions), {}).has_value());
  const auto refused = read_policy(with(kMaxExpressions + 5), {});
  REQUIRE_FALSE(refused.has_value());
  REQUIRE(refused.error().size() == 1);
  CHECK(refused.error()[0].path == "spec.rules.tagFormat.anyOf[510]");
  CHECK(refused.error()[0].message ==
        "is over the limit of regular expressions: a policy, and all policies of a ConfigMap "
        "together, "
        "have at most 256");
  PolicyBudget left{.expressions = 3};
  CHECK(read_policy(with(2), {}, &left).has_value());
  CHECK(left.expressions == 1);
  CHECK_FALSE(read_policy(with(2), {}, &left).has_value());
  CHECK(left.expressions == 0);
}

TEST_CASE("a policy has a limit of templates") {
  const auto with = [](std::size_t templates) {
    std::string text =
        "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: p}\nspec:\n  rules:\n"
        "    tagFormat:\n      anyOf:\n";
    for (std::size_t i = 0; i < templates; ++i) text += "      - '{any}'\n";
    return text;
  };
  CHECK(read_policy(with(kMaxTemplates), {}).has_value());
  const auto refused = read_policy(with(kMaxTemplates + 1), {});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error()[0].format("p") ==
        "p:1008:9: spec.rules.tagFormat.anyOf[1000]: is over the limit of templates: a policy has "
        "at most 1000");
}

TEST_CASE("reading long lists takes time in proportion to their length") {
  const auto text = [](int size) {
    std::string tags, environments, suffixes;
    for (int i = size; i > 0; --i) {  // backwards: the worst order for a list that is kept sorted
      const std::string number = std::to_string(1'000'000 + i);
      tags += "t" + number + ", ";
      environments += "a" + number + ", ";
      suffixes += "b" + number + ": [-b" + number + "], ";
    }
    return "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: p}\nspec:\n"
           "  rules:\n    mutableTag: {tags: [" +
           tags + "]}\n    environmentLabel: {values: [" + environments +
           "]}\n    environmentTag: {suffixes: {" + suffixes +
           "}}\n    tagFormat: {anyOf: ['{environment}']}\n";
  };
  const auto cpu_time = [&](int size) {
    const std::string long_text = text(size);
    const std::clock_t begin = std::clock();
    const auto policy = read_policy(long_text, {});
    REQUIRE(policy.has_value());
    policy_notes(*policy, {});
    return std::clock() - begin;
  };
  const auto alone = cpu_time(2'000);
  CHECK(cpu_time(20'000) < 30 * alone);
}

}  // namespace
}  // namespace belay::policy
