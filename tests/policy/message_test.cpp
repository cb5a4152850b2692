// The words that developers read: to the letter, within their limits, with user text escaped.
#include "policy/message.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "policy/policy_reader.h"
#include "tests/support/policy_builder.h"
#include "tests/support/workload_builder.h"

namespace belay::policy::testing {
namespace {

using enum RuleId;

/// The policy of docs/examples without tag-format.
Policy production() {
  Policy policy =
      policy_with({kTagRequired, kEnvironmentLabel, kEnvironmentNamespace, kEnvironmentTag});
  policy.help_url = "https://platform.example/images";
  policy.source = {.kind = PolicySource::Kind::kConfigMap, .name = "belay-system/production"};
  set_mutable_tags(policy, {"latest", "stable", "production-*"});
  policy.rules.environment_tag->suffixes = {
      {"prod", {"-prod"}}, {"test", {"-staging", "-test"}}, {"dev", {"-dev"}}};
  return policy;
}

WorkloadBuilder checkout() {
  return WorkloadBuilder::deployment()
      .container("registry.corp:5000/shop/web:latest")
      .label("environment", "dev");
}

constexpr const char* kFirstFinding =
    R"(  mutable-tag  spec.template.spec.containers[0].image (web): )"
    R"("registry.corp:5000/shop/web:latest" has tag "latest", which can move. Use a version tag )"
    R"(or a digest, such as registry.corp:5000/shop/web:<version>-prod)";
constexpr const char* kSecondFinding =
    R"(  environment-namespace  spec.template.metadata.labels.environment: "dev" does not match )"
    R"(namespace "shop" (environment "prod"). Set environment: prod, or deploy to a namespace )"
    R"(for dev)";

TEST_CASE("the denial of the README comes out to the letter") {
  const Evaluator evaluator(production(), {{"environment", "prod"}});
  CHECK(denial_message(checkout(), evaluator.evaluate(checkout())) ==
        std::string("Deployment shop/checkout: 2 problems, policy \"production\"\n") +
            kFirstFinding + "\n" + kSecondFinding +
            "\nTry it first: kubectl apply --dry-run=server -f deploy.yaml   Policy: ConfigMap "
            "belay-system/production   Help: https://platform.example/images");
}

/// The policy of docs/examples, rules to the letter.
constexpr const char* kSectionOne = R"(apiVersion: belay.dev/v1alpha1
kind: ImagePolicy
metadata:
  name: production
spec:
  description: What may run in production
  mode: enforce
  helpUrl: https://platform.example/images
  match:
    namespaces: ["*", "!sandbox-*"]
    namespaceSelector:
      matchLabels: {environment: prod}
  rules:
    tagRequired: {}
    mutableTag:
      tags: [latest, stable, "production-*"]
      allowWithDigest: true
    tagFormat:
      anyOf: ["v{version}", "{name}-v{version}-{environment}", "{date}-build"]
    environmentLabel:
      label: environment
      values: [dev, test, prod]
    environmentNamespace: {}
    environmentTag:
      suffixes: {prod: ["-prod"], test: ["-staging", "-test"], dev: ["-dev"]}
  exemptions:
    - images: ["docker.io/istio/proxyv2"]
      namespaces: ["legacy-*"]
      rules: [mutable-tag]
      reason: vendor image, no version tags
      ticket: OPS-1234
      expires: 2026-12-31
  pin:
    enabled: false
)";

TEST_CASE("both finding texts come out to the letter from that policy") {
  const auto policy = read_policy(
      kSectionOne, {.kind = PolicySource::Kind::kConfigMap, .name = "belay-system/production"});
  REQUIRE(policy.has_value());
  const Evaluator evaluator(*policy, {{"environment", "prod"}});
  const std::string message = denial_message(checkout(), evaluator.evaluate(checkout()));
  // tag-format has no line of its own, but its templates say what the tag looks like.
  CHECK(message.starts_with("Deployment shop/checkout: 2 problems, policy \"production\"\n"));
  std::string first = kFirstFinding;
  first.replace(first.find("<version>"), 0, "v");
  CHECK(message.find("\n" + first + "\n") != std::string::npos);
  CHECK(message.find(std::string("\n") + kSecondFinding + "\n") != std::string::npos);
}

TEST_CASE("one problem is a problem, and sources are named") {
  Policy policy = policy_with({kMutableTag});
  const WorkloadBuilder pod = WorkloadBuilder::pod().container("nginx:latest");
  const auto message = [&] {
    const Evaluator evaluator(policy);
    return denial_message(pod, evaluator.evaluate(pod));
  };
  CHECK(message() ==
        "Pod shop/checkout: 1 problem, policy \"production\"\n"
        "  mutable-tag  spec.containers[0].image (web): \"nginx:latest\" has tag \"latest\", which "
        "can move. Use a version tag or a digest, such as nginx:<version>\n"
        "Try it first: kubectl apply --dry-run=server -f deploy.yaml   Policy: built-in");
  policy.source = {.kind = PolicySource::Kind::kFile, .name = "production.yaml"};
  CHECK(message().ends_with("deploy.yaml   Policy: file production.yaml"));
  // A path on the server says nothing to a developer.
  policy.source.name = "/etc/belay/policies/production.yaml";
  CHECK(message().ends_with("deploy.yaml   Policy: file production.yaml"));
}

TEST_CASE("several policies are named in the first line and behind each finding") {
  Policy a = policy_with({kMutableTag}, "a");
  Policy b = policy_with({kMutableTag, kDigestRequired}, "b");
  a.help_url = b.help_url = "https://help";
  a.source = {.kind = PolicySource::Kind::kFile, .name = "a.yaml"};
  const WorkloadBuilder pod = WorkloadBuilder::pod().container("nginx:edge");
  const Evaluator evaluator({a, b});
  const Verdict verdict = evaluator.evaluate(pod);
  CHECK(denial_message(pod, verdict) ==
        "Pod shop/checkout: 2 problems, policies \"a\", \"b\"\n"
        "  mutable-tag  spec.containers[0].image (web): \"nginx:edge\" has tag \"edge\", which can "
        "move. Use a version tag or a digest, such as nginx:edge@sha256:<64 hex digits> (policies "
        "\"a\", \"b\")\n"
        "  digest-required  spec.containers[0].image (web): \"nginx:edge\" has no digest. Add the "
        "digest, such as nginx:edge@sha256:<64 hex digits> (policy \"b\")\n"
        "Try it first: kubectl apply --dry-run=server -f deploy.yaml   Policy: file a.yaml, "
        "built-in   Help: "
        "https://help");
}

TEST_CASE("a denial lists what denies; what only warns becomes a warning; audit is silent") {
  Policy policy = policy_with({kMutableTag, kDigestRequired, kEnvironmentLabel});
  policy.rules.digest_required->mode = Mode::kWarn;
  policy.rules.environment_label->mode = Mode::kAudit;
  const WorkloadBuilder pod = WorkloadBuilder::pod().container("nginx:edge");
  const Evaluator evaluator(policy);
  const Verdict verdict = evaluator.evaluate(pod);
  const std::string message = denial_message(pod, verdict);
  CHECK(message.starts_with("Pod shop/checkout: 1 problem, policy \"production\"\n"));
  CHECK(message.find("digest-required") == std::string::npos);
  CHECK(warnings(pod, verdict) ==
        Texts{"digest-required: \"nginx:edge\" has no digest; Pod shop/checkout "
              "spec.containers[0].image (web), policy \"production\". Add the digest, "
              "such as nginx:edge@sha256:<64 hex digits>"});
  const WorkloadBuilder good = WorkloadBuilder::pod().container("nginx:1").label("environment", "");
  CHECK(denial_message(good, evaluator.evaluate(good)).empty());
}

TEST_CASE("an undecided verdict says what is missing and what to do") {
  Verdict verdict;
  verdict.undecided = "the labels of namespace \"sh\nop\" are not known yet";
  CHECK(denial_message(checkout(), verdict) ==
        "Deployment shop/checkout: could not be evaluated: the labels of namespace \"sh\\u{a}op\" "
        "are "
        "not known yet. Try again in a moment; if that does not help, ask the admins of the "
        "cluster to look at belay's log");
}

TEST_CASE("an exemption that ran out is reported below the findings") {
  Policy policy = policy_with({kMutableTag});
  policy.exemptions = {exemption({"docker.io/library/nginx", "quay.io"})};
  policy.exemptions[0].ticket = "OPS-1234";
  policy.exemptions[0].expires = std::chrono::year{2026} / std::chrono::March / std::chrono::day{1};
  const WorkloadBuilder pod = WorkloadBuilder::pod().container("nginx:edge");
  const Evaluator evaluator(policy);
  const Verdict verdict = evaluator.evaluate(pod);
  CHECK(denial_message(pod, verdict)
            .find("\n  note  exemption for \"docker.io/library/nginx\", \"quay.io\" expired on "
                  "2026-03-01 (OPS-1234)\nTry it first") != std::string::npos);
  policy.exemptions[0].expires =
      std::chrono::year{2025} / std::chrono::December / std::chrono::day{31};
  policy.exemptions[0].ticket.clear();
  const Evaluator later(policy);
  CHECK(expired_text(later.evaluate(pod).expired.at(0)) ==
        "exemption for \"docker.io/library/nginx\", \"quay.io\" expired on 2025-12-31");
  policy.exemptions[0].expires.reset();
  CHECK(expired_text({.policy = &policy, .index = 0}).ends_with("expired"));
}

TEST_CASE("escape shows everything outside printable ASCII by its code point") {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"plain ~!\"", "plain ~!\""},
      {"a\nb\tc", "a\\u{a}b\\u{9}c"},
      {std::string("a\0b", 3), "a\\u{0}b"},
      {"\x7f", "\\u{7f}"},
      {"ng\xD1\x96nx", "ng\\u{456}nx"},
      {"\xE2\x80\xAE", "\\u{202e}"},
      {"\xF0\x9F\x98\x80", "\\u{1f600}"},
      {"\xFF\x80", "\\u{ff}\\u{80}"},                        // no UTF-8: byte by byte
      {"\xC0\xAF", "\\u{c0}\\u{af}"},                        // longer than needed
      {"\xE0\x80\xAF", "\\u{e0}\\u{80}\\u{af}"},             // the same
      {"\xED\xA0\x80", "\\u{ed}\\u{a0}\\u{80}"},             // a surrogate
      {"\xF4\x90\x80\x80", "\\u{f4}\\u{90}\\u{80}\\u{80}"},  // above U+10FFFF
      {"\xE2\x82", "\\u{e2}\\u{82}"},                        // cut off
      {"\xE2\x28\xA1", "\\u{e2}(\\u{a1}"},
  };
  for (const auto& [text, escaped] : rows) CHECK(escape(text) == escaped);
}

