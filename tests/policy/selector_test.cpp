// Globs on names and repositories, label selectors with Kubernetes' semantics.
#include "policy/selector.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

namespace belay::policy {
namespace {

using Operator = LabelSelector::Operator;

bool glob_matches(std::string_view pattern, std::string_view text,
                  Glob::Case c = Glob::Case::kSensitive) {
  const auto glob = Glob::compile(pattern, c);
  REQUIRE(glob.has_value());
  CHECK(glob->pattern() == pattern);
  return glob->matches(text);
}

/// The plain definition, exponential and obvious.
bool slow_match(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (slow_match(pattern.substr(1), text.substr(i))) return true;
    }
    return false;
  }
  if (text.empty()) return false;
  return (pattern.front() == '?' || pattern.front() == text.front()) &&
         slow_match(pattern.substr(1), text.substr(1));
}

TEST_CASE("a glob matches the whole text") {
  CHECK(glob_matches("latest", "latest"));
  CHECK_FALSE(glob_matches("latest", "latest-1"));
  CHECK_FALSE(glob_matches("latest", "my-latest"));
  CHECK(glob_matches("*-latest", "my-latest"));
  CHECK(glob_matches("*-latest", "-latest"));
  CHECK(glob_matches("*", ""));
  CHECK(glob_matches("v?.*", "v1.2"));
  CHECK_FALSE(glob_matches("v?.*", "v10.2"));
  CHECK_FALSE(glob_matches("?", ""));
  CHECK(glob_matches("a**b", "ab"));
  CHECK(glob_matches("a.b", "a.b"));
  CHECK_FALSE(glob_matches("a.b", "axb"));
  CHECK(glob_matches("[a]", "[a]"));
  CHECK(Glob().matches(""));
  CHECK_FALSE(Glob().matches("a"));
}

TEST_CASE("case counts unless the glob ignores it") {
  CHECK_FALSE(glob_matches("latest", "LATEST"));
  CHECK(glob_matches("latest", "LaTeST", Glob::Case::kInsensitive));
  CHECK(glob_matches("Prod-*", "pROD-x", Glob::Case::kInsensitive));
  CHECK_FALSE(glob_matches("k", "\xe2\x84\xaa", Glob::Case::kInsensitive));  // Kelvin sign
}

TEST_CASE("globs that say nothing or too much are refused") {
  CHECK(Glob::compile("").error() == "is empty");
  CHECK(Glob::compile("a\nb").error() == "contains control characters");
  CHECK(Glob::compile("a\x7f").error() == "contains control characters");
  CHECK(Glob::compile(std::string(513, 'a')).error() == "is longer than 512 bytes");
  CHECK(Glob::compile(std::string(512, 'a')).has_value());
}

TEST_CASE("matching agrees with the definition of globs") {
  CHECK(rc::check([] {
    const auto letters = rc::gen::elementOf(std::string("ab"));
    const auto signs = rc::gen::elementOf(std::string("ab*?"));
    const auto text = *rc::gen::resize(24, rc::gen::container<std::string>(letters));
    const auto pattern =
        *rc::gen::nonEmpty(rc::gen::resize(10, rc::gen::container<std::string>(signs)));
    RC_ASSERT(Glob::compile(pattern)->matches(text) == slow_match(pattern, text));
  }));
}

