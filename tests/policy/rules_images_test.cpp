// The rules that look at one image: what each refuses, what it says, what its settings change.
#include <doctest/doctest.h>

#include "tests/support/policy_builder.h"
#include "tests/support/workload_builder.h"

namespace belay::policy::testing {
namespace {

using enum RuleId;

constexpr const char* kSha256 =
    "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

WorkloadBuilder deployment() { return WorkloadBuilder::deployment(); }

std::string at(const std::string& rule, const std::string& text) {
  return rule + "  spec.template.spec.containers[0].image (web): " + text;
}

/// One image under one policy: the lines it leads to.
Texts lines(const Policy& policy, std::string_view image) {
  return Evaluator(policy).lines(deployment().container(image));
}

bool passes(const Policy& policy, std::string_view image) { return lines(policy, image).empty(); }

TEST_CASE("image-reference is on in every policy and says where a text stops making sense") {
  struct Row {
    std::string_view image;
    std::string text;
  };
  const std::vector<Row> rows = {
      {"nginx:", "\"nginx:\" is not an image reference: it " +
                     std::string(describe(ReferenceErrorCode::kInvalidTag)) +
                     " (at its end). Use a tag of at most 128 letters, digits, \"_\", \".\" and "
                     "\"-\", as in nginx:<version>"},
      {"Nginx:1.27",
       R"("Nginx:1.27" is not an image reference: it has upper-case letters in its repository )"
       R"(name. Write it in lower case: nginx:1.27)"},
      {"registry.corp:5000/Shop/Web:V1",
       R"("registry.corp:5000/Shop/Web:V1" is not an image reference: it has upper-case letters )"
       R"(in its repository name (from "Shop/Web:V1" on). )"
       R"(Write it in lower case: registry.corp:5000/shop/web:V1)"},
      {"shop/Web:",
       R"("shop/Web:" is not an image reference: it has upper-case letters in its repository name )"
       R"((from "Web:" on). Write the repository in lower case, as in <repository>:<version>)"},
      {" nginx:1.27",
       R"(" nginx:1.27" is not an image reference: it has a space, tab or line break)"
       R"(. Remove the white space around it: nginx:1.27)"},
      {"nginx:1. 27",
       R"("nginx:1. 27" is not an image reference: it has a space, tab or line break )"
       R"((from " 27" on). Remove the white space, as in nginx:<version>)"},
      {"   ", R"("   " is not an image reference: it has a space, tab or line break)"
              R"(. Remove the white space, as in <repository>:<version>)"},
      {"https://registry.corp/shop/web:v1",
       R"("https://registry.corp/shop/web:v1" is not an image reference: it starts with a URL )"
       R"(scheme, which image references do not have. )"
       R"(Remove the scheme: registry.corp/shop/web:v1)"},
      {"https://registry.corp/shop/Web",
       R"("https://registry.corp/shop/Web" is not an image reference: it starts with a URL )"
       R"(scheme, which image references do not have. )"
       R"(Remove the scheme, as in <repository>:<version>)"},
      {"reg istry:x/web",
       R"("reg istry:x/web" is not an image reference: it has a space, tab or line break )"
       R"((from " istry:x/web" on). Remove the white space, as in )"
       R"(<repository>:<version>)"},
      {"registry:x/web",
       R"("registry:x/web" is not an image reference: it has a registry that is not host or )"
       R"(host:port (from "x/web" on). Write the registry as host or host:port, as in )"
       R"(<registry>/<repository>:<version>)"},
      {"shop//web",
       R"("shop//web" is not an image reference: it has a repository name that is not made )"
       R"(of lower-case words joined by ".", "_", "-" or "/" (from "/web" on). )"
       R"(Write it as [registry/]repository[:tag][@digest], as in <repository>:<version>)"},
      {"nginx@sha256:abc",
       R"("nginx@sha256:abc" is not an image reference: it has a digest that is not an algorithm, )"
       R"(":" and lower-case hex digits of the exact length (at its end). )"
       R"(Copy the whole digest in lower case: nginx@sha256:<64 hex digits>)"},
  };
  const Policy policy = policy_with({});
  for (const Row& row : rows) {
    CAPTURE(row.image);
    CHECK(lines(policy, row.image) == Texts{at("image-reference", row.text)});
  }
}

TEST_CASE("image-reference advises on every kind of error") {
  const Policy policy = policy_with({});
  const auto fix = [&](std::string_view image) {
    return Evaluator(policy).evaluate(deployment().container(image)).findings.at(0).fix.advice;
  };
  CHECK(fix(std::string(300, 'a')) == "Use a registry and repository of at most 255 characters");
  CHECK(fix(std::string(64, 'a')) == "Write the repository in front of it");
  CHECK(fix("nginx@md5:0123") == "Use a sha256, sha384 or sha512 digest");
  CHECK(fix("nginx:" + std::string(129, 'a')).starts_with("Use a tag of at most 128"));
}

TEST_CASE("image-reference takes its policy's mode") {
  Policy policy = policy_with({});
  policy.mode = Mode::kAudit;
  CHECK(Evaluator(policy).evaluate(deployment().container("a b")).findings.at(0).mode ==
        Mode::kAudit);
}

TEST_CASE("an empty image is a warning in a template and a finding in a Pod") {
  const Policy policy = policy_with({kTagRequired, kMutableTag, kDigestRequired});
  const Verdict in_template = Evaluator(policy).evaluate(deployment().container("").volume(""));
  REQUIRE(in_template.findings.size() == 2);
  CHECK(in_template.findings[0].mode == Mode::kWarn);
  CHECK(in_template.findings[1].field == "spec.template.spec.volumes[0].image.reference");
  CHECK(in_template.decision() == Decision::kAllowed);
  CHECK(lines(policy, "") ==
        Texts{at(
            "image-reference",
            "no image is set yet, and a pod without one is refused. Name an image, such as "
            "<repository>:<version>@sha256:<64 hex digits>, unless something fills it in later")});

  const Evaluator evaluator(policy);
  CHECK(evaluator.decision(WorkloadBuilder::pod().container("nginx:1.27").volume("")) ==
        Decision::kDenied);
  const Texts of_pod = Evaluator(policy_with({})).lines(WorkloadBuilder::pod().container(""));
  CHECK(of_pod == Texts{"image-reference  spec.containers[0].image (web): no image is set. Name an "
                        "image, such as <repository>:<version>"});

  Policy audit = policy_with({});
  audit.mode = Mode::kAudit;
  CHECK(Evaluator(audit).evaluate(deployment().container("")).findings.at(0).mode == Mode::kAudit);
}

TEST_CASE("tag-required refuses an image with neither tag nor digest") {
  const Policy policy = policy_with({kTagRequired});
  const auto refused = [](const std::string& image) {
    return Texts{at("tag-required", "\"" + image +
                                        "\" has neither tag nor digest, which means the tag "
                                        "\"latest\". Add a version tag or a digest, such as " +
                                        image + ":<version>")};
  };
  CHECK(lines(policy, "nginx") == refused("nginx"));
  CHECK(lines(policy, "registry:5000/app") == refused("registry:5000/app"));
  CHECK(passes(policy, "nginx:1.27"));
  CHECK(passes(policy, "nginx:latest"));
  CHECK(passes(policy, std::string("nginx@") + kSha256));
}

TEST_CASE("mutable-tag refuses every tag of the built-in list, whatever its case") {
  const Policy policy = policy_with({kMutableTag});
  for (const char* tag :
       {"latest",   "stable",     "edge",    "nightly",  "dev",       "develop",      "devel",
        "main",     "master",     "trunk",   "head",     "current",   "release",      "prod",
        "staging",  "production", "stage",   "test",     "testing",   "qa",           "uat",
        "canary",   "preview",    "rolling", "unstable", "lts",       "experimental", "next",
        "1-latest", "latest-1",   "LATEST",  "Stable",   "1-SNAPSHOT"}) {
    CAPTURE(tag);
    CHECK_FALSE(passes(policy, std::string("nginx:") + tag));
  }
  for (const char* tag :
       {"1.27", "latest1", "xlatest", "v1-stable", "devops", "mainline", "prod1"}) {
    CAPTURE(tag);
    CHECK(passes(policy, std::string("nginx:") + tag));
  }
}

TEST_CASE("mutable-tag speaks of what it found") {
  Policy policy = policy_with({kMutableTag});
  CHECK(lines(policy, "nginx:latest") ==
        Texts{at("mutable-tag",
                 R"("nginx:latest" has tag "latest", which can move. Use a version tag or a )"
                 R"(digest, such as nginx:<version>)")});
  policy.rules.mutable_tag->allow_with_digest = false;
  const std::string pinned = std::string("nginx:latest@") + kSha256;
  CHECK(lines(policy, pinned) ==
        Texts{at("mutable-tag", "\"" + pinned +
                                    "\" has tag \"latest\", which can move, beside its digest. Use "
                                    "a version tag, such as nginx:<version>@" +
                                    kSha256)});
}

TEST_CASE("mutable-tag: tags replaces the built-in list") {
  Policy policy = policy_with({});
  set_mutable_tags(policy, {"production-*", "floating"});
  CHECK(passes(policy, "nginx:latest"));
  CHECK_FALSE(passes(policy, "nginx:Production-7"));
  CHECK_FALSE(passes(policy, "nginx:floating"));
  CHECK(passes(policy, "nginx:floating-1"));  // globs match the whole tag
}

TEST_CASE("mutable-tag: allowWithDigest lets a digest stand behind such a tag, by default") {
  Policy policy = policy_with({kMutableTag});
  const std::string pinned = std::string("nginx:latest@") + kSha256;
  CHECK(passes(policy, pinned));
  policy.rules.mutable_tag->allow_with_digest = false;
  CHECK_FALSE(passes(policy, pinned));
  CHECK(passes(policy, std::string("nginx:1.27@") + kSha256));
  CHECK(passes(policy, std::string("nginx@") + kSha256));
}

TEST_CASE("no tag and no digest is one finding: tag-required's where on, else mutable-tag's") {
  Policy both = policy_with({kTagRequired, kMutableTag});
  CHECK(Evaluator(both).brief(deployment().container("nginx")) ==
        Texts{"tag-required spec.template.spec.containers[0].image"});
  Policy alone = policy_with({kMutableTag});
  CHECK(lines(alone, "nginx") ==
        Texts{at("mutable-tag",
                 R"("nginx" has neither tag nor digest, which means "latest", which can move. )"
                 R"(Add a version tag or a digest, such as nginx:<version>)")});
  set_mutable_tags(alone, {"edge"});
  CHECK(passes(alone, "nginx"));  // its list does not hold latest
}

TEST_CASE("tag-format refuses a tag that fits none of its templates, digest or not") {
  Policy policy = policy_with({});
  set_tag_format(policy, {"v{version}", "{date}-build", "regex:rel-[0-9]+"});
  for (const char* tag : {"v1.4.2", "20250405-build", "rel-7", "v1.0.0-rc.1"}) {
    CAPTURE(tag);
    CHECK(passes(policy, std::string("shop/web:") + tag));
  }
  for (const char* tag : {"1.4.2", "20251405-build", "rel-", "xrel-7", "latest", "V1.4.2"}) {
    CAPTURE(tag);
    CHECK_FALSE(passes(policy, std::string("shop/web:") + tag));
    CHECK_FALSE(passes(policy, std::string("shop/web:") + tag + "@" + kSha256));
  }
  CHECK(passes(policy, "shop/web"));
  CHECK(passes(policy, std::string("shop/web@") + kSha256));
  CHECK(lines(policy, "shop/web:1.4") ==
        Texts{at("tag-format", R"("shop/web:1.4" has tag "1.4", which does not fit v{version}, )"
                               R"({date}-build or regex:rel-[0-9]+. Use a tag of that form or a )"
                               R"(digest, such as shop/web:v<version>)")});
}

TEST_CASE("tag-format: every shape from the field can be written as a template") {
  const std::vector<std::pair<const char*, const char*>> rows = {
      {"v{version}-{name}", "v1.2.0-model-resnet50"},
      {"{name}-v{version}-{environment}", "vision-v1.2.0-prod"},
      {"{name}-v{version}-{environment}", "nlp-v1.1.5-staging"},
      {"dev-{name}", "dev-experiment-alpha"},
      {"{date}-build", "20250405-build"},
      {"sec-{name}-{environment}-{name}", "sec-finance-prod-devops"},
  };
  for (const auto& [form, tag] : rows) {
    CAPTURE(tag);
    Policy policy = policy_with({kEnvironmentTag});
    policy.rules.environment_tag->suffixes = {{"test", {"-staging"}}};
    set_tag_format(policy, {form});
    CHECK(passes(policy, std::string("shop/web:") + tag));
    CHECK_FALSE(passes(policy, "shop/web:latest"));
  }
}

TEST_CASE("tag-format offers no tag that it would refuse") {
  Policy policy = policy_with({});
  set_tag_format(policy, {"regex:x[0-9]+"});
  const Texts lines = Evaluator(policy).lines(deployment().container("nginx:v1"));
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].ends_with("Use a digest, such as nginx@sha256:<64 hex digits>"));
}

