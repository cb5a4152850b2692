// Tag templates: what they fit, what they find, what is wrong with them.
#include "policy/tag_template.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "policy/gaps.h"
#include "policy/tag.h"

namespace belay::policy {
namespace {

const std::vector<std::string> kEnvironments{"dev", "test", "prod", "staging"};

TagTemplate compiled(std::string_view text,
                     const std::vector<std::string>& environments = kEnvironments) {
  auto result = TagTemplate::compile(text, environments);
  CAPTURE(text);
  REQUIRE_MESSAGE(result.has_value(), result.error().message);
  CHECK(result->text() == text);
  return *result;
}

bool fits(std::string_view text, std::string_view tag) {
  CAPTURE(text);
  CAPTURE(tag);
  return compiled(text).match(tag);
}

TagTemplate::BadTemplate problem(std::string_view text,
                                 const std::vector<std::string>& environments = kEnvironments) {
  const auto result = TagTemplate::compile(text, environments);
  CAPTURE(text);
  REQUIRE_FALSE(result.has_value());
  return result.error();
}

TEST_CASE("the tags from the field have templates") {
  CHECK(fits("v{version}-model-{name}", "v1.2.0-model-resnet50"));
  CHECK(fits("v{version}-{name}", "v1.2.0-model-resnet50"));
  CHECK(fits("{name}-v{version}-{environment}", "vision-v1.2.0-prod"));
  CHECK(fits("{name}-v{version}-{environment}", "nlp-v1.1.5-staging"));
  CHECK(fits("{environment}-experiment-{name}", "dev-experiment-alpha"));
  CHECK(fits("dev-experiment-{any}", "dev-experiment-alpha"));
  CHECK(fits("{date}-build", "20250405-build"));
  CHECK(fits("{name}-{environment}-{name}", "sec-finance-prod-devops"));
  CHECK(fits("sec-{name}-{environment}-devops", "sec-finance-prod-devops"));
  CHECK(fits("v{version}", "v1.4.2"));
  CHECK(fits("v{version}-{environment}", "v1.4.2-prod"));
  CHECK(fits("{number}.{number}.{number}", "24.04.1"));
  CHECK(fits("regex:v\\d+\\.\\d+", "v1.2"));
}

TEST_CASE("a template fits the whole tag or not at all") {
  CHECK_FALSE(fits("v{version}", "v1.4.2_x"));
  CHECK_FALSE(fits("v{version}", "xv1.4.2"));
  CHECK_FALSE(fits("v{version}", "1.4.2"));
  CHECK_FALSE(fits("v{version}", ""));
  CHECK_FALSE(fits("{date}-build", "20250405-build-2"));
  CHECK_FALSE(fits("{name}-v{version}-{environment}", "vision-v1.2.0-qa"));
  CHECK_FALSE(fits("regex:v\\d+", "v1-x"));
  CHECK_FALSE(fits("regex:v\\d+", "xv1"));
  CHECK(fits("stable-1", "stable-1"));
  CHECK_FALSE(fits("stable-1", "stable-10"));
}

TEST_CASE("{version} is SemVer 2.0 without v") {
  for (const char* tag : {"0.0.0", "1.20.3", "1.2.3-rc.1", "1.2.3-01a", "1.2.3-a-b.0"}) {
    CHECK(fits("{version}", tag));
  }
  for (const char* tag : {"v1.2.3", "1.2", "01.2.3", "1.02.3", "1.2.03", "1.2.3-", "1.2.3-01",
                          "1.2.3-a..b", "1.2.3-a.", "1.2.3-a_b", "1.2.3.4", "a.2.3", "1.2.x"}) {
    CHECK_FALSE(fits("{version}", tag));
  }
}

TEST_CASE("{date} is a real date in either spelling") {
  CHECK(fits("{date}", "20250405"));
  CHECK(fits("{date}", "2025-04-05"));
  CHECK_FALSE(fits("{date}", "20250431"));
  CHECK_FALSE(fits("{date}", "2025-0405"));
  CHECK_FALSE(fits("{date}", "2025040"));
  CHECK(fits("{date}{number}", "202504057"));
}

TEST_CASE("{environment} is a known word") {
  CHECK(fits("v1-{environment}", "v1-prod"));
  CHECK_FALSE(fits("v1-{environment}", "v1-production"));
  CHECK_FALSE(fits("v1-{environment}", "v1-PROD"));
  CHECK_FALSE(fits("v1-{environment}", "v1-"));
  CHECK(compiled("{environment}", {"a", "ab"}).match("ab"));
  CHECK(compiled("{environment}b", {"a", "ab"}).match("ab"));
}

TEST_CASE("{commit} is 7 to 40 hex digits") {
  CHECK(fits("{commit}", "3f9d1c2"));
  CHECK(fits("{commit}", "3F9D1C2"));
  CHECK(fits("{commit}", std::string(40, 'a')));
  CHECK_FALSE(fits("{commit}", "3f9d1c"));
  CHECK_FALSE(fits("{commit}", std::string(41, 'a')));
  CHECK_FALSE(fits("{commit}", "3f9d1cg"));
}

TEST_CASE("{name} is lower-case words that start with a letter") {
  for (const char* tag : {"a", "model", "res50", "a-b_c", "a-1", "sec-finance"}) {
    CHECK(fits("{name}", tag));
  }
  for (const char* tag : {"1a", "A", "aB", "a--b", "a-", "-a", "_a", "a.b", "a_-b"}) {
    CHECK_FALSE(fits("{name}", tag));
  }
}

TEST_CASE("{number} is digits and {any} is anything") {
  CHECK(fits("build-{number}", "build-007"));
  CHECK_FALSE(fits("build-{number}", "build-"));
  CHECK_FALSE(fits("build-{number}", "build-7a"));
  CHECK(fits("a{any}", "a.-_Z"));
  CHECK_FALSE(fits("a{any}", "a"));
}

TEST_CASE("placeholders take as little as they can, environments the longest word") {
  TagParts parts;
  CHECK(compiled("v{version}-{any}").match("v1.2.0-model-resnet50", &parts));
  CHECK(parts.version == "1.2.0");
  CHECK(parts.environment.empty());
  CHECK(compiled("v{version}").match("v1.2.0-rc.1", &parts));
  CHECK(parts.version == "1.2.0-rc.1");
  CHECK(compiled("v{version}-{environment}").match("v1.2.30-rc.1-prod", &parts));
  CHECK(parts.version == "1.2.30-rc.1");
  CHECK(parts.environment == "prod");
  const auto regional = compiled("v{version}-{environment}", {"prod", "eu-prod"});
  CHECK(regional.match("v1.0.0-eu-prod", &parts));
  CHECK(parts.environment == "eu-prod");
  CHECK(parts.version == "1.0.0");
  TagParts untouched{"a", "b"};
  CHECK_FALSE(regional.match("v1.0.0", &untouched));
  CHECK(untouched.version == "a");
}

TEST_CASE("every way to fit counts when an environment or a version is asked for") {
  const auto both = compiled("v{version}-{environment}", {"prod", "eu-prod"});
  CHECK(both.match_with_environment("v1.0.0-eu-prod", "eu-prod"));
  CHECK(both.match_with_environment("v1.0.0-eu-prod", "prod"));
  CHECK_FALSE(both.match_with_environment("v1.0.0-eu-prod", "dev"));
  CHECK_FALSE(both.match_with_environment("v1.0.0-eu", "eu"));
  CHECK(both.match_with_version("v1.0.0-eu-prod", "1.0.0"));
  CHECK(both.match_with_version("v1.0.0-eu-prod", "1.0.0-eu"));
  CHECK_FALSE(both.match_with_version("v1.0.0-eu-prod", "1.0.0-eu-prod"));
  CHECK_FALSE(compiled("v{version}").match_with_environment("v1.0.0", "prod"));
  CHECK_FALSE(compiled("{environment}").match_with_version("prod", "1.0.0"));
  CHECK(both.has_version());
  CHECK(both.has_environment());
  CHECK_FALSE(compiled("{date}").has_version());
  CHECK_FALSE(compiled("{date}").has_environment());
  CHECK_FALSE(compiled("regex:{version}").has_version());
}

TEST_CASE("text longer than a tag fits nothing") {
  const std::string long_text(129, 'a');
  CHECK(fits("{any}", long_text.substr(1)));
  CHECK_FALSE(fits("{any}", long_text));
  CHECK_FALSE(fits("regex:a*", long_text));
  CHECK_FALSE(compiled("{environment}{any}").match_with_environment("prod" + long_text, "prod"));
  CHECK_FALSE(compiled("{version}-{any}").match_with_version("1.0.0-" + long_text, "1.0.0"));
}

TEST_CASE("a hostile tag ends quickly") {
  std::string text;
  for (int i = 0; i < 31; ++i) text += "{any}";
  const auto anything = compiled(text + "{version}");
  CHECK_FALSE(anything.match(std::string(128, 'a')));
  text.clear();
  for (int i = 0; i < 32; ++i) text += "{name}";
  CHECK_FALSE(compiled(text).match(std::string(127, 'a') + "Z"));
}

TEST_CASE("a form has a gap for each placeholder, and the environment in place") {
  CHECK(compiled("v{version}").form({}) == "v<version>");
  CHECK(compiled("{date}-build").form({}) == "<date>-build");
  CHECK(compiled("v{version}-{environment}").form({"prod"}) == "v<version>-prod");
  CHECK(compiled("v{version}-{environment}").form({}) == "v<version>-dev");
  CHECK(compiled("v{version}-{environment}").form({"qa"}) == "v<version>-dev");
  CHECK(compiled("{name}.{commit}.{number}.{any}").form({}) == "<name>.<commit>.<number>.<text>");
  CHECK(compiled("regex:v.*").form({}).empty());
  CHECK(compiled(std::string(120, 'a') + "{name}{name}").form({}).empty());
}

TEST_CASE("what no tag can fit is refused at its byte") {
  CHECK(problem("").message == "is empty");
  CHECK(problem("v{vesion}").offset == 1);
  CHECK(problem("v{vesion}").message ==
        "has unknown placeholder \"{vesion}\"; did you mean \"{version}\"?");
  CHECK(problem("{Version}").message ==
        "has unknown placeholder \"{Version}\"; did you mean \"{version}\"?");
  CHECK(problem("{env}").message ==
        "has unknown placeholder \"{env}\"; did you mean \"{environment}\"?");
  CHECK(problem("{sha}").message ==
        "has unknown placeholder \"{sha}\"; known are {version}, {date}, {environment}, {commit}, "
        "{name}, {number}, {any}");
  CHECK(problem("{}").offset == 0);
  CHECK(problem("a-{version").offset == 2);
  CHECK(problem("a-{version").message == "has \"{\" without \"}\"");
  CHECK(problem("a-{ver{name}").offset == 2);
  CHECK(problem("a}b").offset == 1);
  CHECK(problem("a}b").message == "has \"}\" without \"{\"");
  CHECK(problem("{version}-{version}").offset == 10);
  CHECK(problem("{version}-{version}").message == "has {version} twice; a tag has one");
  CHECK(problem("{environment}{environment}").offset == 13);
  CHECK(problem("{environment}", {}).message == "has {environment}, but no environment is known");
  CHECK(problem("{environment}", {""}).offset == 0);
  CHECK(problem("v{version}+b").offset == 10);
  CHECK(problem("a b").offset == 1);
  CHECK(problem("caf\xc3\xa9").offset == 3);
  CHECK(problem("-{version}").message == "starts with \".\" or \"-\", which tags cannot");
  CHECK(problem(".a").offset == 0);
  CHECK(problem(std::string(129, 'a')).message == "is longer than the 128 characters of a tag");
  CHECK(problem(std::string(124, 'a') + "{version}").message ==
        "is longer than the 128 characters of a tag");
  CHECK(problem(std::string(513, 'a')).message == "is longer than 512 bytes");
  std::string many;
  for (int i = 0; i < 33; ++i) many += "{any}";
  CHECK(problem(many).message == "has more than 32 placeholders");
  CHECK(problem(many).offset == 32U * 5U);
}

TEST_CASE("bad expressions are refused") {
  CHECK(problem("regex:").message == "has no expression");
  CHECK(problem("regex:").offset == 6);
  CHECK(problem("regex:v(\\d+").message.starts_with("is not an RE2 expression: missing )"));
  CHECK(problem("regex:v[z-a]").offset == 8);
  CHECK(problem("regex:(?<!a)b").message.starts_with("is not an RE2 expression: "));
  CHECK_FALSE(TagTemplate::compile("regex:((a{100}){100}){100}", kEnvironments).has_value());
}

TEST_CASE("{version} agrees with the reader of versions") {
  const auto version = compiled("{version}");
  CHECK(rc::check([&version] {
    const auto alphabet = rc::gen::elementOf(std::string("0011.-..a-"));
    const auto tail = *rc::gen::resize(30, rc::gen::container<std::string>(alphabet));
    const std::string tag = (*rc::gen::arbitrary<bool>() ? "1.0.0-" : "1.2") + tail;
    RC_ASSERT(version.match(tag) == parse_semver(tag).has_value());
  }));
}

TEST_CASE("the form of any template fits it with its gaps filled") {
  CHECK(rc::check([] {
    const auto part = rc::gen::elementOf(std::vector<std::string>{
        "{name}", "{number}", "{any}", "-", "v", "_", ".", "1", "rel", "model"});
    const auto parts = *rc::gen::resize(12, rc::gen::container<std::vector<std::string>>(part));
    std::string text = "a";
    for (const auto& piece : parts) text += piece;
    for (const char* once : {"{version}", "{date}", "{commit}", "{environment}"}) {
      if (*rc::gen::arbitrary<bool>()) text += once;
    }
    const auto built = TagTemplate::compile(text, kEnvironments);
    RC_ASSERT(built.has_value());
    RC_ASSERT(built->match(sample_text(built->form({"prod"}))));
    if (built->has_environment()) {
      RC_ASSERT(built->match_with_environment(sample_text(built->form({"prod"})), "prod"));
    }
  }));
}

}  // namespace
}  // namespace belay::policy