bool is_printable(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 0x20 && c < 0x7F) || c == '\n'; });
}

/// Whether every \u{ is followed by hex digits and }.
bool escapes_are_whole(std::string text) {
  for (std::size_t at = text.find("\\u"); at != std::string::npos; at = text.find("\\u", at + 1)) {
    if (at + 2 >= text.size() || text[at + 2] != '{') return false;
    const std::size_t end = text.find_first_not_of("0123456789abcdef", at + 3);
    if (end == std::string::npos || text[end] != '}' || end == at + 3) return false;
  }
  return true;
}

TEST_CASE("user text is escaped at every place, and can't break lines") {
  const std::string evil = "\xE2\x80\xAE\n  mutable-tag";
  Policy policy = policy_with({kEnvironmentLabel}, "po\nlicy");
  const WorkloadBuilder pod = WorkloadBuilder::pod()
                                  .kind("Po\nd", "")
                                  .name(evil)
                                  .in("ns\n")
                                  .container(evil, evil)
                                  .label("environment", evil);
  const Evaluator evaluator(policy);
  const std::string message = denial_message(pod, evaluator.evaluate(pod));
  CHECK(is_printable(message));
  CHECK(std::count(message.begin(), message.end(), '\n') == 3);
}

TEST_CASE("a denial stays within 4 KiB and counts what had no room") {
  const Evaluator evaluator(policy_with({kMutableTag}));
  for (std::size_t padding = 0; padding < 60; ++padding) {
    const std::string image = "registry.corp/" + std::string(padding, 'a') + "b/web:latest";
    WorkloadBuilder workload = WorkloadBuilder::deployment();
    for (int i = 0; i < 100; ++i) workload.container(image, "web");
    const std::string message = denial_message(workload, evaluator.evaluate(workload));
    CAPTURE(padding);
    CHECK(message.size() <= kMaxMessageBytes);
    CHECK(message.size() > kMaxMessageBytes - 400);
    const auto shown = std::count(message.begin(), message.end(), '\n') - 2;
    CHECK(message.find("\n  and " + std::to_string(100 - shown) + " more\nTry it first") !=
          std::string::npos);
  }
}

