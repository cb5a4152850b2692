// `belay review` and `belay check` as people call them: options, streams, exit statuses.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/folder.h"
#include "tests/webhook/admission/review_text.h"
#include "webhook/command/command.h"

namespace belay::webhook::command {
namespace {

namespace fs = std::filesystem;
using test::container;
using test::Json;
using test::pod_review;

/// A folder with a policy and manifests in it.
class Folder : public tests::Folder {
 public:
  Folder() {
    write("policy.yaml",
          "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: tags}\n"
          "spec:\n  rules:\n    tagRequired: {}\n    mutableTag: {mode: warn}\n"
          "    environmentNamespace: {}\n");
  }
};

struct Ran {
  int status;
  std::string out, err;
};

Ran run_belay(const std::vector<std::string>& arguments, const std::string& input = "") {
  std::istringstream in(input);
  std::ostringstream out, err;
  Streams streams{in, out, err};
  const int status = run("belay", arguments, streams);
  return {status, out.str(), err.str()};
}

std::string manifest(const std::string& image) {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {environment: prod}}\n"
         "spec: {containers: [{name: web, image: \"" +
         image + "\"}]}\n";
}

TEST_CASE("check asks nobody without --resolve: rules that need a registry say so in a warning") {
  const Folder folder;
  const std::string policy =
      folder.write("moved.yaml",
                   "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: moved}\n"
                   "spec: {rules: {tagMoved: {}, imageLabels: {labels: {security: {}}}}}\n");
  const std::string file = folder.write("pod.yaml", manifest("a:1"));
  const Ran ran = run_belay({"check", "-p", policy, "-f", file});
  CHECK(ran.status == 0);
  CHECK(ran.out.find("warn image-labels spec.containers[0].image (web): \"a:1\" was not checked") !=
        std::string::npos);
  CHECK(ran.out.find("warn tag-moved ") != std::string::npos);
  CHECK(ran.out.find("--resolve") != std::string::npos);
  for (const char* const format : {"json", "text"}) {
    CHECK(run_belay({"check", "-p", policy, "-f", file, "--output", format}).status == 0);
  }
}

TEST_CASE("check --resolve wants to know which registries, and says what else is for it") {
  const Folder folder;
  const std::string file = folder.write("pod.yaml", manifest("a:1"));
  const std::string policy = folder.path("policy.yaml");
  const Ran ran = run_belay({"check", "-p", policy, "-f", file, "--resolve"});
  CHECK(ran.status == 2);
  CHECK(ran.out == "");
  CHECK(ran.err ==
        "belay check: --resolve asks only the registries of --registries: give --registries "
        "FILE\nTry: belay check --help\n");
  for (const char* const option : {"--registries", "--docker-config", "--tag-history"}) {
    CHECK(
        run_belay({"check", "-p", policy, "-f", file, option, "x"}).err.find("are for --resolve") !=
        std::string::npos);
  }
}

TEST_CASE("check --resolve reads no more than 1 MiB of a file of registries or credentials") {
  const Folder folder;
  const std::string large = folder.write("large", std::string((1U << 20U) + 1, '\n'));
  const Ran ran = run_belay({"check", "-p", folder.path("policy.yaml"), "-f",
                             folder.write("pod.yaml", manifest("a:1")), "--resolve", "--registries",
                             large, "--docker-config", large});
  CHECK(ran.status == 2);
  CHECK(ran.out == "");
  CHECK(ran.err == large + ": is larger than 1 MiB\n" + large + ": is larger than 1 MiB\n");
}

TEST_CASE("review answers on standard output: 0 allowed, 1 denied, 2 unreadable") {
  const Folder folder;
  const std::vector<std::string> command = {"review", "--policy", folder.path("policy.yaml"),
                                            "--namespace-labels", "shop:environment=prod"};
  const Ran good = run_belay(command, pod_review({container("web", "a:1")}).dump());
  CHECK(good.status == 0);
  CHECK(good.err == "");
  CHECK(Json::parse(good.out)["response"]["allowed"] == true);

  const Ran warned = run_belay(command, pod_review({container("web", "a:latest")}).dump());
  CHECK(warned.status == 0);
  CHECK(Json::parse(warned.out)["response"]["warnings"].size() == 1);

  const Ran bad = run_belay(command, pod_review({container("web", "a")}).dump());
  CHECK(bad.status == 1);
  CHECK(Json::parse(bad.out)["response"]["status"]["code"] == 403);

  const Ran broken = run_belay(command, "{");
  CHECK(broken.status == 2);
  CHECK(broken.out == "");
  CHECK(broken.err.starts_with("400 syntax: the body is not JSON: "));
}

TEST_CASE("review --mutate answers as /mutate does") {
  const Ran ran = run_belay({"review", "--mutate"}, pod_review({container("web", "a")}).dump());
  CHECK(ran.status == 0);
  CHECK(ran.err.find("built-in policy") != std::string::npos);
}

TEST_CASE("review refuses what the server would refuse for its size") {
  const Ran ran = run_belay({"review"}, std::string((std::size_t{8} << 20U) + 1, ' '));
  CHECK(ran.status == 2);
  CHECK(ran.err.find("413") != std::string::npos);
}

TEST_CASE("check: 0 without findings that deny, 1 with, 2 where input is broken") {
  const Folder folder;
  const std::string policy = folder.path("policy.yaml");
  const std::string labels = "--namespace-labels=shop:environment=prod";
  const auto check = [&](const std::vector<std::string>& files) {
    std::vector<std::string> arguments = {"check", "-p", policy, labels, "-n", "shop"};
    for (const std::string& file : files) {
      arguments.emplace_back("-f");
      arguments.push_back(file);
    }
    return run_belay(arguments);
  };
  const std::string good = folder.write("good.yaml", manifest("a:1"));
  const std::string warned = folder.write("warned.yaml", manifest("a:latest"));
  const std::string bad = folder.write("bad.yaml", manifest("a"));
  const std::string broken = folder.write("broken.yaml", "a: [");

  CHECK(check({good}).status == 0);
  CHECK(check({good}).out == "checked 1 object in 1 file: no problems\n");
  CHECK(check({good, warned}).status == 0);
  CHECK(check({good, warned}).out.ends_with("checked 2 objects in 2 files: 1 warning\n"));
  CHECK(check({bad}).status == 1);
  CHECK(check({bad}).out.starts_with(bad + ":4:40: enforce tag-required "));
  const Ran both = check({broken, bad});
  CHECK(both.status == 2);
  CHECK(both.err.find(broken + ":1:") != std::string::npos);
  CHECK(both.out.find("tag-required") != std::string::npos);
  CHECK(check({folder.path("absent.yaml")}).status == 2);
  CHECK(check({}).status == 2);
  CHECK(run_belay({"check", good, bad}).status == 1);
}

TEST_CASE("check tells the namespaces that no policy matches from those without problems") {
  const Folder folder;
  const std::string policy =
      folder.write("prod.yaml",
                   "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: prod}\n"
                   "spec:\n  match: {namespaceSelector: {matchLabels: {environment: prod}}}\n"
                   "  rules: {mutableTag: {}}\n");
  const std::string file = folder.write("pod.yaml", manifest("a:latest"));
  const Ran unmatched = run_belay({"check", "-p", policy, "-f", file});
  CHECK(unmatched.status == 0);
  CHECK(unmatched.out == "checked 1 object in 1 file (1 that no policy matches): no problems\n");
  CHECK(
      unmatched.err ==
      "note: no policy matches namespace \"default\": nothing was evaluated there. Policies go by "
      "labels of namespaces; give those of the cluster, such as --namespace-labels "
      "default:environment=prod\n");
  const Ran json = run_belay({"check", "-p", policy, "-f", file, "-o", "json"});
  CHECK(Json::parse(json.out)["summary"]["unmatched"] == 1);

  const Ran matched = run_belay(
      {"check", "-p", policy, "-f", file, "--namespace-labels", "default:environment=prod"});
  CHECK(matched.status == 1);
  CHECK(matched.err == "");
  CHECK(matched.out.find("(1 that") == std::string::npos);

  // By name there is no label to give, and many namespaces are not listed to the last.
  const std::string named =
      folder.write("named.yaml",
                   "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: named}\n"
                   "spec: {match: {namespaces: [\"prod-*\"]}, rules: {mutableTag: {}}}\n");
  std::string many;
  for (const char c : {'a', 'b', 'c', 'd', 'e', 'f', 'g'}) {
    many += std::string("---\napiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: n-") + c +
            "}\nspec: {containers: [{name: web, image: \"a:1\"}]}\n";
  }
  CHECK(run_belay({"check", "-p", named, "-f", "-"}, many).err ==
        "note: no policy matches namespace \"n-a\", \"n-b\", \"n-c\", \"n-d\", \"n-e\" and 2 more: "
        "nothing was evaluated there\n");
}

TEST_CASE("check reads standard input, and prints JSON") {
  const Ran ran = run_belay({"check", "-f", "-", "--output", "json"}, manifest("a"));
  CHECK(ran.status == 1);
  CHECK(ran.err.find("built-in policy") != std::string::npos);
  const Json json = Json::parse(ran.out);
  CHECK(json["findings"][0]["file"] == "<stdin>");
  CHECK(json["findings"][0]["line"] == 4);
}

TEST_CASE("a policy that is invalid and an invalid label are errors") {
  const Folder folder;
  const std::string policy = folder.write("wrong.yaml", "kind: ImagePolicy\n");
  const std::string good = folder.write("good.yaml", manifest("a:1"));
  CHECK(run_belay({"check", "-p", policy, "-f", good}).status == 2);
  CHECK(run_belay({"check", "-p", folder.path("absent"), "-f", good}).status == 2);
  const Ran label = run_belay({"check", "-f", good, "--namespace-labels", "shop"});
  CHECK(label.status == 2);
  CHECK(label.err.find("such as shop:environment=prod") != std::string::npos);
}

TEST_CASE("B6: check and review evaluate the custom resources that are named") {
  const Folder folder;
  const std::string rollout =
      folder.write("rollout.yaml",
                   "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}\n"
                   "spec: {template: {spec: {containers: [{name: web, image: nginx}]}}}\n");
  std::vector<std::string> check = {"check", "-p", folder.path("policy.yaml"), "-f", rollout};
  CHECK(run_belay(check).status == 0);
  check.insert(check.end(), {"--extra-template", "argoproj.io/Rollout:spec.template"});
  CHECK(run_belay(check).status == 1);
  check.back() = "Rollout";
  const Ran wrong = run_belay(check);
  CHECK(wrong.status == 2);
  CHECK(wrong.err ==
        "--extra-template: \"Rollout\" is not group/Kind:path, such as "
        "argoproj.io/Rollout:spec.template\n");

  Json review = pod_review({});
  review["request"]["kind"] = {{"group", "argoproj.io"}, {"version", "v1"}, {"kind", "Rollout"}};
  review["request"]["object"] = {
      {"spec", {{"template", {{"spec", {{"containers", {container("web", "a")}}}}}}}}};
  std::vector<std::string> answer = {"review", "-p", folder.path("policy.yaml")};
  CHECK(run_belay(answer, review.dump()).status == 0);
  answer.insert(answer.end(), {"--extra-template", "argoproj.io/Rollout:spec.template"});
  CHECK(run_belay(answer, review.dump()).status == 1);
}

TEST_CASE("check: other people's YAML fails a run only where it is named") {
  const Folder folder;
  folder.write("web.yaml", manifest("a:1"));
  const std::string values = folder.write("values.yaml", "image: {tag: latest}\n");
  std::vector<std::string> command = {"check",
                                      "-p",
                                      folder.path("policy.yaml"),
                                      "-f",
                                      folder.path(""),
                                      "--namespace-labels",
                                      "default:environment=prod"};
  const Ran all = run_belay(command);
  CHECK(all.status == 0);
  CHECK(all.out.find("skipped 1 document without a Kubernetes object") != std::string::npos);
  command[4] = values;
  CHECK(run_belay(command).status == 2);
}

}  // namespace
}  // namespace belay::webhook::command
