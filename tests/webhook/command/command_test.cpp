// The command line as its users meet it: exit statuses, words of errors, help, completion, certs.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/folder.h"
#include "webhook/command/command.h"
#include "webhook/command/help.h"
#include "webhook/command/suggest.h"
#include "webhook/serve/limits.h"

namespace {

using namespace belay::webhook::command;

struct Result {
  int status;
  std::string out;
  std::string err;
};

Result call(const std::vector<std::string>& arguments, std::string_view program = "belay") {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Streams streams{in, out, err};
  const int status = run(program, arguments, streams);
  return {status, out.str(), err.str()};
}

std::string content(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

TEST_CASE(
    "usage errors exit with 2, say what is wrong on standard error and name the nearest word") {
  struct {
    std::vector<std::string> arguments;
    std::string message;
  } const cases[] = {
      {{"versoin"}, "belay: unknown command \"versoin\", did you mean version?"},
      {{"--foo"}, "belay: unknown option \"--foo\""},
      {{"version", "--outptu", "json"},
       "belay version: unknown option --outptu, did you mean --output?"},
      {{"version", "-o", "xml"}, "belay version: --output: \"xml\" is not one of text, json"},
      {{"version", "-o"}, "belay version: --output needs a value"},
      {{"version", "-o", "json", "-o", "text"},
       "belay version: --output is given 2 times; give it once"},
      {{"pin", "-f", "x", "--write=now"}, "belay pin: --write takes no value"},
      {{"version", "more"}, "belay version: unexpected argument \"more\""},
      {{"version", "--", "[more]"}, "belay version: unexpected argument \"[more]\""},
      {{"version", "-o", "[xml]"}, "belay version: --output: \"[xml]\" is not one of text, json"},
      {{"check"},
       "belay check: nothing to check: give -f FILE, -f DIR, or -f - for standard input"},
      {{"review", "--docker-config", "x"},
       "belay review: --docker-config needs --registries: credentials are sent only to registries "
       "in that list"},
      {{"certs"}, "belay certs: give one of the commands create, renew, show"},
      {{"certs", "shwo"}, "belay certs: unknown command \"shwo\", did you mean show?"},
      {{"certs", "create"}, "belay certs create: --dir is required"},
      {{"certs", "create", "--dir", "x", "--days", "y"},
       "belay certs create: --days: \"y\" is not a number from 1 to 3650"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.message);
    const Result result = call(row.arguments);
    CHECK(result.status == kExitError);
    CHECK(result.out.empty());
    CHECK(result.err.substr(0, result.err.find('\n')) == row.message);
    CHECK(result.err.find("\nTry: belay") != std::string::npos);
  }
  CHECK(call({}).status == kExitError);
}

TEST_CASE("an empty value is told from an option that was not given") {
  struct {
    std::vector<std::string> arguments;
    std::string message;
  } const cases[] = {
      {{"tag-history", "clear", "a:1", "--tag-history", ""},
       "belay tag-history clear: --tag-history needs a value, and was given an empty one"},
      {{"check", "-f", "x", "--policy", ""},
       "belay check: --policy needs a value, and was given an empty one"},
      {{"pin", "-f", "x", "--registries", ""},
       "belay pin: --registries needs a value, and was given an empty one"},
      {{"check", ""}, "belay check: FILE: \"\" names no file"},
      {{"lint", "a.yaml", ""}, "belay lint: POLICY: \"\" names no file"},
      {{"certs", "show", ""}, "belay certs show: PATH: \"\" names no file"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.message);
    const Result result = call(row.arguments);
    CHECK(result.status == kExitError);
    CHECK(result.err.substr(0, result.err.find('\n')) == row.message);
  }
  CHECK(call({"image", ""}).out.find("not an image reference: it is empty") != std::string::npos);
}

namespace {

/// Reads and writes nothing, as a descriptor that is closed.
class Closed : public std::streambuf {
 protected:
  int_type underflow() override { throw std::ios_base::failure("Bad file descriptor"); }
  int_type overflow(int_type /*c*/) override { return traits_type::eof(); }
};

}  // namespace

TEST_CASE("standard input that is closed is an error in words, for every command that reads it") {
  const belay::tests::Folder directory;
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"lint", "-"},
                                             {"check", "-f", "-"},
                                             {"pin", "--check", "-f", "-"},
                                             {"review"},
                                             {"image", "-"},
                                             {"certs", "show", "-"},
                                             {"certs", "show", "--ca-bundle", "-"}}) {
    CAPTURE(arguments.front());
    Closed closed;
    std::istream in(&closed);
    std::ostringstream out;
    std::ostringstream err;
    Streams streams{in, out, err};
    CHECK(run("belay", arguments, streams) == kExitError);
    CHECK(err.str().find("standard input cannot be read: it is closed, or a directory; give a "
                         "file, or pipe something in\n") != std::string::npos);
  }
}