TEST_CASE("tag-format: images narrows it to repositories") {
  Policy policy = policy_with({});
  set_tag_format(policy, {"v{version}"});
  policy.rules.tag_format->images = repositories({"registry.corp:5000/shop/*"});
  CHECK_FALSE(passes(policy, "registry.corp:5000/shop/web:banana"));
  CHECK(passes(policy, "registry.corp:5000/tools/jq:banana"));
  CHECK(passes(policy, "registry.corp/shop/web:banana"));
}

TEST_CASE("digest-required refuses an image without digest, of the repositories it names") {
  Policy policy = policy_with({kDigestRequired});
  CHECK(lines(policy, "nginx:1.27") ==
        Texts{at("digest-required", R"("nginx:1.27" has no digest. Add the digest, such as )"
                                    R"(nginx:1.27@sha256:<64 hex digits>)")});
  CHECK_FALSE(passes(policy, "nginx"));
  CHECK(passes(policy, std::string("nginx:1.27@") + kSha256));
  policy.rules.digest_required->images = repositories({"quay.io"});
  CHECK(passes(policy, "nginx:1.27"));
  CHECK_FALSE(passes(policy, "quay.io/a/b:1"));
}

TEST_CASE("registry-allowed: allow is a list, deny wins over it") {
  Policy policy = policy_with({kRegistryAllowed});
  CHECK(passes(policy, "nginx:1.27"));  // neither list: nothing to refuse
  policy.rules.registry_allowed->allow = repositories({"registry.corp:5000", "quay.io/team/**"});
  CHECK(passes(policy, "registry.corp:5000/a/b/c:1"));
  CHECK(passes(policy, "REGISTRY.corp:5000/a:1"));
  CHECK(passes(policy, "quay.io/team/a/b:1"));
  CHECK(lines(policy, "registry.corp/a:1") ==
        Texts{at("registry-allowed",
                 R"("registry.corp/a:1" is in "registry.corp/a", which is not among the allowed )"
                 R"(registries. Use an image of registry.corp:5000 or quay.io/team/**, such as )"
                 R"(registry.corp:5000/<repository>:<version>)")});
  CHECK(lines(policy, "nginx:1.27") ==
        Texts{at("registry-allowed",
                 R"("nginx:1.27" is in "docker.io/library/nginx" (docker.io is the )"
                 R"(default registry), which is not among the allowed registries. Use an image )"
                 R"(of registry.corp:5000 or quay.io/team/**, such as )"
                 R"(registry.corp:5000/<repository>:<version>)")});
  policy.rules.registry_allowed->deny = repositories({"quay.io/team/old"});
  CHECK(
      lines(policy, "quay.io/team/old:1") ==
      Texts{at("registry-allowed",
               R"("quay.io/team/old:1" is in "quay.io/team/old", which is refused by )"
               R"("quay.io/team/old". Use an image of registry.corp:5000 or quay.io/team/**, such )"
               R"(as registry.corp:5000/<repository>:<version>)")});
  policy.rules.registry_allowed->allow.clear();
  CHECK(passes(policy, "docker.io/library/nginx:1"));
  CHECK(lines(policy, "quay.io/team/old:1") ==
        Texts{at("registry-allowed",
                 R"("quay.io/team/old:1" is in "quay.io/team/old", which is refused by )"
                 R"("quay.io/team/old". Use an image of another registry or repository, such )"
                 R"(as <registry>/<repository>:<version>)")});
}

