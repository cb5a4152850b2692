// The rules that rest on what a registry says: what each asks, refuses, and says where nobody
// knows.
#include <doctest/doctest.h>

#include <memory>

#include "policy/text/time_text.h"
#include "tests/support/policy_builder.h"
#include "tests/support/workload_builder.h"

namespace belay::policy::testing {
namespace {

using namespace std::chrono_literals;

const std::string kFirst = "sha256:" + std::string(64, 'a');
const std::string kSecond = "sha256:" + std::string(64, 'b');
constexpr std::chrono::sys_seconds kSeen =
    std::chrono::sys_days(std::chrono::year{2026} / std::chrono::May / std::chrono::day{2});

WorkloadBuilder with_image(std::string_view image) {
  return WorkloadBuilder::deployment().container(image);
}

ImageFacts facts_with(ImageMetadata metadata) {
  return {.digest = kFirst,
          .problem = {},
          .metadata = std::make_shared<const ImageMetadata>(std::move(metadata)),
          .first_seen = std::nullopt};
}
ImageFacts problem(std::string text) {
  return {.digest = {}, .problem = std::move(text), .metadata = nullptr, .first_seen = {}};
}
ImageFacts points_to(std::string digest, std::optional<TagRecord> first) {
  return {.digest = std::move(digest),
          .problem = {},
          .metadata = nullptr,
          .first_seen = first,
          .record_known = true};
}

Policy wanting(std::vector<std::pair<std::string, ValueConstraint>> labels) {
  Policy policy = policy_with({});
  policy.rules.image_labels.emplace().labels = std::move(labels);
  return policy;
}
Policy wanting_verified() { return wanting({{"security", {{"verified"}, "", nullptr}}}); }
ImageLabelsSettings& settings(Policy& policy) { return *policy.rules.image_labels; }

std::string at(const std::string& text) {
  return "image-labels  spec.template.spec.containers[0].image (web): \"web:v1\" " + text;
}

TEST_CASE("image-labels takes a label from config, annotations or attached artifacts") {
  const Policy policy = wanting_verified();
  const Annotations mark = {{"security", "verified"}};
  const Workload workload = with_image("web:v1");
  for (const ImageMetadata& good :
       {ImageMetadata{{{"", mark, {}, ""}}, {}}, ImageMetadata{{{"", {}, mark, ""}}, {}},
        ImageMetadata{{{"", {}, {}, ""}}, mark},
        ImageMetadata{{{"", {{"security", "none"}}, {}, ""}}, mark}}) {
    CHECK(Evaluator(policy).with_facts({facts_with(good)}).lines(workload).empty());
  }
  CHECK(Evaluator(policy).with_facts({facts_with({{{"", {}, {}, ""}}, {}})}).lines(workload) ==
        Texts{at("has no label \"security\". Build the image with the label security=verified")});
  CHECK(
      Evaluator(policy)
          .with_facts({facts_with({{{"", {{"security", "none"}}, {}, ""}}, {}})})
          .lines(workload) ==
      Texts{at("has the label \"security\" with the value \"none\", which is not an allowed value "
               "of the label. Build the image with the label security=verified")});
}

TEST_CASE("image-labels looks only where its sources say") {
  Policy policy = wanting_verified();
  settings(policy).sources = {LabelSource::kAttached};
  const Annotations mark = {{"security", "verified"}};
  const Workload workload = with_image("web:v1");
  CHECK(Evaluator(policy).with_facts({facts_with({{{"", mark, mark, ""}}, {}})}).lines(workload) ==
        Texts{at("has no label \"security\". Attach an artifact with the annotation "
                 "security=verified")});
  CHECK(Evaluator(policy)
            .with_facts({facts_with({{{"", {}, {}, ""}}, mark})})
            .lines(workload)
            .empty());
}

TEST_CASE("image-labels evaluates all platforms, or wants one that has everything") {
  Policy policy = wanting({{"a", {}}, {"b", {}}});
  const auto platform = [](std::string name, std::initializer_list<const char*> labels) {
    PlatformMetadata one{std::move(name), {}, {}, ""};
    for (const char* label : labels) one.labels.emplace_back(label, "x");
    return one;
  };
  const Workload workload = with_image("web:v1");
  const ImageMetadata apart{{platform("linux/amd64", {"a"}), platform("linux/arm64", {"b"}),
                             platform("linux/s390x", {"b"})},
                            {}};
  CHECK(Evaluator(policy).with_facts({facts_with(apart)}).lines(workload) ==
        Texts{at("has no label \"a\" on linux/arm64, linux/s390x. Build the image with the label "
                 "a=<value>"),
              at("has no label \"b\" on linux/amd64. Build the image with the label b=<value>")});
  settings(policy).platforms = Platforms::kAny;
  CHECK(Evaluator(policy).with_facts({facts_with(apart)}).lines(workload) ==
        Texts{at(
            "has no label \"b\" on linux/amd64, the platform with the fewest problems. Build the "
            "image with the label b=<value>")});
  const ImageMetadata better{{platform("linux/amd64", {}), platform("linux/arm64", {"a"})}, {}};
  CHECK(Evaluator(policy).with_facts({facts_with(better)}).lines(workload) ==
        Texts{at(
            "has no label \"b\" on linux/arm64, the platform with the fewest problems. Build the "
            "image with the label b=<value>")});
  const ImageMetadata one{{platform("linux/amd64", {"a", "b"}), platform("linux/arm64", {})}, {}};
  CHECK(Evaluator(policy).with_facts({facts_with(one)}).lines(workload).empty());
}

TEST_CASE("image-labels knows an image's age by its label, else by its config") {
  Policy policy = wanting({});
  settings(policy).max_age = 24h * 30;
  const Workload workload = with_image("web:v1");
  const auto lines = [&](std::string label, std::string created) {
    PlatformMetadata platform{"", {}, {}, std::move(created)};
    if (!label.empty()) {
      platform.labels.emplace_back("org.opencontainers.image.created", std::move(label));
    }
    return Evaluator(policy).with_facts({facts_with({{platform}, {}})}).lines(workload);
  };
  CHECK(lines("2026-06-01T00:00:00Z", "").empty());
  CHECK(lines("", "2026-05-16T00:00:00+00:00").empty());
  const std::string fix = ". Rebuild the image: it may be at most 30 days old";
  CHECK(lines("2026-05-01T12:00:00Z", "2026-06-10T00:00:00Z") ==
        Texts{at("was created on 2026-05-01, 44 days ago" + fix)});
  CHECK(lines("", "") == Texts{at("has no creation date" + fix)});
  CHECK(lines("yesterday", "") ==
        Texts{at("has the creation date \"yesterday\", which is not an RFC 3339 time" + fix)});
}

TEST_CASE("what a registry could not tell is a finding, or a warning where the policy allows it") {
  Policy policy = wanting_verified();
  const Workload workload = with_image("web:v1");
  Evaluator evaluator(policy);
  const std::string line =
      at("could not be checked for its labels: registry.corp did not respond in time. Try again in "
         "a moment; if that does not help, ask the admins of the cluster");
  evaluator.with_facts({problem("registry.corp did not respond in time")});
  CHECK(evaluator.lines(workload) == Texts{line});
  CHECK(evaluator.decision(workload) == Decision::kDenied);

  settings(policy).on_registry_error = OnRegistryError::kAllow;
  Evaluator lenient(policy);
  lenient.with_facts({problem("registry.corp did not respond in time")});
  CHECK(lenient.lines(workload) == Texts{line});
  CHECK(lenient.decision(workload) == Decision::kAllowed);
}

TEST_CASE("facts that nobody brought refuse, they never pass") {
  const Workload workload = with_image("web:v1");
  for (const RuleId rule : {RuleId::kImageLabels, RuleId::kTagMoved}) {
    Policy policy = policy_with({rule});
    CHECK(Evaluator(policy).decision(workload) == Decision::kDenied);
    // An answer without what was asked for is none.
    CHECK(Evaluator(policy).with_facts({ImageFacts()}).decision(workload) == Decision::kDenied);
  }
}

TEST_CASE("where nobody is to be asked, rules about registries warn") {
  const Policy policy = policy_with({RuleId::kTagMoved});
  Evaluator evaluator(policy);
  evaluator.offline();
  CHECK(evaluator.decision(with_image("web:v1")) == Decision::kAllowed);
  CHECK(evaluator.lines(with_image("web:v1")) ==
        Texts{"tag-moved  spec.template.spec.containers[0].image (web): \"web:v1\" was not checked "
              "for its tag, which only a registry knows. Check it with belay check --resolve "
              "--registries FILE"});
}

TEST_CASE("tag-moved names both digests, the first record and the way out") {
  const Policy policy = policy_with({RuleId::kTagMoved});
  const TagRecord first{kFirst, kSeen};
  Evaluator evaluator(policy);
  evaluator.with_facts({points_to(kSecond, first)});
  CHECK(evaluator.lines(with_image("web:v1")) ==
        Texts{"tag-moved  spec.template.spec.containers[0].image (web): \"web:v1\" points to " +
              kSecond + ", but the tag was first admitted on 2026-05-02 as " + kFirst +
              ". Use a new tag or what was admitted, such as web:v1@" + kFirst +
              "; an admin accepts the change with: belay tag-history clear "
              "docker.io/library/web:v1"});
  CHECK(
      Evaluator(policy).with_facts({points_to(kFirst, first)}).lines(with_image("web:v1")).empty());
  CHECK(Evaluator(policy).with_facts({points_to(kSecond, {})}).lines(with_image("web:v1")).empty());
}

TEST_CASE("tag-moved takes a digest behind the tag for what it points to") {
  const Policy policy = policy_with({RuleId::kTagMoved});
  const TagRecord first{kFirst, kSeen};
  const std::string moved = "web:v1@" + kSecond;
  const std::string kept = "web:v1@" + kFirst;
  CHECK(Evaluator(policy).with_facts({points_to(kSecond, first)}).decision(with_image(moved)) ==
        Decision::kDenied);
  CHECK(Evaluator(policy).with_facts({points_to(kFirst, first)}).lines(with_image(kept)).empty());
  const auto needs = Evaluator(policy).needs(with_image(kept));
  REQUIRE(needs.size() == 1);
  CHECK_FALSE(needs[0].digest);
  CHECK(needs[0].record);
  CHECK(Evaluator(policy).needs(with_image("web@" + kFirst)).empty());
}

TEST_CASE("an image that names neither tag nor digest does not slip past what registries know") {
  const Workload workload = with_image("shop/web");
  const std::string fix = ". Add a version tag or a digest, such as shop/web:<version>";
  for (const bool offline : {false, true}) {
    Evaluator labels(wanting_verified());
    Evaluator moved(policy_with({RuleId::kTagMoved}));
    if (offline) labels.offline();
    if (offline) moved.offline();
    CHECK(labels.decision(workload) == Decision::kDenied);
    CHECK(labels.lines(workload) ==
          Texts{"image-labels  spec.template.spec.containers[0].image (web): \"shop/web\" has "
                "neither tag nor digest, so its labels cannot be looked up" +
                fix});
    CHECK(moved.decision(workload) == Decision::kDenied);
    CHECK(moved.lines(workload) ==
          Texts{"tag-moved  spec.template.spec.containers[0].image (web): \"shop/web\" has "
                "neither tag nor digest, which means \"latest\", which can move" +
                fix});
    CHECK(labels.needs(workload).empty());
    CHECK(moved.needs(workload).empty());
  }
  // By digest there is something to look up, and nothing that moves.
  const std::string by_digest = "web@" + kFirst;
  CHECK(Evaluator(policy_with({RuleId::kTagMoved})).lines(with_image(by_digest)).empty());
  CHECK(Evaluator(wanting_verified()).needs(with_image(by_digest)).size() == 1);
}

TEST_CASE("a fact is used where it is known, whatever else could not be learned") {
  ImageFacts facts = facts_with({{{"", {{"security", "verified"}}, {}, ""}}, {}});
  facts.problem = "the tag history could not be read";
  CHECK(Evaluator(wanting_verified()).with_facts({facts}).lines(with_image("web:v1")).empty());
  // A tag is new only where belay could look for it.
  const Policy moved = policy_with({RuleId::kTagMoved});
  CHECK(Evaluator(moved).with_facts({facts}).lines(with_image("web:v1")) ==
        Texts{"tag-moved  spec.template.spec.containers[0].image (web): \"web:v1\" could not be "
              "checked for its tag: the tag history could not be read. Try again in a moment; "
              "if that does not help, ask the admins of the cluster"});
  // … and labels that can't be read are no matter of it.
  facts.problem = "registry.corp did not respond in time";
  facts.record_known = true;
  CHECK(Evaluator(moved).with_facts({facts}).lines(with_image("web:v1")).empty());
  facts.record_known = false;
  facts.first_seen = TagRecord{kFirst, kSeen};
  CHECK(Evaluator(moved).with_facts({facts}).lines(with_image("web:v1")).empty());
  // An answer without a platform says nothing of labels.
  CHECK(Evaluator(wanting_verified()).with_facts({facts_with({})}).decision(with_image("web:v1")) ==
        Decision::kDenied);
  // The digest in the text is what counts, whether or not the facts repeat it.
  const std::string pinned_text = "web:v1@" + kSecond;
  CHECK(Evaluator(moved)
            .with_facts({points_to("", TagRecord{kFirst, kSeen})})
            .lines(with_image(pinned_text))
            .front()
            .find("\" names " + kSecond) != std::string::npos);
}

TEST_CASE("an image that is exempt from a rule is neither asked about nor evaluated by it") {
  Policy policy = policy_with({RuleId::kTagMoved});
  policy.rules.image_labels = wanting_verified().rules.image_labels;
  policy.exemptions = {exemption({"docker.io/library/web"}, {RuleId::kTagMoved})};
  auto needs = Evaluator(policy).needs(with_image("web:v1"));
  REQUIRE(needs.size() == 1);
  CHECK(needs[0].metadata);
  CHECK_FALSE(needs[0].record);
  CHECK(Evaluator(policy).brief(with_image("web:v1")).size() == 1);
  policy.exemptions[0].expires = kToday;  // from today on it is ignored
  CHECK(Evaluator(policy).needs(with_image("web:v1"))[0].record);
  CHECK(Evaluator(policy).brief(with_image("web:v1")).size() == 2);
  policy.exemptions = {exemption({"docker.io/library/web"})};
  policy.exemptions[0].namespaces = name_globs({"other"});
  CHECK(Evaluator(policy).needs(with_image("web:v1"))[0].record);
  policy.exemptions[0].namespaces = {};
  CHECK(Evaluator(policy).needs(with_image("web:v1")).empty());
  CHECK(Evaluator(policy).lines(with_image("web:v1")).empty());
}

TEST_CASE("registries are asked about images that rules look at, and about no others") {
  Policy policy = wanting_verified();
  settings(policy).images = repositories({"registry.corp/**"});
  policy.placeholders = {"registry.corp/placeholder:v1"};
  const Workload workload = WorkloadBuilder::deployment()
                                .container("web:v1", "a")
                                .container("registry.corp/web:v1", "b")
                                .container("registry.corp/placeholder:v1", "c")
                                .container("no reference:", "d")
                                .container("registry.corp/untagged", "e")
                                .container("registry.corp/exempt:v1", "f");
  policy.exemptions = {exemption({"registry.corp/exempt"}, {RuleId::kImageLabels})};
  const auto needs = Evaluator(policy).needs(workload);
  REQUIRE(needs.size() == 1);
  CHECK(needs[0].image == 1);
  CHECK(needs[0].digest);
  CHECK(needs[0].metadata);
  CHECK_FALSE(needs[0].record);
  CHECK(Evaluator(policy_with({RuleId::kMutableTag})).needs(workload).empty());
  CHECK(Evaluator(policy).needs(WorkloadBuilder::the_namespace()).empty());
}

TEST_CASE("registries are not asked about what an update left alone, nor is it evaluated again") {
  const Policy policy = wanting_verified();
  const Workload workload = WorkloadBuilder::deployment()
                                .container("web:v1", "a")
                                .container("web:v2", "b")
                                .update()
                                .image("b", "web:v3");
  const auto needs = Evaluator(policy).needs(workload);
  REQUIRE(needs.size() == 1);
  CHECK(needs[0].image == 1);
  CHECK(Evaluator(policy).brief(workload) ==
        Texts{"image-labels spec.template.spec.containers[1].image"});
}

TEST_CASE("a policy asks only where its selector takes the namespace in") {
  Policy policy = policy_with({RuleId::kTagMoved});
  policy.match.namespace_selector = selector("environment", "prod");
  CHECK(Evaluator(policy, {{"environment", "prod"}}).needs(with_image("web:v1")).size() == 1);
  CHECK(Evaluator(policy, {{"environment", "dev"}}).needs(with_image("web:v1")).empty());
  CHECK(Evaluator(policy).without_namespace_labels().needs(with_image("web:v1")).empty());
  PolicySet plain;  // without an index
  plain.policies = {std::make_shared<const Policy>(policy_with({RuleId::kTagMoved}))};
  std::vector<ImageNeed> needs;
  registry_needs(plain, with_image("web:v1"), {}, needs);
  CHECK(needs.size() == 1);
}

class OneDigest final : public KnownDigests {
 public:
  std::string digest_of(const ImageReference& reference) const override {
    return reference.last_segment() == "web" ? kFirst : "";
  }
};

TEST_CASE("a refused tag is offered as the digest that it points to, where that is known") {
  const OneDigest known;
  const Policy policy = policy_with({RuleId::kMutableTag});
  Evaluator evaluator(policy);
  evaluator.knowing(known);
  CHECK(evaluator.lines(with_image("shop/web:latest")) ==
        Texts{"mutable-tag  spec.template.spec.containers[0].image (web): \"shop/web:latest\" has "
              "tag \"latest\", which can move. Use a version tag or a digest, such as "
              "shop/web:<version>; by digest it is shop/web@" +
              kFirst});
  CHECK(evaluator.lines(with_image("shop/db:latest")) ==
        Evaluator(policy).lines(with_image("shop/db:latest")));
  // digest-required keeps the tag beside it, as pinning does.
  CHECK(Evaluator(policy_with({RuleId::kDigestRequired}))
            .knowing(known)
            .lines(with_image("shop/web:v1")) ==
        Texts{"digest-required  spec.template.spec.containers[0].image (web): \"shop/web:v1\" has "
              "no digest. Add the digest, such as shop/web:v1@" +
              kFirst});
  CHECK(Evaluator(policy_with({RuleId::kTagRequired})).knowing(known).lines(with_image("web")) ==
        Texts{"tag-required  spec.template.spec.containers[0].image (web): \"web\" has neither tag "
              "nor digest, which means the tag \"latest\". Add a version tag or a digest, such as "
              "web:<version>; by digest it is web@" +
              kFirst});
  Policy format = policy_with({});
  set_tag_format(format, {"v{version}"});
  CHECK(Evaluator(format).knowing(known).lines(with_image("web:1"))[0].ends_with(
      "such as web:v<version>; by digest it is web@" + kFirst));
  // Findings that no digest cures stay as they are.
  Policy team = policy_with({RuleId::kRegistryAllowed});
  team.rules.registry_allowed->deny = repositories({"docker.io/**"});
  CHECK(Evaluator(team).knowing(known).lines(with_image("web:v1")) ==
        Evaluator(team).lines(with_image("web:v1")));
}

TEST_CASE("a digest that is none is never offered, and every image has its line in the denial") {
  class Hostile final : public KnownDigests {
   public:
    std::string digest_of(const ImageReference&) const override {
      return kFirst + "\n  allowed: everything";
    }
  };
  class Willing final : public KnownDigests {
   public:
    std::string digest_of(const ImageReference&) const override { return kFirst; }
  };
  const Hostile hostile;
  const Policy policy = policy_with({RuleId::kMutableTag, RuleId::kDigestRequired});
  const Workload workload = with_image("web:latest");
  CHECK(Evaluator(policy).knowing(hostile).lines(workload) == Evaluator(policy).lines(workload));

  const Willing willing;
  Evaluator evaluator(policy);
  evaluator.knowing(willing);
  WorkloadBuilder many = WorkloadBuilder::deployment();
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}) {
    many.container("registry.corp:5000/shop/web:latest", name);
  }
  const std::string message = denial_message(many, evaluator.evaluate(many));
  CHECK(message.size() <= kMaxMessageBytes);
  CHECK(message.find("\n  mutable-tag  spec.template.spec.containers[0].image (a): "
                     "\"registry.corp:5000/shop/web:latest\" has tag \"latest\", which can move. "
                     "Use a version tag or a digest, such as registry.corp:5000/shop/web:latest@" +
                     kFirst + "\n") != std::string::npos);
  CHECK(message.find(" more\n") != std::string::npos);
}

