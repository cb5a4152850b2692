// Policies from ConfigMaps: what is in force after each event of a watch, and what is reported.
#include "webhook/policies/cluster_policies.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/support/fake_api.h"
#include "tests/support/soon.h"
#include "webhook/policies/policy_config_map.h"

namespace belay::webhook::policies {
namespace {

using namespace std::chrono_literals;
using Names = std::vector<std::string>;

std::string policy_text(const std::string& name, const std::string& mode = "enforce") {
  return "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: " + name +
         "}\nspec:\n  mode: " + mode + "\n";
}

const std::string kBroken = "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: ";

/// A labelled ConfigMap; each has a version of its own.
kube::Object config_map(const std::string& name, const std::map<std::string, std::string>& data,
                        const std::string& namespace_name = "belay-system") {
  static int version = 0;
  kube::Object made;
  made.namespace_name = namespace_name;
  made.name = name;
  made.uid = "uid-of-" + name;
  made.resource_version = std::to_string(++version);
  made.labels = {{"belay.dev/policy", "true"}};
  made.data = {data.begin(), data.end()};
  return made;
}

/// Policies with everything that they tell.
struct Fixture {
  explicit Fixture(bool tenants = false)
      : policies(api, {.own_namespace = "belay-system", .tenants = tenants, .pod_name = "belay-0"},
                 target, [this](const ReloadReport& report) { reports.push_back(report); }) {}

  /// "namespace/ConfigMap policy mode" of what is in force.
  Names in_force() const {
    Names names;
    const auto set = target.load();
    if (!set) return names;
    for (const auto& policy : set->policies) {
      names.push_back(policy->source.name + " " + policy->name +
                      (policy->mode == policy::Mode::kEnforce ? "" : " audit"));
    }
    return names;
  }
  const ReloadReport& last() const { return reports.back(); }