TEST_CASE("registry-allowed names no more than eight of its patterns") {
  Policy policy = policy_with({kRegistryAllowed});
  policy.rules.registry_allowed->allow = repositories(
      {"r1.io", "r2.io", "r3.io", "r4.io", "r5.io", "r6.io", "r7.io", "r8.io", "r9.io", "r10.io"});
  const Verdict verdict = Evaluator(policy).evaluate(deployment().container("nginx:1"));
  CHECK(verdict.findings.at(0).fix.advice ==
        "Use an image of r1.io, r2.io, r3.io, r4.io, r5.io, r6.io, r7.io, r8.io and 2 more");
}

TEST_CASE("team-prefix: the team is the namespace's label, its prefix <team>- or as listed") {
  Policy policy = policy_with({kTeamPrefix});
  const auto evaluated = [&](std::string_view image, std::vector<Label> labels) {
    return Evaluator(policy, std::move(labels)).lines(deployment().container(image));
  };
  CHECK(evaluated("registry:5000/shop/fe-web:v1", {{"team", "fe"}}).empty());
  CHECK(
      evaluated("registry:5000/shop/web:v1", {{"team", "fe"}}) ==
      Texts{at(
          "team-prefix",
          R"("registry:5000/shop/web:v1" has repository "web", which does not start with )"
          R"(fe-, the prefix of team "fe". Push it with the prefix fe-, as registry:5000/shop/fe-web:v1)")});
  CHECK(evaluated("web", {}).empty());              // a namespace without team is not evaluated
  CHECK(evaluated("web", {{"team", ""}}).empty());  // nor one with an empty label
  policy.rules.team_prefix->prefixes = {{"frontend", {"fe-", "web-"}}, {"quiet", {}}};
  CHECK(evaluated("shop/web-cart:v1", {{"team", "frontend"}}).empty());
  CHECK(evaluated("shop/fe-cart:v1", {{"team", "frontend"}}).empty());
  CHECK_FALSE(evaluated("shop/frontend-cart:v1", {{"team", "frontend"}}).empty());
  CHECK(evaluated("shop/quiet-cart:v1", {{"team", "quiet"}}).empty());
  policy.rules.team_prefix->team_label = "owner";
  CHECK(evaluated("shop/cart:v1", {{"team", "frontend"}}).empty());
  CHECK_FALSE(evaluated("shop/cart:v1", {{"owner", "frontend"}}).empty());
}