TEST_CASE("many stars against a long text end quickly") {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  pattern += "b";
  CHECK_FALSE(Glob::compile(pattern)->matches(std::string(20'000, 'a')));
}

TEST_CASE("A list of tag globs matches words and wildcards without case") {
  TagGlobs globs;
  for (const char* pattern : {"Stable", "latest", "*-Snapshot", "main", "latest", "edge?"}) {
    CHECK(globs.add(pattern).empty());
  }
  for (const char* tag : {"stable", "LATEST", "Main", "1.0-SNAPSHOT", "edge2"}) {
    CAPTURE(tag);
    CHECK(globs.matches(tag));
  }
  for (const char* tag : {"", "stabl", "stable1", "lates", "snapshot", "edge", "v1.4.2"}) {
    CAPTURE(tag);
    CHECK_FALSE(globs.matches(tag));
  }
  CHECK(globs.add("").find("empty") != std::string::npos);
  CHECK_FALSE(TagGlobs().matches("latest"));
}

NameGlobs names(const std::vector<std::string>& patterns) {
  auto globs = NameGlobs::compile(patterns);
  REQUIRE(globs.has_value());
  return *globs;
}

TEST_CASE("exclusions win wherever they stand") {
  const NameGlobs all_but = names({"*", "!sandbox-*"});
  CHECK(all_but.matches("shop"));
  CHECK_FALSE(all_but.matches("sandbox-1"));
  const NameGlobs reordered = names({"!sandbox-*", "*"});
  CHECK_FALSE(reordered.matches("sandbox-1"));
  const NameGlobs only_excluded = names({"!kube-*"});
  CHECK(only_excluded.matches("shop"));
  CHECK_FALSE(only_excluded.matches("kube-system"));
  const NameGlobs one = names({"shop"});
  CHECK(one.matches("shop"));
  CHECK_FALSE(one.matches("shop-2"));
  CHECK_FALSE(one.matches("SHOP"));
  CHECK_FALSE(one.empty());
}

TEST_CASE("no globs restrict nothing") {
  CHECK(NameGlobs().empty());
  CHECK(NameGlobs().matches("anything"));
}

TEST_CASE("a bad entry is reported by its index") {
  const std::vector<std::string> alone{"shop", "!"};
  CHECK(NameGlobs::compile(alone).error().index == 1);
  CHECK(NameGlobs::compile(alone).error().message == "excludes nothing; a glob must follow \"!\"");
  const std::vector<std::string> empty{""};
  CHECK(NameGlobs::compile(empty).error().index == 0);
}

bool repository_matches(std::string_view pattern, std::string_view image) {
  const auto glob = RepositoryGlob::compile(pattern);
  CAPTURE(pattern);
  CAPTURE(image);
  REQUIRE_MESSAGE(glob.has_value(), glob.error());
  CHECK(glob->pattern() == pattern);
  const auto reference = parse_image_reference(image);
  REQUIRE(reference.has_value());
  return glob->matches(*reference);
}

TEST_CASE("a host alone means all of it") {
  CHECK(repository_matches("registry.corp", "registry.corp/app"));
  CHECK(repository_matches("registry.corp", "registry.corp/a/b/c:1"));
  CHECK_FALSE(repository_matches("registry.corp", "registry.corp.evil/app"));
  CHECK_FALSE(repository_matches("registry.corp", "my-registry.corp/app"));
  CHECK_FALSE(
      repository_matches("registry.corp", "registry.corp"));  // docker.io/library/registry.corp
  CHECK(repository_matches("docker.io", "nginx"));
  CHECK(repository_matches("localhost", "localhost/app"));
  CHECK(repository_matches("*", "registry.corp:5000/app"));
  CHECK(repository_matches("**", "registry.corp:5000/a/b"));
  CHECK(repository_matches("*", "nginx"));
  CHECK(repository_matches("*.corp", "eu.registry.corp/app"));
}

TEST_CASE("hosts compare without case, and only named ports match") {
  CHECK(repository_matches("Registry.CORP", "registry.corp/app"));
  CHECK(repository_matches("registry.corp", "REGISTRY.corp/app"));
  CHECK_FALSE(repository_matches("registry.corp", "registry.corp:5000/app"));
  CHECK_FALSE(repository_matches("*.corp", "registry.corp:5000/app"));
  CHECK_FALSE(repository_matches("registry*", "registry.corp:5000/app"));
  CHECK_FALSE(repository_matches("registry.corp:5000", "registry.corp/app"));
  CHECK_FALSE(repository_matches("registry.corp:5000", "registry.corp:5001/app"));
  CHECK(repository_matches("registry.corp:5000", "registry.corp:5000/app"));
  CHECK(repository_matches("registry.corp:*", "registry.corp:5000/app"));
  CHECK_FALSE(repository_matches("registry.corp:*", "registry.corp/app"));
  CHECK(repository_matches("[fd00::1]:5000", "[fd00::1]:5000/app"));
  CHECK_FALSE(repository_matches("[fd00::1]", "[fd00::1]:5000/app"));
  CHECK(repository_matches("[fd00::1]/app", "[fd00::1]/app"));
}

TEST_CASE("paths match by whole segments") {
  CHECK(repository_matches("docker.io/istio/proxyv2", "istio/proxyv2:1.20"));
  CHECK_FALSE(repository_matches("docker.io/istio/proxyv2", "istio/proxyv2-evil:1.20"));
  CHECK_FALSE(repository_matches("docker.io/istio/proxyv2", "istio/proxyv2/more"));
  CHECK_FALSE(repository_matches("docker.io/istio/proxyv2", "registry.corp/istio/proxyv2"));
  CHECK(repository_matches("registry.corp/shop/*", "registry.corp/shop/web"));
  CHECK_FALSE(repository_matches("registry.corp/shop/*", "registry.corp/shop/web/api"));
  CHECK_FALSE(repository_matches("registry.corp/shop/*", "registry.corp/shop"));
  CHECK(repository_matches("registry.corp/*/web", "registry.corp/shop/web"));
  CHECK(repository_matches("registry.corp/shop/fe-*", "registry.corp/shop/fe-web"));
  CHECK(repository_matches("*/shop/web", "registry.corp:5000/shop/web"));
}

TEST_CASE("a last ** takes any depth") {
  CHECK(repository_matches("registry.corp/shop/**", "registry.corp/shop/web"));
  CHECK(repository_matches("registry.corp/shop/**", "registry.corp/shop/a/b/c"));
  CHECK_FALSE(repository_matches("registry.corp/shop/**", "registry.corp/shop"));
  CHECK_FALSE(repository_matches("registry.corp/shop/**", "registry.corp/shopping/a"));
  CHECK(repository_matches("registry.corp/**", "registry.corp/a"));
  CHECK(repository_matches("docker.io/**", "nginx"));
  CHECK(repository_matches("docker.io/library/**", "nginx"));
  CHECK_FALSE(repository_matches("docker.io/library/**", "istio/proxyv2"));
}

TEST_CASE("B23: patterns know the aliases of docker.io") {
  for (const char* pattern : {"docker.io/library/nginx", "docker.io/nginx", "index.docker.io/nginx",
                              "Index.Docker.IO/library/nginx"}) {
    for (const char* image : {"nginx", "docker.io/nginx:1", "index.docker.io/library/nginx"}) {
      CHECK(repository_matches(pattern, image));
    }
    CHECK_FALSE(repository_matches(pattern, "istio/nginx"));
  }
  CHECK(repository_matches("docker.io/*", "nginx"));
  CHECK_FALSE(repository_matches("docker.io/*", "istio/proxyv2"));
  CHECK_FALSE(repository_matches("docker.io/library/nginx", "registry.corp/nginx"));
}

TEST_CASE("a first segment that is not a host by its letters is matched as the host") {
  CHECK(repository_matches("foo_bar.com", "foo_bar.com/app"));
  CHECK(repository_matches("foo_bar.com/app", "foo_bar.com/app:1"));
  CHECK_FALSE(repository_matches("docker.io", "foo_bar.com/app"));
}

TEST_CASE("patterns that no reference can match are refused") {
  const auto problem = [](std::string_view pattern) {
    const auto glob = RepositoryGlob::compile(pattern);
    CAPTURE(pattern);
    REQUIRE_FALSE(glob.has_value());
    return glob.error();
  };
  CHECK(problem("") == "is empty");
  CHECK(problem("nginx") == "names no registry; write docker.io/library/nginx");
  CHECK(problem("istio/proxyv2") == "names no registry; write docker.io/istio/proxyv2");
  CHECK(problem("https://registry.corp") ==
        "starts with a URL scheme, which image references do not have");
  CHECK(problem("/app") == "starts with \"/\"; it must start with a registry, such as docker.io");
  CHECK(problem("registry.corp/") ==
        "ends with \"/\"; leave it out, or end with \"/**\" for any depth");
  CHECK(problem("registry.corp//app") == "has an empty path segment");
  CHECK(problem("registry.corp/App") ==
        "has upper-case letters in its path, which repositories never have");
  CHECK(problem("registry.corp/app:1") ==
        "names a tag or digest; only repositories are matched here");
  CHECK(problem("registry.corp/app@sha256:0") ==
        "names a tag or digest; only repositories are matched here");
  CHECK(problem("registry.corp/a b") == "has characters in its path that repositories never have");
  CHECK(problem("registry.corp/**/app") ==
        "contains \"**\", which may only be the whole last segment");
  CHECK(problem("registry.corp/app**") ==
        "contains \"**\", which may only be the whole last segment");
  CHECK(problem("regis try.corp/app") == "has a registry that is not host or host:port");
  CHECK(problem("registry.corp:http/app") == "has port \"http\", which is not a number");
  CHECK(problem("registry.corp:/app") ==
        "has a registry that ends with \":\"; a port must follow it");
  CHECK(problem(":5000/app") == "has a port without a host");
}

bool selects(std::vector<LabelSelector::Requirement> requirements, const std::vector<Label>& on) {
  return LabelSelector(std::move(requirements)).matches(on);
}

TEST_CASE("selectors have Kubernetes' semantics") {
  const std::vector<Label> prod{{"environment", "prod"}, {"team", "fe"}};
  const std::vector<Label> bare{};
  CHECK(LabelSelector().empty());
  CHECK(LabelSelector().matches(bare));
  CHECK(selects({{"environment", Operator::kIn, {"test", "prod"}}}, prod));
  CHECK_FALSE(selects({{"environment", Operator::kIn, {"test"}}}, prod));
  CHECK_FALSE(selects({{"environment", Operator::kIn, {"prod"}}}, bare));
  CHECK_FALSE(selects({{"environment", Operator::kNotIn, {"prod"}}}, prod));
  CHECK(selects({{"environment", Operator::kNotIn, {"dev"}}}, prod));
  CHECK(selects({{"environment", Operator::kExists, {}}}, prod));
  CHECK_FALSE(selects({{"environment", Operator::kExists, {}}}, bare));
  CHECK_FALSE(selects({{"environment", Operator::kDoesNotExist, {}}}, prod));
  CHECK(selects({{"environment", Operator::kIn, {"prod"}}, {"team", Operator::kExists, {}}}, prod));
  CHECK_FALSE(
      selects({{"environment", Operator::kIn, {"prod"}}, {"zone", Operator::kExists, {}}}, prod));
  CHECK_FALSE(LabelSelector({{"a", Operator::kExists, {}}}).empty());
  CHECK(LabelSelector({{"a", Operator::kExists, {}}}).requirements().size() == 1);
}

TEST_CASE("NotIn and DoesNotExist match where the key is absent") {
  const std::vector<Label> bare{};
  CHECK(selects({{"environment", Operator::kNotIn, {"prod"}}}, bare));
  CHECK(selects({{"environment", Operator::kDoesNotExist, {}}}, bare));
}

TEST_CASE("label keys are qualified names") {
  for (const std::string& key :
       {std::string("a"), std::string("app.kubernetes.io/part-of"), std::string("A_b.c-9"),
        std::string("x.y-z.9/Name"), std::string(63, 'a'), std::string(253, 'a') + "/a"}) {
    CAPTURE(key);
    CHECK(check_label_key(key).empty());
  }
  CHECK(check_label_key("") == "is empty");
  CHECK(check_label_key("a/") == "has no name after \"/\"");
  CHECK(check_label_key("a/b/c") == "has more than one \"/\"");
  for (const std::string& prefix :
       {std::string(""), std::string("A"), std::string("a..b"), std::string("-a"),
        std::string("a-"), std::string("a-.b"), std::string("a.-b"), std::string(".a"),
        std::string("a."), std::string("a_b"), std::string(254, 'a')}) {
    CAPTURE(prefix);
    CHECK(check_label_key(prefix + "/name") == "has a prefix that is not a lower-case DNS name");
  }
  CHECK(check_label_key(std::string(64, 'a')) == "is longer than 63 characters");
  CHECK(check_label_key("-a") == "must begin and end with a letter or digit");
  CHECK(check_label_key("a.") == "must begin and end with a letter or digit");
  CHECK(check_label_key("a b") == "may contain only letters, digits, \"-\", \"_\" and \".\"");
}

TEST_CASE("label values may be empty and follow the rules of names") {
  CHECK(check_label_value("").empty());
  CHECK(check_label_value("v1.2.3").empty());
  CHECK(check_label_value("Prod_EU-1").empty());
  CHECK(check_label_value(std::string(63, '0')).empty());
  CHECK_FALSE(check_label_value(std::string(64, '0')).empty());
  CHECK_FALSE(check_label_value("-x").empty());
  CHECK_FALSE(check_label_value("x_").empty());
  CHECK_FALSE(check_label_value("a/b").empty());
  CHECK_FALSE(check_label_value("\xc3\xa4").empty());
}

}  // namespace
}  // namespace belay::policy
