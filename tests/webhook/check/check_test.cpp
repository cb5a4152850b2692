// Manifests: splitting, lists, namespaces, places of findings, and what is no manifest.
#include "webhook/check/check.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/folder.h"
#include "tests/webhook/admission/policies.h"
#include "webhook/check/manifest.h"
#include "webhook/namespaces/fixed_namespaces.h"
#include "webhook/report/report.h"

namespace belay::webhook::check {
namespace {

struct Checked {
  explicit Checked(std::string_view text,
                   policy::PolicySet set = test::set_of(test::tag_policy("production")),
                   const ManifestFile& file = {"app.yaml"})
      : policies(std::move(set)) {
    learn_namespaces(text, namespaces);
    Checker checker(policies, namespaces,
                    [] {
                      return std::chrono::year_month_day{std::chrono::year{2026}, std::chrono::June,
                                                         std::chrono::day{1}};
                    },
                    "default", {{"argoproj.io", "Rollout", "spec.template"}});
    checker.check(file, text, report);
  }
  std::string text() const {
    std::ostringstream out;
    report::find_format("text")->print(report, false, out);
    return out.str();
  }
  /// "line:column rule field" of each finding.
  std::string places() const {
    std::string out;
    for (const report::PlacedFinding& f : report.findings) {
      out += std::to_string(f.place.line) + ":" + std::to_string(f.place.column) + " " +
             std::string(policy::name_of(f.finding.rule)) + " " + f.finding.field + "\n";
    }
    return out;
  }
  std::string errors() const {
    std::string out;
    for (const report::InputError& e : report.errors) {
      out += report::to_string(e.place) + ": " + e.message + "\n";
    }
    return out;
  }

  policy::PolicySet policies;
  namespaces::FixedNamespaces namespaces;
  report::Report report;
};

constexpr std::string_view kTwoDocuments = R"(# the shop
apiVersion: apps/v1
kind: Deployment
metadata:
  name: checkout
  namespace: shop
spec:
  template:
    spec:
      containers:
        - name: web
          image: nginx:latest
        - image: "redis"
          name: cache
---
apiVersion: v1
kind: serve::Service
metadata: {name: checkout}
---
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"},
 "spec": {"containers": [{"name": "web", "image": "a:1"}, {"name": "b", "image": "b:latest"}]}}
)";

TEST_CASE("findings stand at the line and column of the image, in YAML and JSON") {
  const Checked checked(kTwoDocuments);
  CHECK(checked.errors() == "");
  CHECK(checked.places() ==
        "12:18 mutable-tag spec.template.spec.containers[0].image\n"
        "13:18 tag-required spec.template.spec.containers[1].image\n"
        "21:82 mutable-tag spec.containers[1].image\n");
  CHECK(checked.report.objects == 3);
  CHECK(checked.report.evaluated == 2);
}

TEST_CASE("the text output is one line a finding and a summary") {
  const std::string text = Checked(kTwoDocuments).text();
  CHECK(text.find("app.yaml:12:18: enforce mutable-tag spec.template.spec.containers[0].image "
                  "(web): \"nginx:latest\" has tag \"latest\", which can move. ") !=
        std::string::npos);
  CHECK(text.ends_with("checked 3 objects in 1 file (1 without pods): 3 problems\n"));
  CHECK(Checked("apiVersion: v1\nkind: ConfigMap\n").text() ==
        "checked 1 object in 1 file (1 without pods): no problems\n");
}

TEST_CASE("colour is for terminals") {
  const Checked checked(kTwoDocuments);
  std::ostringstream plain, painted;
  report::find_format("text")->print(checked.report, false, plain);
  report::find_format("text")->print(checked.report, true, painted);
  CHECK(plain.str().find('\033') == std::string::npos);
  CHECK(painted.str().find("\033[1;31menforce\033[0m") != std::string::npos);
}