TEST_CASE("times are read as RFC 3339 writes them, to the second in UTC") {
  const auto noon = std::chrono::sys_days(std::chrono::year{2026} / 5 / 2) + 12h;
  for (const char* text :
       {"2026-05-02T12:00:00Z", "2026-05-02t12:00:00z", "2026-05-02T12:00:00.999999999Z",
        "2026-05-02T14:30:00+02:30", "2026-05-01T23:00:00-13:00"}) {
    CAPTURE(text);
    CHECK(parse_time(text) == noon);
  }
  CHECK(parse_time("2026-05-02T11:59:60Z") == noon - 1s);
  for (const char* text :
       {"", "2026-05-02", "2026-05-02 12:00:00Z", "2026-02-30T12:00:00Z", "2026-05-02T24:00:00Z",
        "2026-05-02T12:60:00Z", "2026-05-02T12:00:61Z", "2026-05-02T12:00:00",
        "2026-05-02T1:00:00Z", "2026-05-02T12:00Z", "2026-05-02T12:00:00.Z",
        "2026-05-02T12:00:00+2:00", "2026-05-02T12:00:00+02:00x", "2026-05-02T12:00:00+0200",
        "2026-05-02T12:00:00+02:60", "2026-05-02Tab:00:00Z", "2026-05-02T12:0",
        "0000-00-00T00:00:00Z", "nonsense"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_time(text));
  }
  CHECK(day_text(noon) == "2026-05-02");
}

}  // namespace
}  // namespace belay::policy::testing