TEST_CASE("help and versions that nobody could read are an error, as any other output") {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"--help"}, {"help", "check"}, {"check", "--help"}, {"--version"}, {"version"}}) {
    CAPTURE(arguments.front());
    Closed closed;
    std::istringstream in;
    std::ostream out(&closed);
    std::ostringstream err;
    Streams streams{in, out, err};
    CHECK(run("belay", arguments, streams) == kExitError);
    CHECK(err.str().find("cannot write the output\n") != std::string::npos);
  }
}

TEST_CASE("every command has help with an example, no wider than 100 columns") {
  CHECK(call({"--help"}).out == program_help("belay"));
  for (const Command& command : commands()) {
    CAPTURE(command.name);
    const Result result = call({std::string(command.name), "--help"});
    CHECK(result.status == kExitClean);
    CHECK(result.err.empty());
    CHECK(result.out.find("\nExamples:\n  ") != std::string::npos);
    CHECK(result.out == call({"help", std::string(command.name)}).out);
    std::istringstream lines(result.out + program_help("belay"));
    for (std::string line; std::getline(lines, line);) {
      CAPTURE(line);
      CHECK(line.size() <= kHelpWidth);
      CHECK_FALSE(line.ends_with(' '));
    }
    if (!command.hidden) {
      CHECK(call({"--help"}).out.find("\n  " + std::string(command.name) + " ") !=
            std::string::npos);
    }
  }
}

TEST_CASE("help of serve lists every limit under a heading of its own, with bounds and default") {
  const std::string help = call({"serve", "--help"}).out;
  const std::size_t heading = help.find("\nLimits:\n");
  REQUIRE(heading != std::string::npos);
  CHECK(help.find("\nOptions:\n") < heading);
  CHECK(help.find("--help ") < heading);
  CHECK(heading < help.find("\nExamples:\n"));
  std::string words;  // without the breaks of lines
  std::istringstream text(help.substr(heading));
  for (std::string word; text >> word;) words += word + " ";
  namespace serve = belay::webhook::serve;
  const auto defaults = serve::default_limit_texts();
  for (std::size_t i = 0; i < serve::limit_rows().size(); ++i) {
    const serve::Limit& limit = serve::limit_rows()[i];
    const std::string row = std::string(limit.name) + " " + std::string(limit.type_name()) + " " +
                            std::string(limit.text) + " (" + limit.bounds() +
                            ") [default: " + defaults[i] + "]";
    CAPTURE(row);
    CHECK(words.find(row) != std::string::npos);
  }
  CHECK(call({"man"}).out.find(".B Limits\n") != std::string::npos);
}

TEST_CASE("called as a kubectl plugin, help speaks of kubectl belay") {
  CHECK(program_name("/usr/bin/kubectl-belay") == "kubectl belay");
  CHECK(program_name("./belay") == "belay");
  const std::string help = call({"version", "--help"}, "kubectl belay").out;
  CHECK(help.find("  kubectl belay version --output json\n") != std::string::npos);
  CHECK(call({"nope"}, "kubectl belay").err.starts_with("kubectl belay: unknown command"));
}

TEST_CASE("a suggestion is a word close to what was typed") {
  const std::vector<std::string> words{"--policy", "--output", "--help"};
  CHECK(nearest("--polcy", words) == "--policy");
  CHECK(nearest("--ouptut", words) == "--output");
  CHECK(nearest("--pol", words) == "--policy");
  CHECK(nearest("--verbose", words).empty());
  CHECK(nearest("x", words).empty());
}