TEST_CASE("team-prefix: a name with another team's longer prefix is that team's") {
  Policy policy = policy_with({kTeamPrefix});
  policy.rules.team_prefix->prefixes = {{"fe", {"fe-"}}, {"mobile", {"fe-mobile-", "mo-"}}};
  const auto evaluated = [&](std::string_view image, std::string_view team) {
    return Evaluator(policy, {{"team", team}}).lines(deployment().container(image));
  };
  CHECK(evaluated("shop/fe-mobility:v1", "fe").empty());
  CHECK(evaluated("shop/fe-mobile:v1", "fe").empty());  // nothing stands behind the longer prefix
  CHECK(evaluated("shop/fe-mobile-web:v1", "mobile").empty());
  CHECK(
      evaluated("shop/fe-mobile-web:v1", "fe") ==
      Texts{at(
          "team-prefix",
          R"("shop/fe-mobile-web:v1" has repository "fe-mobile-web", which is a name of )"
          R"(team "mobile" (fe-mobile-), not of team "fe". Push it with the prefix fe-, as shop/fe-web:v1)")});
  CHECK(
      evaluated("shop/mo-web:v1", "fe") ==
      Texts{at(
          "team-prefix",
          R"("shop/mo-web:v1" has repository "mo-web", which is a name of )"
          R"(team "mobile" (mo-), not of team "fe". Push it with the prefix fe-, as shop/fe-web:v1)")});
  policy.rules.team_prefix->on = PrefixOn::kTag;
  CHECK(evaluated("shop/web:fe-v1", "fe").empty());
  CHECK_FALSE(evaluated("shop/web:fe-mobile-v1", "fe").empty());
  policy.rules.team_prefix->on = PrefixOn::kEither;
  CHECK(evaluated("shop/fe-mobile-web:fe-v1", "fe").empty());
  CHECK_FALSE(evaluated("shop/fe-mobile-web:v1", "fe").empty());
}

