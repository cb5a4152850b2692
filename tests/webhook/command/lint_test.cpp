// `belay lint`: what it prints and how it ends.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "policy/policy_reader.h"
#include "policy/policy_schema.h"
#include "tests/support/sources.h"
#include "webhook/command/command.h"

namespace belay::webhook::command {
namespace {

struct Ran {
  int status;
  std::string out, err;
};

Ran lint(std::vector<std::string> arguments, const std::string& input = "", bool color = false) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  Streams streams{in, out, err, color};
  arguments.insert(arguments.begin(), "lint");
  const int status = run("belay", arguments, streams);
  return {status, out.str(), err.str()};
}

std::string data(const std::string& name) { return tests::source("tests/data/policies/" + name); }

std::string policy(const std::string& spec) {
  return "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: p}\nspec: {" + spec +
         "}\n";
}

TEST_CASE("lint says OK with name, mode and the count of rules") {
  auto ran = lint({"-"}, policy("rules: {tagRequired: {}, mutableTag: {}}"));
  CHECK(ran.out == "OK p (enforce, 2 rules)\n");
  CHECK(ran.err == "");
  CHECK(ran.status == kExitClean);
  CHECK(lint({"-"}, policy("mode: audit, rules: {tagRequired: {}}")).out ==
        "OK p (audit, 1 rule)\n");
  CHECK(lint({"-"}, policy(""), true).out.starts_with("\x1b[32mOK\x1b[0m p"));
}

TEST_CASE("lint notes what is odd, and still ends well") {
  const auto ran = lint({"-"}, policy("exemptions: [{images: [docker.io/x], reason: r, expires: "
                                      "2001-01-01}]"));
  CHECK(ran.out ==
        "OK p (enforce, 0 rules)\n"
        "   note: exemptions[0] (docker.io/x) expired on 2001-01-01 and is ignored\n");
  CHECK(ran.status == kExitClean);
}

TEST_CASE("what a policy says can't write to the terminal, nor a line of its own") {
  const std::string hostile = policy(R"(mode: "\e[31mx", "k\n-:1:1: all good": 1)");
  const auto ran = lint({"-"}, hostile);
  CHECK(std::count(ran.out.begin(), ran.out.end(), '\n') == 2);
  CHECK(ran.out.find("the string \"\\u{1b}[31mx\"") != std::string::npos);
  CHECK(ran.out.find("spec[k\\u{a}-:1:1: all good]: unknown key") != std::string::npos);
  for (const char c : ran.out) CHECK((c == '\n' || (c >= 0x20 && c < 0x7F)));
  CHECK(lint({"no\x1b[31msuch.yaml"}).err.find("no\\u{1b}[31msuch.yaml: ") == 0);
}

TEST_CASE("lint prints every error with its place and exits 1") {
  const auto ran = lint({data("broken.yaml")});
  CHECK(ran.out.starts_with(data("broken.yaml") + ":1:13: apiVersion: must be "));
  CHECK(std::count(ran.out.begin(), ran.out.end(), '\n') == 14);
  CHECK(ran.status == kExitFindings);
}

TEST_CASE("lint exits 2 where there is nothing to read") {
  const auto gone = lint({data("gone.yaml")});
  CHECK(gone.err == data("gone.yaml") + ": No such file or directory\n");
  CHECK(gone.out == "");
  CHECK(gone.status == kExitError);
  CHECK(lint({data("production.yaml"), data("gone.yaml")}).status == kExitError);
  CHECK(lint({}).status == kExitError);
  CHECK(lint({}).err.find("give a policy") != std::string::npos);
}

TEST_CASE("lint as JSON contains policies, errors and notes") {
  const auto ran =
      lint({data("production.yaml"), data("broken.yaml"), data("gone.yaml"), "-o", "json"});
  const auto root = nlohmann::json::parse(ran.out);
  REQUIRE(root["policies"].size() == 1);
  CHECK(root["policies"][0]["name"] == "production");
  CHECK(root["policies"][0]["mode"] == "enforce");
  CHECK(root["policies"][0]["rules"] == 14);
  CHECK(root["policies"][0]["revision"].get<std::string>().size() == 12);
  REQUIRE(root["errors"].size() == 15);
  CHECK(root["errors"][0]["file"] == data("broken.yaml"));
  CHECK(root["errors"][1]["line"] == 4);
  CHECK(root["errors"][1]["column"] == 9);
  CHECK(root["errors"][1]["path"] == "metadata.name");
  CHECK(root["errors"][14]["message"] == "No such file or directory");
  CHECK(ran.status == kExitError);
}

TEST_CASE("the ConfigMap of docs/operations.md reads, and has the revision that its status names") {
  std::ifstream file(tests::source("docs/operations.md"));
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const auto begin = page.find("apiVersion: v1\nkind: ConfigMap\n");
  REQUIRE(begin != std::string::npos);
  const auto ran = lint({"-", "-o", "json"}, page.substr(begin, page.find("```", begin) - begin));
  REQUIRE(ran.status == kExitClean);
  const auto policy = nlohmann::json::parse(ran.out)["policies"][0];
  const std::string revision = policy["revision"];
  CHECK(policy["notes"].empty());
  CHECK(page.find("\nin force: production (revision " + revision + ")\n") != std::string::npos);
}

TEST_CASE("lint --schema prints the JSON Schema") {
  const auto ran = lint({"--schema"});
  CHECK(ran.out == policy::policy_schema());
  CHECK(ran.status == kExitClean);
}

}  // namespace
}  // namespace belay::webhook::command