TEST_CASE("bash accepts its completion and completes commands, options and values") {
  const belay::tests::Folder directory;
  const std::string script = directory.path("belay.bash");
  std::ofstream(script) << call({"completion", "bash"}).out;
  REQUIRE(std::system(("bash -n " + script).c_str()) == 0);
  const auto completed = [&](const std::string& line) {
    const std::string out = directory.path("out");
    const std::string command = "bash -c 'source " + script + "; COMP_WORDS=(" + line +
                                "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _belay; "
                                "echo \"${COMPREPLY[*]}\"' > " +
                                out;
    REQUIRE(std::system(command.c_str()) == 0);
    std::string text = content(out);
    text.pop_back();
    return text;
  };
  CHECK(completed("belay vers") == "version");
  CHECK(completed("belay certs sh") == "show");
  CHECK(completed("belay version --out") == "--output");
  CHECK(completed("belay version --output js") == "json");
  CHECK(completed("belay certs show -o t") == "text");
  CHECK(completed("belay certs create --di") == "--dir");
  CHECK(completed("belay ma").find("man") == std::string::npos);
}

TEST_CASE("the zsh completion and the man page name every command") {
  const std::string zsh = call({"completion", "zsh"}).out;
  const std::string man = call({"man"}).out;
  CHECK(zsh.starts_with("#compdef belay\n"));
  for (const Command& command : commands()) {
    if (command.hidden) continue;
    CHECK(zsh.find("'" + std::string(command.name) + ":") != std::string::npos);
    std::string in_roff;  // a hyphen is escaped there, so that it can be copied
    for (const char c : command.name) in_roff.append(c == '-' ? "\\-" : std::string(1, c));
    CHECK(man.find(".SS belay " + in_roff) != std::string::npos);
  }
}

TEST_CASE(
    "certs create makes a directory that show explains, keeps what is good and renews on request") {
  const belay::tests::Folder directory;
  const std::string certs = directory.path("certs");
  const Result created = call({"certs", "create", "--dir", certs, "--name", "belay.test,10.0.0.1"});
  REQUIRE(created.status == kExitClean);
  CHECK(created.out.find("new CA") != std::string::npos);
  struct stat key{};
  REQUIRE(stat((certs + "/tls.key").c_str(), &key) == 0);
  CHECK((key.st_mode & 0777U) == 0600);
  REQUIRE(stat((certs + "/ca.key").c_str(), &key) == 0);
  CHECK((key.st_mode & 0777U) == 0600);

  const std::string first = content(certs + "/tls.crt");
  const std::string ca = content(certs + "/ca.crt");
  CHECK(call({"certs", "create", "--dir", certs})
            .out.find("kept, because it is valid, for belay.test, 10.0.0.1") != std::string::npos);
  CHECK(content(certs + "/tls.crt") == first);

  const Result shown = call({"certs", "show", certs});
  CHECK(shown.status == kExitClean);
  CHECK(shown.out.find("names        belay.test, 10.0.0.1") != std::string::npos);
  CHECK(shown.out.find("89 days left") != std::string::npos);
  CHECK(call({"certs", "show", certs, "-o", "json"}).out.find("\"daysLeft\":89") !=
        std::string::npos);
  CHECK(call({"certs", "show", "--ca-bundle", certs})
            .out.starts_with("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"));

  CHECK(call({"certs", "renew", "--dir", certs}).status == kExitClean);
  CHECK(content(certs + "/tls.crt") != first);
  CHECK(content(certs + "/ca.crt") == ca);
  // Only the files themselves: nothing temporary stays behind.
  CHECK(std::distance(std::filesystem::directory_iterator(certs), {}) == 4);
}

TEST_CASE("certs renew makes no CA where there was none, and certs wants a directory") {
  const belay::tests::Folder directory;
  const Result renewed = call({"certs", "renew", "--dir", directory.path()});
  CHECK(renewed.status == kExitError);
  CHECK(renewed.err ==
        "belay certs: " + directory.path() +
            " contains no ca.crt, which renewal needs; create it with: belay certs create "
            "--dir " +
            directory.path() + "\n");
  CHECK(std::filesystem::is_empty(directory.path()));
  const std::string file = directory.write("file", "text");
  CHECK(call({"certs", "create", "--dir", file}).err ==
        "belay certs: " + file + " is not a directory\n");
}

TEST_CASE("certs never overwrites files that it cannot read, and says which") {
  const belay::tests::Folder directory;
  directory.write("ca.crt", "not PEM");
  directory.write("ca.key", "mine");
  const Result result = call({"certs", "create", "--dir", directory.path()});
  CHECK(result.status == kExitError);
  CHECK(result.err.find(directory.path("ca.crt")) != std::string::npos);
  CHECK(directory.text("ca.key") == "mine");
  CHECK(call({"certs", "renew", "--dir", directory.path("absent")}).status == kExitError);
  CHECK(call({"certs", "show", directory.path("absent")}).status == kExitError);
}