TEST_CASE("team-prefix: name globs give a team to namespaces without the label") {
  Policy policy = policy_with({kTeamPrefix});
  policy.rules.team_prefix->namespaces = {{"be", name_globs({"backend-*"})},
                                          {"fe", name_globs({"shop"})}};
  const Evaluator evaluator(policy);
  CHECK(evaluator.lines(deployment().container("shop/fe-web:v1")).empty());
  CHECK_FALSE(evaluator.lines(deployment().container("shop/be-web:v1")).empty());
  CHECK(evaluator.lines(deployment().in("elsewhere").container("shop/web:v1")).empty());
  CHECK(
      Evaluator(policy, {{"team", "be"}}).lines(deployment().container("shop/be-web:v1")).empty());
}

TEST_CASE("team-prefix: on chooses repository, tag or either") {
  Policy policy = policy_with({kTeamPrefix});
  const auto evaluated = [&](std::string_view image) {
    return Evaluator(policy, {{"team", "fe"}}).lines(deployment().container(image));
  };
  policy.rules.team_prefix->on = PrefixOn::kTag;
  CHECK(evaluated("shop/web:fe-v1").empty());
  CHECK(evaluated("shop/fe-web:v1") ==
        Texts{at("team-prefix",
                 R"("shop/fe-web:v1" has tag "v1", which does not start with fe-, the prefix of )"
                 R"(team "fe". Use a tag with the prefix fe-, such as shop/fe-web:fe-<version>)")});
  CHECK(evaluated("shop/fe-web") ==
        Texts{at("team-prefix",
                 R"("shop/fe-web" has no tag, and it must start with fe-, the prefix of team )"
                 R"("fe". Use a tag with the prefix fe-, such as shop/fe-web:fe-<version>)")});
  CHECK_FALSE(evaluated("shop/web:fe-").empty());  // a prefix alone names nothing
  policy.rules.team_prefix->on = PrefixOn::kEither;
  CHECK(evaluated("shop/web:fe-v1").empty());
  CHECK(evaluated("shop/fe-web:v1").empty());
  CHECK(evaluated("shop/web:v1") ==
        Texts{at("team-prefix",
                 R"("shop/web:v1" starts neither the repository nor the tag with fe-, the prefix )"
                 R"(of team "fe". Push it with the prefix fe-, as shop/fe-web:v1)")});
}

