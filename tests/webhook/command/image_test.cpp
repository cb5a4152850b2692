// `belay image`, run without a process: what it prints and with which status it ends.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "webhook/command/command.h"

namespace belay::webhook::command {
namespace {

struct Outcome {
  int status;
  std::string out;
  std::string err;
};

Outcome image(std::vector<std::string> arguments, const std::string& input = "",
              bool color = false) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  Streams streams{in, out, err, color};
  arguments.insert(arguments.begin(), "image");
  const int status = run("belay", arguments, streams);
  return {status, out.str(), err.str()};
}

TEST_CASE("image: a reference is explained with what is not written") {
  const Outcome outcome = image({"nginx"});
  CHECK(outcome.status == kExitClean);
  CHECK(outcome.err.empty());
  CHECK(outcome.out ==
        "nginx\n"
        "  registry    docker.io      (the default registry, as none is written)\n"
        "  repository  library/nginx  (docker.io keeps names of one word in library/)\n"
        "  tag         -              (the runtime takes latest)\n"
        "  digest      -              (the tag decides, and tags can move)\n"
        "  canonical   docker.io/library/nginx\n");
}

TEST_CASE("image: notes tell which part decides") {
  const std::string digest = "sha256:" + std::string(64, '0');
  const std::string both = image({"reg.corp/a:1@" + digest}).out;
  CHECK(both.find("(not used: the digest decides)") != std::string::npos);
  CHECK(both.find("can move") == std::string::npos);
  const std::string alias = image({"index.docker.io/a/b@" + digest}).out;
  CHECK(alias.find("(index.docker.io is another name for it)") != std::string::npos);
  CHECK(alias.find("runtime takes latest") == std::string::npos);
  const std::string odd = image({"foo_bar.com/app:1"}).out;
  CHECK(odd.find("\"foo_bar.com\" is not a valid host name, but runtimes will try it") !=
        std::string::npos);
  CHECK(image({"docker.io/nginx:1"}).out.find("default registry") == std::string::npos);
}

TEST_CASE("image: an error points at the byte and offers a correction") {
  const Outcome outcome = image({"registry.corp/Shop/web:V1"});
  CHECK(outcome.status == kExitFindings);
  CHECK(outcome.out ==
        "registry.corp/Shop/web:V1\n"
        "              ^\n"
        "  not an image reference: it has upper-case letters in its repository name\n"
        "  did you mean registry.corp/shop/web:V1?\n");
  CHECK(
      image({"https://reg.corp/a"}).out ==
      "https://reg.corp/a\n"
      "  not an image reference: it starts with a URL scheme, which image references do not have\n"
      "  did you mean reg.corp/a?\n");
  CHECK(image({"nginx:1 "}).out.find("did you mean nginx:1?") != std::string::npos);
  CHECK(image({"nginx:"}).out.find("did you mean nginx?") != std::string::npos);
  CHECK(image({"a b:!"}).out.find("did you mean") == std::string::npos);
  CHECK(image({"a@sha256:0"}).out.find("did you mean") == std::string::npos);
  CHECK(image({""}).out.starts_with("\"\"\n  not an image reference: it is empty\n"));
}

TEST_CASE("B27: image shows bytes outside printable ASCII escaped") {
  const Outcome outcome = image({"a\x1b[31m"});
  CHECK(outcome.status == kExitFindings);
  CHECK(outcome.out.find('\x1b') == std::string::npos);
  CHECK(outcome.out.starts_with("a\\u{"));
}

TEST_CASE("image: JSON has the keys of the contract in their order, null where a part is absent") {
  const Outcome outcome = image({"nginx:1", "Nginx", "--output", "json"});
  CHECK(outcome.status == kExitFindings);
  CHECK(outcome.out ==
        R"({"input":"nginx:1","valid":true,"registry":"docker.io","repository":"library/nginx",)"
        R"("tag":"1","digest":null,"canonical":"docker.io/library/nginx:1","error":null})"
        "\n"
        R"({"input":"Nginx","valid":false,"registry":null,"repository":null,"tag":null,)"
        R"("digest":null,"canonical":null,)"
        R"("error":"has upper-case letters in its repository name, at column 1"})"
        "\n");
}

TEST_CASE("B28: image takes each line of standard input as it is") {
  const Outcome outcome = image({"-", "-o", "json"}, "nginx\r\n\n nginx\nx:1");
  CHECK(outcome.status == kExitFindings);
  std::istringstream lines(outcome.out);
  std::vector<nlohmann::json> answers;
  for (std::string line; std::getline(lines, line);) answers.push_back(nlohmann::json::parse(line));
  REQUIRE(answers.size() == 4);
  CHECK(answers[0]["input"] == "nginx\r");
  CHECK(answers[0]["valid"] == false);
  CHECK(answers[1]["error"] == "is empty");
  CHECK(answers[2]["valid"] == false);
  CHECK(answers[3]["canonical"] == "docker.io/library/x:1");
}

TEST_CASE("image: bytes that are not UTF-8 leave JSON readable") {
  const Outcome outcome = image({"-", "-o", "json"}, "a\xff\n");
  CHECK(nlohmann::json::parse(outcome.out)["input"] == "a\xef\xbf\xbd");
  CHECK(image({"-", "-o", "json"}).out.empty());
  CHECK(image({"-"}).status == kExitClean);
}

TEST_CASE("image: colour only where it is asked for") {
  CHECK(image({"nginx"}, "", true).out.find("\x1b[") != std::string::npos);
  CHECK(image({"nginx"}, "", false).out.find('\x1b') == std::string::npos);
}

TEST_CASE("image: references that look like options or lists are read as they are") {
  CHECK(image({"--", "-a/b"}).out.starts_with("-a/b\n^\n  not an image reference"));
  CHECK(image({"--", "nginx"}).status == kExitClean);
  CHECK(image({"[::1]"}).out.starts_with("[::1]\n"));
  CHECK(image({"[a,b]"}).out.starts_with("[a,b]\n"));
  CHECK(image({"[::1]/a:1"}).status == kExitClean);
  CHECK(image({"--", "[::1]", "-x"}).out.find("\n-x\n") != std::string::npos);
}

TEST_CASE("image: without a reference it says so") {
  const Outcome outcome = image({});
  CHECK(outcome.status == kExitError);
  CHECK(outcome.err.find("REF is required") != std::string::npos);
}

}  // namespace
}  // namespace belay::webhook::command