TEST_CASE("hostile names can't crowd out the rest, and escapes are never cut") {
  for (std::size_t shift = 0; shift < 12; ++shift) {
    std::string evil(shift, 'x');
    while (evil.size() < 3000) evil += "\xF0\x9F\x98\x80";
    Policy policy = policy_with({kMutableTag}, "p" + evil);
    policy.help_url = evil;
    policy.mode = shift % 2 == 0 ? Mode::kEnforce : Mode::kWarn;
    const WorkloadBuilder pod =
        WorkloadBuilder::pod().name(evil).container(evil, evil).container("a:edge", evil);
    const Evaluator evaluator(policy);
    const Verdict verdict = evaluator.evaluate(pod);
    const std::string message = denial_message(pod, verdict);
    CHECK(message.size() <= kMaxMessageBytes);
    CHECK(escapes_are_whole(message));
    CHECK((shift % 2 == 1 ||
           message.find("\n  image-reference  spec.containers[0].image") != std::string::npos));
    for (const std::string& warning : warnings(pod, verdict)) {
      CHECK(warning.size() <= kMaxWarningBytes);
      CHECK(escapes_are_whole(warning));
    }
    for (const Finding& finding : verdict.findings) {
      CHECK(escapes_are_whole(finding_line(finding, true)));
    }
  }
}