TEST_CASE("team-prefix: requireTeam makes a namespace without team a finding") {
  Policy policy = policy_with({kTeamPrefix});
  policy.rules.team_prefix->require_team = true;
  const Evaluator evaluator(policy);
  WorkloadBuilder workload = deployment().container("shop/web:v1").container("shop/api:v1", "api");
  CHECK(evaluator.lines(workload) ==
        Texts{"team-prefix  metadata.namespace: namespace \"shop\" belongs to no team. Label the "
              "namespace with team=<team>"});
  CHECK(evaluator.decision(workload.update()) == Decision::kAllowed);
  CHECK(evaluator.decision(workload.image("api", "shop/api:v2")) == Decision::kDenied);
}

TEST_CASE("rules on tags leave texts that are not references to image-reference") {
  Policy policy = policy_with(
      {kTagRequired, kMutableTag, kDigestRequired, kRegistryAllowed, kTeamPrefix, kEnvironmentTag});
  policy.rules.registry_allowed->allow = repositories({"quay.io"});
  policy.rules.environment_tag->required = true;
  set_tag_format(policy, {"v{version}"});
  CHECK(Evaluator(policy, {{"team", "fe"}}).brief(deployment().container("a b")) ==
        Texts{"image-reference spec.template.spec.containers[0].image"});
}

}  // namespace
}  // namespace belay::policy::testing