  kube::FakeApi api;
  Snapshot<policy::PolicySet> target;
  std::vector<ReloadReport> reports;
  Policies policies;
};

TEST_CASE("every policy of every ConfigMap is in force after a list, published at once") {
  Fixture f;
  std::vector<kube::Object> objects;
  for (int i = 0; i < 100; ++i) {
    const std::string n = std::to_string(i);
    objects.push_back(config_map("cm-" + n, {{"a.yaml", policy_text("a" + n)},
                                             {"b.json", policy_text("b" + n)},
                                             {"README.md", "nothing"}}));
  }
  f.policies.replaced(objects);
  CHECK(f.target.version() == 1);
  CHECK(f.target.load()->policies.size() == 200);
  CHECK(f.target.load()->index != nullptr);
  REQUIRE(f.reports.size() == 1);
  CHECK(f.last().in_force == 200);
  CHECK(f.last().problems.empty());
  const auto& policy = *f.target.load()->policies.front();
  CHECK(policy.source.kind == policy::PolicySource::Kind::kConfigMap);
  CHECK(policy.source.name == "belay-system/cm-0");
  CHECK(policy.revision == policy_revision(policy_text("a0")));
  CHECK(policy.only_namespace.empty());

  f.policies.replaced(objects);
  CHECK(f.target.version() == 1);
  CHECK(f.reports.size() == 1);
}

TEST_CASE("texts are read page by page: not all of a list's stand in memory at once") {
  Fixture f;
  const auto list = [&f](std::vector<kube::Object> objects) {
    for (kube::Object& object : objects) {
      f.policies.listed(object);
      CHECK(object.data.empty());
    }
    return objects;
  };
  const kube::Object one = config_map("one", {{"p.yaml", policy_text("one")}, {"more", "text"}});
  (void)list({one});  // a list that was cut off
  CHECK(f.reports.empty());
  const kube::Object two = config_map("two", {{"p.yaml", policy_text("two")}});
  f.policies.replaced(list({one, two}));
  CHECK(f.in_force() == Names{"belay-system/one one", "belay-system/two two"});
  CHECK(f.reports.size() == 1);
  f.policies.replaced(list({one, two}));
  CHECK(f.reports.size() == 1);
  f.policies.replaced(list({one, config_map("two", {{"p.yaml", policy_text("two", "audit")}})}));
  CHECK(f.in_force() == Names{"belay-system/one one", "belay-system/two two audit"});
  CHECK(f.reports.size() == 2);
}

TEST_CASE("one ConfigMap that changes leaves the policies of the others the values they were") {
  Fixture f;
  f.policies.replaced({config_map("one", {{"p.yaml", policy_text("one")}}),
                       config_map("two", {{"p.yaml", policy_text("two")}})});
  const auto before = f.target.load();
  f.policies.changed(config_map("one", {{"p.yaml", policy_text("one", "audit")}}));
  const auto after = f.target.load();
  CHECK(f.in_force() == Names{"belay-system/one one audit", "belay-system/two two"});
  CHECK(before->policies[0] != after->policies[0]);
  CHECK(before->policies[1] == after->policies[1]);
  CHECK(before->policies[0]->mode == policy::Mode::kEnforce);  // who reads it still has it whole
}

TEST_CASE("a change of nothing but the annotation publishes and reports nothing") {
  Fixture f;
  kube::Object object = config_map("one", {{"p.yaml", policy_text("one")}});
  f.policies.replaced({object});
  object.annotations["belay.dev/status"] = "in force: one";
  object.resource_version = "later";
  f.policies.changed(object);
  CHECK(f.target.version() == 1);
  CHECK(f.reports.size() == 1);
}

TEST_CASE("A13/A14: a ConfigMap that breaks leaves its last good policy in force, and says so") {
  Fixture f;
  f.policies.replaced({config_map("one", {{"p.yaml", policy_text("one")}})});
  for (const std::string& text :
       {kBroken, std::string(), std::string("\0", 1), policy_text("one").substr(0, 60),
        policy_text("one") + "  rules: {mutableTags: {}}\n", policy_text("one") + "---\nx: 1\n"}) {
    CAPTURE(text);
    f.policies.changed(config_map("one", {{"p.yaml", text}}));
    CHECK(f.in_force() == Names{"belay-system/one one"});
    CHECK(f.target.version() == 1);
    CHECK(f.last().in_force == 1);
    CHECK(f.last().kept == 1);
    REQUIRE(f.last().problems.size() == 1);
    CHECK(f.last().problems[0].file == "ConfigMap belay-system/one data[p.yaml]");
  }
  f.policies.changed(config_map("one", {{"p.yaml", policy_text("one", "audit")}}));
  CHECK(f.in_force() == Names{"belay-system/one one audit"});
  CHECK(f.last().kept == 0);
  CHECK(f.last().problems.empty());
}

TEST_CASE("A13/A14: one broken key of a ConfigMap does not hold up the others") {
  Fixture f;
  f.policies.replaced(
      {config_map("cm", {{"a.yaml", policy_text("a")}, {"b.yaml", policy_text("b")}})});
  f.policies.changed(
      config_map("cm", {{"a.yaml", kBroken}, {"b.yaml", policy_text("b", "audit")}}));
  CHECK(f.in_force() == Names{"belay-system/cm a", "belay-system/cm b audit"});
  // the name moves to another key, whose text reads: there is one policy of it
  f.policies.changed(
      config_map("cm", {{"a.yaml", kBroken}, {"c.yaml", policy_text("a", "audit")}}));
  CHECK(f.in_force() == Names{"belay-system/cm a audit"});
}

TEST_CASE("B18: nothing is published before a policy of belay's own namespace was read") {
  Fixture f(true);
  f.policies.replaced({config_map("one", {{"p.yaml", kBroken}}),
                       config_map("theirs", {{"p.yaml", policy_text("theirs")}}, "shop")});
  CHECK(f.target.load() == nullptr);
  REQUIRE(f.reports.size() == 1);
  CHECK(f.last().in_force == 0);
  CHECK(f.last().problems.size() == 1);
  f.policies.changed(config_map("one", {{"p.yaml", policy_text("one")}}));
  CHECK(f.in_force() == Names{"belay-system/one one", "shop/theirs theirs"});
}

TEST_CASE("an empty list is reported: belay is not ready, and its log says why") {
  Fixture f;
  f.policies.replaced({});
  CHECK(f.target.load() == nullptr);
  REQUIRE(f.reports.size() == 1);
  CHECK(f.last().in_force == 0);
  REQUIRE(f.last().problems.size() == 1);
  CHECK(f.last().problems[0].format() ==
        "namespace belay-system: contains no policy: no ConfigMap in it has the label "
        "belay.dev/policy=true");
}

TEST_CASE("a ConfigMap that is deleted, or loses its label or a key, takes its policies along") {
  Fixture f;
  const kube::Object stays = config_map("stays", {{"p.yaml", policy_text("stays")}});
  const kube::Object goes =
      config_map("goes", {{"a.yaml", policy_text("a")}, {"b.yaml", policy_text("b")}});
  const Names both = {"belay-system/goes a", "belay-system/goes b", "belay-system/stays stays"};
  f.policies.replaced({stays, goes});
  REQUIRE(f.in_force() == both);

  f.policies.changed(config_map("goes", {{"a.yaml", policy_text("a")}}));
  CHECK(f.in_force() == Names{"belay-system/goes a", "belay-system/stays stays"});
  f.policies.deleted(goes);
  CHECK(f.in_force() == Names{"belay-system/stays stays"});

  f.policies.changed(goes);
  REQUIRE(f.in_force() == both);
  kube::Object unlabelled = goes;
  unlabelled.labels["belay.dev/policy"] = "false";
  f.policies.changed(unlabelled);
  CHECK(f.in_force() == Names{"belay-system/stays stays"});

  f.policies.changed(goes);
  REQUIRE(f.in_force() == both);
  f.policies.replaced({stays});
  CHECK(f.in_force() == Names{"belay-system/stays stays"});
  CHECK(f.last().problems.empty());
}

TEST_CASE("a broken policy that is deleted goes for good") {
  Fixture f;
  f.policies.replaced({config_map("stays", {{"p.yaml", policy_text("stays")}}),
                       config_map("goes", {{"p.yaml", policy_text("goes")}})});
  f.policies.changed(config_map("goes", {{"p.yaml", kBroken}}));
  CHECK(f.last().kept == 1);
  f.policies.deleted(config_map("goes", {}));
  CHECK(f.in_force() == Names{"belay-system/stays stays"});
  f.policies.changed(config_map("goes", {{"p.yaml", kBroken}}));
  CHECK(f.in_force() == Names{"belay-system/stays stays"});
}

TEST_CASE("B18: the last policy of the cluster stays in force until there is another one") {
  Fixture f(true);
  const kube::Object theirs = config_map("theirs", {{"p.yaml", policy_text("theirs")}}, "shop");
  f.policies.replaced({config_map("one", {{"p.yaml", policy_text("one")}}), theirs});
  f.policies.deleted(config_map("one", {}));
  CHECK(f.in_force() == Names{"belay-system/one one", "shop/theirs theirs"});
  CHECK(f.last().kept == 1);
  REQUIRE(f.last().problems.size() == 1);
  CHECK(f.last().problems[0].format() ==
        "ConfigMap belay-system/one: held the cluster's last policy, \"one\", and no longer does; "
        "it stays in force until there is another one");
  f.policies.replaced({});
  CHECK(f.in_force() == Names{"belay-system/one one"});
  f.policies.changed(config_map("two", {{"p.yaml", kBroken}}));
  CHECK(f.in_force() == Names{"belay-system/one one"});
  f.policies.changed(config_map("two", {{"p.yaml", policy_text("two")}}));
  CHECK(f.in_force() == Names{"belay-system/two two"});
  CHECK(f.last().problems.empty());
}

TEST_CASE("B18: ConfigMaps of other namespaces are ignored where tenants have no policies") {
  Fixture f;
  const kube::Object theirs = config_map("theirs", {{"p.yaml", policy_text("theirs")}}, "shop");
  f.policies.replaced({config_map("one", {{"p.yaml", policy_text("one")}}), theirs});
  f.policies.changed(theirs);
  CHECK(f.in_force() == Names{"belay-system/one one"});
  CHECK(f.reports.size() == 1);
}

TEST_CASE("B18: a tenant's policy evaluates its own namespace alone, whatever it says") {
  Fixture f(true);
  f.policies.replaced(
      {config_map("one", {{"p.yaml", policy_text("one")}}),
       config_map("all",
                  {{"p.yaml", policy_text("all") + "  match: {namespaces: [belay-system, '*']}\n"}},
                  "shop")});
  const auto set = f.target.load();
  REQUIRE(set->policies.size() == 2);
  CHECK(set->policies[0]->only_namespace == "shop");
  CHECK(set->policies[1]->only_namespace.empty());
}

TEST_CASE("B18: a tenant's policy with the name of a cluster's takes nothing from it") {
  Fixture f(true);
  f.policies.replaced({config_map("cm", {{"p.yaml", policy_text("production")}}),
                       config_map("cm", {{"p.yaml", policy_text("production", "audit")}}, "a"),
                       config_map("cm", {{"p.yaml", policy_text("production", "audit")}}, "shop")});
  CHECK(f.in_force() ==
        Names{"belay-system/cm production", "a/cm production audit", "shop/cm production audit"});
  CHECK(f.last().problems.empty());
  CHECK(f.last().in_force == 3);
}

TEST_CASE("B18: two policies of one name are both in force, in whatever order they came") {
  const kube::Object first = config_map("a", {{"p.yaml", policy_text("production")}});
  const kube::Object second = config_map("b", {{"p.yaml", policy_text("production", "audit")}});
  for (const auto& order : {std::vector<kube::Object>{first, second}, {second, first}}) {
    Fixture f;
    f.policies.replaced({order[0]});
    f.policies.changed(order[1]);
    CHECK(f.in_force() == Names{"belay-system/a production", "belay-system/b production audit"});
    REQUIRE(f.last().problems.size() == 1);
    CHECK(f.last().problems[0].format() ==
          "ConfigMap belay-system/b data[p.yaml]: \"production\" is the name of the policy in "
          "ConfigMap belay-system/a data[p.yaml] too; both are in force, but messages can't tell "
          "them apart");
    f.policies.deleted(first);
    CHECK(f.last().problems.empty());
    CHECK(f.in_force() == Names{"belay-system/b production audit"});
  }
}

TEST_CASE(
    "A14: after a thousand edits, one in ten broken, what is in force is the last good text") {
  Fixture f;
  std::mt19937 random(20261122);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
  std::map<std::string, std::string> good;  // ConfigMap -> revision
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "cm-" + std::to_string(random() % 5);
    const std::string text = policy_text("p-" + name, i % 2 == 0 ? "audit" : "enforce") +
                             "  description: edit " + std::to_string(i) + "\n";
    const auto kind = random() % 20;
    if (kind < 2) {
      f.policies.changed(config_map(name, {{"p.yaml", text.substr(0, random() % 70)}}));
    } else if (kind == 2 && good.size() > 1) {
      f.policies.deleted(config_map(name, {}));
      good.erase(name);
    } else {
      f.policies.changed(config_map(name, {{"p.yaml", text}}));
      good[name] = policy_revision(text);
    }
    std::map<std::string, std::string> found;
    if (const auto set = f.target.load()) {
      for (const auto& policy : set->policies) {
        found[policy->source.name.substr(policy->source.name.find('/') + 1)] = policy->revision;
      }
    }
    REQUIRE(found == good);
  }
}

TEST_CASE("what is wrong with a ConfigMap is said with its place, for who is about to write it") {
  const auto problems = check_config_map(
      config_map("cm", {{"a.yaml", policy_text("a")},
                        {"b.yaml", policy_text("b") + "  rules: {mutableTags: {}}\n"}}));
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].format().starts_with("data[b.yaml]:6:11: spec.rules.mutableTags: "));
  CHECK(check_config_map(config_map("cm", {{"a.yaml", policy_text("a")}})).empty());
}

