// `belay tag-history` on a file, run without a process: what it shows, what it forgets, and how it
// ends.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/folder.h"
#include "webhook/command/command.h"

namespace belay::webhook::command {
namespace {

const std::string kA = "sha256:" + std::string(64, 'a');
const std::string kB = "sha256:" + std::string(64, 'b');

struct Outcome {
  int status;
  std::string out;
  std::string err;
};

/// A memory of three tags, in a file that goes with the test.
struct Fixture {
  Fixture() {
    std::ofstream(path) << "docker.io/library/nginx:1.27 " << kA << " 2026-11-22T20:59:46Z\n"
                        << "registry.corp:5000/shop/web:v1 " << kA << " 2026-11-01T00:00:00Z\n"
                        << "registry.corp:5000/shop/web:v2 " << kB << " 2026-11-02T00:00:00Z\n";
  }

  Outcome tags(std::vector<std::string> arguments, bool in_file = true) const {
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    Streams streams{in, out, err};
    arguments.insert(arguments.begin(), "tag-history");
    if (in_file) arguments.insert(arguments.end(), {"--tag-history", path});
    const int status = run("belay", arguments, streams);
    return {status, out.str(), err.str()};
  }
  std::string text() const { return folder.text("tags"); }

  tests::Folder folder;
  std::string path = folder.path("tags");
};

TEST_CASE("tag-history list: columns line up, digests stand in full and times in UTC") {
  const Fixture f;
  const Outcome all = f.tags({"list"});
  CHECK(all.status == kExitClean);
  CHECK(all.err.empty());
  const std::string wide(71 - 6, ' ');
  CHECK(all.out == "TAG                             DIGEST" + wide +
                       "  FIRST SEEN\n"
                       "docker.io/library/nginx:1.27    " +
                       kA +
                       "  2026-11-22T20:59:46Z\n"
                       "registry.corp:5000/shop/web:v1  " +
                       kA +
                       "  2026-11-01T00:00:00Z\n"
                       "registry.corp:5000/shop/web:v2  " +
                       kB + "  2026-11-02T00:00:00Z\n");
  CHECK(f.tags({"list", "--short", "registry.corp:5000/shop/web:v2"}).out ==
        "TAG                             DIGEST               FIRST SEEN\n"
        "registry.corp:5000/shop/web:v2  sha256:bbbbbbbbbbbb  2026-11-02T00:00:00Z\n");
}

TEST_CASE("tag-history list: repositories and tags are taken as users write them") {
  const Fixture f;
  CHECK(f.tags({"list", "nginx"}).out == f.tags({"list", "docker.io/library/nginx:1.27"}).out);
  CHECK(f.tags({"list", "Registry.CORP:5000/shop/web"}).out ==
        f.tags({"list", "registry.corp:5000/shop/web"}).out);
  const Outcome mixed = f.tags({"list", "nginx", "registry.corp:5000/shop/web:v3"});
  CHECK(mixed.status == kExitClean);
  CHECK(mixed.out.find("nginx:1.27") != std::string::npos);
  CHECK(mixed.err == "no record of registry.corp:5000/shop/web:v3\n");
  CHECK(f.tags({"list", "registry.corp:5000/shop/we"}).out.empty());
}

TEST_CASE("tags list --output json: an array for programs, empty where there is nothing") {
  const Fixture f;
  const auto json = nlohmann::json::parse(f.tags({"list", "nginx", "-o", "json"}).out);
  CHECK(json == nlohmann::json::array({{{"repository", "docker.io/library/nginx"},
                                        {"tag", "1.27"},
                                        {"digest", kA},
                                        {"firstSeen", "2026-11-22T20:59:46Z"}}}));
  CHECK(f.tags({"list", "redis", "-o", "json"}).out == "[]\n");
  std::ofstream(f.path) << "";
  CHECK(f.tags({"list"}).err == "no tag is recorded\n");
  CHECK(f.tags({"list"}).status == kExitClean);
}

TEST_CASE(
    "tag-history list: a line that is invalid is reported, with the rest shown and status 2") {
  const Fixture f;
  std::ofstream(f.path, std::ios::app) << "\x1b[2Jnonsense\n";
  const Outcome outcome = f.tags({"list"});
  CHECK(outcome.status == kExitError);
  CHECK(outcome.out.find("shop/web:v2") != std::string::npos);
  CHECK(outcome.err == "belay tag-history list: " + f.path +
                           ": line 4 is not a tag, a digest and a time, separated by spaces\n");
}

TEST_CASE("tag-history clear: forgets what is named and nothing else, and says what it was") {
  const Fixture f;
  const Outcome one = f.tags({"clear", "registry.corp:5000/shop/web:v2", "nginx:1.26"});
  CHECK(one.status == kExitClean);
  CHECK(one.out ==
        "removed registry.corp:5000/shop/web:v2 " + kB + " (first seen 2026-11-02T00:00:00Z)\n");
  CHECK(one.err == "no record of docker.io/library/nginx:1.26\n");
  CHECK(f.text().find("web:v1 ") != std::string::npos);
  CHECK(f.text().find("web:v2 ") == std::string::npos);

  const Outcome again = f.tags({"clear", "registry.corp:5000/shop/web:v2"});
  CHECK(again.status == kExitFindings);
  CHECK(again.out.empty());

  CHECK(f.tags({"clear", "--all-of", "registry.corp:5000/shop/web"}).status == kExitClean);
  CHECK(f.text().find("shop/web") == std::string::npos);
  CHECK(f.text().find("nginx:1.27") != std::string::npos);
}

TEST_CASE("tag-history clear: what cannot be a tag is an error before anything is forgotten") {
  const Fixture f;
  const std::string before = f.text();
  struct {
    std::vector<std::string> arguments;
    std::string message;
  } const cases[] = {
      {{"clear"},
       "belay tag-history clear: give a tag (REPOSITORY:TAG), or a repository with --all-of"},
      {{"clear", "nginx:1.27", "registry.corp:5000/shop/web"},
       "belay tag-history clear: \"registry.corp:5000/shop/web\" names no tag; for every tag of "
       "the "
       "repository give --all-of registry.corp:5000/shop/web"},
      {{"clear", "--all-of", "nginx:1.27"},
       "belay tag-history clear: --all-of takes a repository; \"nginx:1.27\" is one tag of it"},
      {{"clear", "nginx:1.27@" + kA},
       "belay tag-history clear: \"nginx:1.27@" + kA + "\" has a digest; name the tag without it"},
      {{"clear", "Nginx:1.27"},
       "belay tag-history clear: \"Nginx:1.27\" is not an image reference: it has upper-case "
       "letters in its "
       "repository name"},
      {{"list", "a b"},
       "belay tag-history list: \"a b\" is not an image reference: it has a space, tab or line "
       "break"},
      {{"list", "--namespace", "x"},
       "belay tag-history list: give --tag-history or --namespace, not both"},
      {{"clear", "a:1", "--kubeconfig", "x"},
       "belay tag-history clear: give --tag-history or --kubeconfig, not both"},
      {{"lst"}, "belay tag-history: unknown command \"lst\", did you mean list?"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.message);
    const Outcome outcome = f.tags(row.arguments);
    CHECK(outcome.status == kExitError);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.substr(0, outcome.err.find('\n')) == row.message);
    CHECK(outcome.err.find("\nTry: belay tag-history") != std::string::npos);
  }
  CHECK(f.text() == before);
}

TEST_CASE("tags: a file or a cluster that is not there is an error, and none is made") {
  const Fixture f;
  std::filesystem::remove(f.path);
  const Outcome list = f.tags({"list"});
  CHECK(list.status == kExitError);
  CHECK(list.err ==
        "belay tag-history list: " + f.path + ": cannot be read: No such file or directory\n");
  const Outcome clear = f.tags({"clear", "nginx:1.27"});
  CHECK(clear.status == kExitError);
  CHECK(clear.err == "belay tag-history clear: " + f.path + ": this file does not exist\n");
  CHECK_FALSE(std::filesystem::exists(f.path));
  const Outcome cluster = f.tags({"list", "--kubeconfig", f.folder.path("missing")}, false);
  CHECK(cluster.status == kExitError);
  CHECK(cluster.err.find("/missing") != std::string::npos);
}

}  // namespace
}  // namespace belay::webhook::command