TEST_CASE("a long value loses its middle and keeps its tag") {
  Policy policy = policy_with({kMutableTag});
  policy.mode = Mode::kWarn;
  const std::string image = "registry.corp/" + std::string(180, 'a') + "/web:edge";
  const WorkloadBuilder pod = WorkloadBuilder::pod().container(image);
  const Evaluator evaluator(policy);
  const Texts warned = warnings(pod, evaluator.evaluate(pod));
  REQUIRE(warned.size() == 1);
  CHECK(warned[0].starts_with("mutable-tag: \"registry.corp/aaa"));
  CHECK(warned[0].find("aaa/web:edge\" has tag \"edge\", which can move; Pod") !=
        std::string::npos);
}

TEST_CASE("at most 16 warnings, the last one counting the rest") {
  Policy policy = policy_with({kMutableTag});
  policy.mode = Mode::kWarn;
  const auto warned = [&](int images) {
    WorkloadBuilder pod = WorkloadBuilder::pod();
    for (int i = 0; i < images; ++i) pod.container("nginx:edge");
    const Evaluator evaluator(policy);
    return warnings(pod, evaluator.evaluate(pod));
  };
  CHECK(warned(16).size() == 16);
  CHECK(warned(16).back().starts_with("mutable-tag: "));
  CHECK(warned(20).size() == 16);
  CHECK(warned(20).back() == "and 5 more findings; belay check -f deploy.yaml shows them all");
}

TEST_CASE("many policies are counted, not listed") {
  std::vector<std::shared_ptr<const Policy>> policies;
  for (char c = 'a'; c < 'h'; ++c) {
    policies.push_back(
        std::make_shared<const Policy>(policy_with({kMutableTag}, std::string("policy-") + c)));
  }
  const PolicySet set = make_policy_set(policies);
  Verdict verdict;
  const WorkloadBuilder pod = WorkloadBuilder::pod().container("nginx:edge").in("");
  evaluate(set, pod, {.today = kToday}, verdict);
  CHECK(denial_message(pod, verdict)
            .starts_with("Pod checkout: 1 problem, policies \"policy-a\", \"policy-b\", "
                         "\"policy-c\", \"policy-d\" and 3 more\n"));
}

}  // namespace
}  // namespace belay::policy::testing