TEST_CASE("every format prints, and says what it is for") {
  const Checked checked(kTwoDocuments);
  for (const report::Format& format : report::formats()) {
    CAPTURE(format.name);
    CHECK(report::find_format(format.name) == &format);
    CHECK_FALSE(format.use.empty());
    std::ostringstream out;
    format.print(checked.report, false, out);
    CHECK(out.str().find("app.yaml") != std::string::npos);
  }
  CHECK(report::find_format("xml") == nullptr);
}

TEST_CASE("the JSON output contains every finding with its parts") {
  const Checked checked(kTwoDocuments);
  std::ostringstream out;
  report::find_format("json")->print(checked.report, false, out);
  const auto json = nlohmann::json::parse(out.str());
  CHECK(json["objects"] == 3);
  REQUIRE(json["findings"].size() == 3);
  const auto& finding = json["findings"][0];
  CHECK(finding["file"] == "app.yaml");
  CHECK(finding["line"] == 12);
  CHECK(finding["column"] == 18);
  CHECK(finding["rule"] == "mutable-tag");
  CHECK(finding["mode"] == "enforce");
  CHECK(finding["kind"] == "Deployment");
  CHECK(finding["namespace"] == "shop");
  CHECK(finding["name"] == "checkout");
  CHECK(finding["field"] == "spec.template.spec.containers[0].image");
  CHECK(finding["container"] == "web");
  CHECK(finding["value"] == "nginx:latest");
  CHECK(finding["policies"] == nlohmann::json{"production"});
  CHECK_FALSE(finding["message"].get<std::string>().empty());
  CHECK_FALSE(finding["fix"].get<std::string>().empty());
  CHECK(json["findings"][2]["namespace"] == "default");
  CHECK(json["summary"]["evaluated"] == 2);
  CHECK(json["summary"]["enforce"] == 3);
  CHECK(json["errors"].empty());
}

TEST_CASE("items of lists are objects of their own") {
  const Checked checked(R"(apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Pod
    spec: {containers: [{name: a, image: a}]}
  - apiVersion: v1
    kind: PodList
    items:
      - spec: {containers: [{name: b, image: b}]}
  - apiVersion: v1
    kind: Secret
)");
  CHECK(checked.errors() == "");
  CHECK(checked.places() ==
        "6:42 tag-required spec.containers[0].image\n"
        "10:46 tag-required spec.containers[0].image\n");
  CHECK(checked.report.objects == 3);
  CHECK(Checked("apiVersion: v1\nkind: PodList\nitems: []\n").report.objects == 0);
}

TEST_CASE("Namespace objects among the manifests give labels, wherever they stand") {
  const std::string_view text = R"(apiVersion: v1
kind: Pod
metadata: {name: p, namespace: shop, labels: {environment: dev}}
spec: {containers: [{name: a, image: a:1}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {environment: prod}}
)";
  CHECK(Checked(text, test::set_of(test::environment_policy("environments"))).places() ==
        "3:60 environment-namespace metadata.labels.environment\n");
}

TEST_CASE("a label that is absent is reported at what is there of its path") {
  const auto set = test::set_of(test::environment_policy("environments"));
  const auto place = [&](std::string_view metadata) {
    return Checked("apiVersion: v1\nkind: Pod\n" + std::string(metadata) +
                       "spec: {containers: [{name: a, image: a:1}]}\n",
                   set)
        .places();
  };
  CHECK(place("metadata:\n  labels:\n    a: b\n") == "4:3 environment-label metadata.labels\n");
  CHECK(place("metadata:\n  name: x\n") == "3:1 environment-label metadata.labels\n");
  CHECK(place("") == "1:1 environment-label metadata.labels\n");
}

