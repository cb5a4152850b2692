// The policies of one ConfigMap: what reads, what does not, and where it says so.
#include "webhook/policies/policy_config_map.h"

#include <doctest/doctest.h>

namespace belay::webhook::policies {
namespace {

std::string policy_text(const std::string& name, const std::string& rules = "{tagRequired: {}}") {
  return "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: " + name +
         "}\nspec:\n  rules: " + rules + "\n";
}

std::string lines(const ConfigMapPolicies& found) {
  std::string out;
  for (const auto& problem : found.problems) out += problem.format() + "\n";
  return out;
}

TEST_CASE("each key with the suffix of a policy is one, with the ConfigMap as its source") {
  const auto found = read_policy_config_map("belay-system", "policies",
                                            {{"a.yaml", policy_text("a")},
                                             {"b.yml", policy_text("b")},
                                             {"c.json", R"({"apiVersion": "belay.dev/v1alpha1",
                                "kind": "ImagePolicy", "metadata": {"name": "c"}, "spec": {}})"},
                                             {"README", "words about policies"}});
  CHECK(lines(found).empty());
  REQUIRE(found.by_key.size() == 3);
  const auto& policy = found.by_key.at("b.yml");
  CHECK(policy.name == "b");
  CHECK(policy.source.kind == policy::PolicySource::Kind::kConfigMap);
  CHECK(policy.source.name == "belay-system/policies");
  CHECK(policy.revision == policy_revision(policy_text("b")));
  CHECK(policy.revision.size() == 12);
  CHECK(policy.only_namespace.empty());
}

TEST_CASE(
    "a key that is invalid is reported with every error and its line, and others stay valid") {
  const auto found = read_policy_config_map(
      "belay-system", "policies",
      {{"bad.yaml", policy_text("bad", "{mutabelTag: {}, tagRequired: {mode: deny}}")},
       {"good.yaml", policy_text("good")},
       {"worse.yaml", "spec: [\n"}});
  CHECK(found.by_key.size() == 1);
  CHECK(found.by_key.contains("good.yaml"));
  REQUIRE(found.problems.size() == 2);
  CHECK(found.error_count() == 3);
  CHECK(found.problems[0].file == "data[bad.yaml]");
  CHECK(found.problems[0].format() ==
        "data[bad.yaml]:5:11: spec.rules.mutabelTag: unknown key; did you mean \"mutableTag\"?\n"
        "data[bad.yaml]:5:47: spec.rules.tagRequired.mode: must be one of enforce, warn, audit, "
        "not the string \"deny\"");
  CHECK(found.problems[1].format().starts_with("data[worse.yaml]:"));
}

TEST_CASE("duplicate keys, two documents and an empty text are not a policy") {
  for (const std::string& text : {policy_text("a") + "kind: ImagePolicy\n",
                                  policy_text("a") + "---\n" + policy_text("b"), std::string()}) {
    CAPTURE(text);
    const auto found = read_policy_config_map("ns", "m", {{"a.yaml", text}});
    CHECK(found.by_key.empty());
    CHECK(found.error_count() == 1);
  }
}

TEST_CASE("of two policies of one name in a ConfigMap the second is a problem") {
  const auto found = read_policy_config_map(
      "ns", "m", {{"a.yaml", policy_text("same")}, {"b.yaml", policy_text("same")}});
  CHECK(found.by_key.size() == 1);
  CHECK(lines(found) ==
        "data[b.yaml]:3:18: metadata.name: \"same\" is the name of the policy in data[a.yaml] "
        "already\n");
}

TEST_CASE("a ConfigMap without a policy is a problem") {
  CHECK(lines(read_policy_config_map("ns", "m", {{"notes.txt", "none"}})) ==
        "data: contains no policy: no key ends in .yaml, .yml or .json\n");
}

TEST_CASE("no more is read of a ConfigMap than Kubernetes keeps in one") {
  const auto padded = [](const std::string& name, std::size_t size) {
    std::string text = policy_text(name);
    text += '#';
    text.resize(size, 'x');
    return text;
  };
  const std::size_t half = kMaxConfigMapBytes / 2;
  CHECK(read_policy_config_map("a", "b",
                               {{"a.yaml", padded("a", half)},
                                {"b.yaml", padded("b", half)},
                                {"notes.txt", "does not count"}})
            .by_key.size() == 2);
  const auto found = read_policy_config_map(
      "a", "b", {{"a.yaml", padded("a", half)}, {"b.yaml", padded("b", half + 1)}});
  CHECK(lines(found) ==
        "data: is too large: Kubernetes keeps at most 1048576 bytes in a ConfigMap; spread the "
        "policies over several\n");
  CHECK(found.by_key.empty());
}

TEST_CASE("policies of one ConfigMap share a bound of nodes, so that aliases cost little") {
  std::string list;
  for (int i = 0; i < 900; ++i) list += "a" + std::to_string(i) + ", ";
  const auto with = [&](const std::string& name, int aliases) {
    std::string text = policy_text(name, "{mutableTag: {tags: &x [" + list + "]}}");
    text += "more: [";
    for (int i = 0; i < aliases; ++i) text += "*x, ";
    return text + "]\n";
  };
  const auto good = policy_text("c", "{mutableTag: {tags: [" + list + "]}}");
  auto found = read_policy_config_map("a", "b", {{"a.yaml", good}, {"b.yaml", with("b", 22)}});
  CHECK(
      lines(found) ==
      "data[b.yaml]: is too large: the policies of a ConfigMap have at most 20000 keys, values and "
      "lists together, aliases expanded\n");
  CHECK(found.by_key.size() == 1);
  // Nothing behind it is read.
  found = read_policy_config_map("a", "b", {{"a.yaml", with("a", 22)}, {"b.yaml", good}});
  CHECK(found.problems.size() == 2);
  CHECK(found.by_key.empty());
  // What is no YAML says so itself.
  found = read_policy_config_map("a", "b", {{"a.yaml", "a: [\n"}, {"b.yaml", good}});
  CHECK(found.problems.size() == 1);
  CHECK(found.problems[0].errors.size() == 1);
  CHECK(found.by_key.size() == 1);
}

TEST_CASE("policies of one ConfigMap share a bound of regular expressions") {
  ConfigMapData data;
  for (int i = 0; i < 3; ++i) {
    std::string text = "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: p" +
                       std::to_string(i) + "}\nspec: {rules: {tagFormat: {anyOf: [";
    for (int j = 0; j < 100; ++j) text += "'regex:a+', ";
    data.emplace(std::to_string(i) + ".yaml", text + "]}}}\n");
  }
  const ConfigMapPolicies found = read_policy_config_map("shop", "policies", data);
  CHECK(found.by_key.size() == 2);
  REQUIRE(found.problems.size() == 1);
  CHECK(found.problems[0].file == "data[2.yaml]");
}

}  // namespace
}  // namespace belay::webhook::policies