TEST_CASE(
    "the leader says on the ConfigMap what became of it, and an API server that hangs holds "
    "up no policy") {
  std::atomic<bool> hangs{true};  // outlives the thread that asks
  Fixture f;
  const std::string path = "/api/v1/namespaces/belay-system/configmaps/one";
  f.api.put(path, {{"metadata", {{"name", "one"}}}});
  kube::Object object = config_map("one", {{"p.yaml", policy_text("one")}});
  object.uid = f.api.at(path)["metadata"]["uid"];
  object.resource_version = f.api.at(path)["metadata"]["resourceVersion"];
  f.api.before = [&](const kube::FakeApi::Call&) -> std::optional<kube::ApiError> {
    tests::soon([&] { return !hangs; });
    return std::nullopt;
  };
  f.policies.set_leading(true);
  f.policies.replaced({object});
  f.policies.changed(config_map("two", {{"p.yaml", policy_text("two")}}));
  CHECK(f.in_force() == Names{"belay-system/one one", "belay-system/two two"});
  hangs = false;
  CHECK(tests::soon([&] { return f.api.at(path)["metadata"].contains("annotations"); }));
  CHECK(f.api.at(path)["metadata"]["annotations"]["belay.dev/status"] ==
        "in force: one (revision " + policy_revision(policy_text("one")) + ")");
}

}  // namespace
}  // namespace belay::webhook::policies