TEST_CASE("broken documents are errors with their place, the others are still evaluated") {
  const Checked checked(R"(apiVersion: v1
kind: Pod
spec: {containers: [{name: a, image: a:latest}]}
---
a: [1
---
apiVersion: v1
kind: Pod
spec: {containers: [{name: a, image: a:latest}]}
)");
  CHECK(checked.report.findings.size() == 2);
  CHECK(checked.report.findings[1].place.line == 9);
  REQUIRE(checked.report.errors.size() == 1);
  CHECK(checked.report.errors[0].place.line >= 5);
  CHECK(checked.report.errors[0].place.line <= 6);
}

TEST_CASE("what is not a Kubernetes object is an error") {
  CHECK(Checked("a: b\n").errors() == "app.yaml:1:1: not a Kubernetes object: it has no kind\n");
  CHECK(Checked("kind: Pod\n").errors() ==
        "app.yaml:1:1: not a Kubernetes object: it has no apiVersion\n");
  CHECK(Checked("# x\n- a\n").errors().starts_with("app.yaml:2:1: not a Kubernetes object"));
  CHECK(Checked("").errors() == "");
  CHECK(Checked("# nothing\n---\n---\n").report.objects == 0);
}

TEST_CASE("what a directory holds beside Kubernetes objects is skipped and counted") {
  const auto found = [](std::string_view text) {
    return Checked(text, test::set_of(test::tag_policy("production")),
                   {.path = "app.yaml", .named = false});
  };
  const Checked values =
      found("image: {tag: latest}\n---\n- a\n---\napiVersion: v2\nname: chart\n");
  CHECK(values.errors().empty());
  CHECK(values.report.passed_over == 3);
  CHECK(values.text() ==
        "checked 0 objects in 1 file (skipped 3 documents without a Kubernetes object): "
        "no problems\n");
  // What wants to be an object, or can't be read, is not.
  CHECK(found("kind: Pod\n").errors() ==
        "app.yaml:1:1: not a Kubernetes object: it has no apiVersion\n");
  CHECK(found("a: [\n").report.errors.size() == 1);
}

TEST_CASE("an invalid Helm template is not taken for an invalid manifest") {
  CHECK(Checked("a: b\n{{- if .Values.x }}\nc: d\n{{- end }}\n")
            .errors()
            .find("If this is a Helm template: helm template CHART | belay check -f -") !=
        std::string::npos);
  CHECK(Checked("a: [\n").errors().find("Helm") == std::string::npos);
}

TEST_CASE("B6: the template of a custom resource that is named is evaluated") {
  const std::string rollout =
      "kind: Rollout\nspec: {template: {spec: {containers: [{name: a, image: nginx}]}}}\n";
  CHECK(Checked("apiVersion: argoproj.io/v1alpha1\n" + rollout).places() ==
        "3:56 tag-required spec.template.spec.containers[0].image\n");
  CHECK(Checked("apiVersion: other.io/v1\n" + rollout).places().empty());
}

TEST_CASE("a field of another type is an error at its line") {
  CHECK(Checked("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: a\n      image: 5\n")
            .errors() ==
        "app.yaml:6:14: spec.containers[0].image must be a string, not a number\n");
  CHECK(Checked("apiVersion: v1\nkind: Pod\nmetadata:\n  labels: {environment: true}\n").errors() ==
        "app.yaml:4:25: metadata.labels.environment must be a string (quote it), not true\n");
}

TEST_CASE("a stream is split where a line starts with three hyphens and nowhere else") {
  const auto chunks = split_stream("a: 1\n---\nb: |\n  ---\n  x\n--- # c\nc: 1\n---- d\n---");
  REQUIRE(chunks.size() == 4);
  CHECK(chunks[1].text == "---\nb: |\n  ---\n  x\n");
  CHECK(chunks[1].lines_before == 1);
  CHECK(chunks[2].text == "--- # c\nc: 1\n---- d\n");
  CHECK(chunks[2].lines_before == 5);
  CHECK(split_stream("%YAML 1.2\n---\na: 1\n---\nb: 1\n").size() == 1);
  CHECK(split_stream("").empty());
}

TEST_CASE("fields are found by their paths") {
  const auto documents = policy::read_documents(
      "metadata:\n  labels:\n    app.kubernetes.io/name: x\n    tier: y\nspec:\n  list:\n  - a\n");
  REQUIRE(documents.has_value());
  const policy::Node& root = documents->front().root;
  const auto line = [&](std::string_view field) { return locate(root, field).line; };
  CHECK(line("metadata.labels[app.kubernetes.io/name]") == 3);
  CHECK(line("metadata.labels.tier") == 4);
  CHECK(line("metadata.labels") == 2);
  CHECK(line("metadata.labels.absent.more") == 2);
  CHECK(line("spec.list[0]") == 7);
  CHECK(line("spec.list[1]") == 6);
  CHECK(line("spec.list[x]") == 6);
  CHECK(line("") == 1);
  CHECK(text_at(root, "metadata.labels.tier") == "y");
  CHECK(text_at(root, "metadata.labels") == "");
}

TEST_CASE("a directory is searched to its depth, in order, for manifests only") {
  namespace fs = std::filesystem;
  const fs::path top = fs::temp_directory_path() / ("belay-check-" + std::to_string(::getpid()));
  fs::create_directories(top / "b");
  fs::create_directories(top / "empty");
  for (const char* name : {"z.yml", "b/a.yaml", "b/c.json", "b/notes.txt", "kustomization.yaml"}) {
    std::ofstream(top / name) << "a: b\n";
  }
  const auto found = find_manifests(top.string());
  REQUIRE(found.has_value());
  std::vector<std::string> paths;
  for (const ManifestFile& file : *found) {
    CHECK_FALSE(file.named);
    paths.push_back(file.path);
  }
  CHECK(paths == std::vector<std::string>{(top / "b/a.yaml").string(), (top / "b/c.json").string(),
                                          (top / "z.yml").string()});
  const auto named = find_manifests((top / "b/notes.txt").string());
  REQUIRE(named.has_value());
  REQUIRE(named->size() == 1);
  CHECK(named->front().named);
  CHECK_FALSE(find_manifests((top / "empty").string()).has_value());
  CHECK_FALSE(find_manifests((top / "absent").string()).has_value());
  CHECK(*read_file((top / "z.yml").string()) == "a: b\n");
  CHECK_FALSE(read_file((top / "absent").string()).has_value());
  CHECK(*read_file("/dev/null") == "");
  const auto unreadable = read_file("/proc/self/mem");  // opens, but address 0 can't be read
  REQUIRE_FALSE(unreadable.has_value());
  CHECK(unreadable.error() == "cannot be read");
  CHECK(read_file((top / "b").string()).error() == "is a directory; name a file");
  fs::remove_all(top);
}

TEST_CASE("links between directories lead to each directory once") {
  namespace fs = std::filesystem;
  const tests::Folder folder;
  folder.write("d00/a.yaml", "a: b\n");
  folder.write("elsewhere/b.yaml", "a: b\n");
  fs::create_symlink(".", folder.path("again"));  // two of them lead to 2^40 paths
  fs::create_symlink(".", folder.path("and-again"));
  fs::create_symlink("../elsewhere", folder.path("d00/link"));
  for (int i = 1; i <= 30; ++i) {  // and so do these, without a circle
    const std::string from = "d" + std::string(i < 10 ? "0" : "") + std::to_string(i);
    const std::string to = "../d" + std::string(i < 11 ? "0" : "") + std::to_string(i - 1);
    fs::create_directory(folder.path(from));
    fs::create_symlink(to, folder.path(from + "/x"));
    fs::create_symlink(to, folder.path(from + "/y"));
  }
  const auto paths = [](const std::string& top) {
    const auto found = find_manifests(top);
    std::vector<std::string> names;
    for (const ManifestFile& file : found.value()) names.push_back(file.path);
    return names;
  };
  CHECK(paths(folder.path()) ==
        std::vector<std::string>{folder.path("d00/a.yaml"), folder.path("elsewhere/b.yaml")});
  CHECK(paths(folder.path("d00")) ==
        std::vector<std::string>{folder.path("d00/a.yaml"), folder.path("d00/link/b.yaml")});
  CHECK(paths(folder.path("d30")).size() == 2);
}

}  // namespace
}  // namespace belay::webhook::check
