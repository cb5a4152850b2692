// Which images are pinned, which are left alone, and what becomes of their texts.
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <memory>

#include "policy/pinning.h"
#include "tests/support/policy_builder.h"
#include "tests/support/workload_builder.h"

namespace belay::policy::testing {
namespace {

const std::string kFirst = "sha256:" + std::string(64, 'a');
const std::string kSecond = "sha256:" + std::string(64, 'b');

Policy pinning() {
  Policy policy = policy_with({});
  policy.pin.enabled = true;
  return policy;
}

std::vector<std::size_t> planned(const Evaluator& evaluator, const Workload& workload) {
  std::vector<std::size_t> images;
  for (const Pin& pin : evaluator.pins(workload)) images.push_back(pin.image);
  return images;
}

using Indexes = std::vector<std::size_t>;

TEST_CASE("tags are pinned wherever a pod may name an image") {
  const Workload pod = WorkloadBuilder::pod()
                           .container("web:v1")
                           .init_container("registry.corp:5000/init:v1")
                           .ephemeral_container("debug:v1")
                           .volume("models/bert:v2");
  CHECK(planned(pinning(), pod) == Indexes{0, 1, 2, 3});
  CHECK(planned(policy_with({}), pod).empty());
}

TEST_CASE("what has a digest, has no tag or is not a reference is left as it is") {
  const std::string digested = "web:v1@" + kFirst;
  const Workload pod = WorkloadBuilder::pod()
                           .container(digested, "a")
                           .container("web", "b")
                           .container("no reference:", "c")
                           .container("", "d")
                           .container("web:v2", "e");
  CHECK(planned(pinning(), pod) == Indexes{4});
}

TEST_CASE("placeholders are left alone in templates") {
  Policy policy = pinning();
  policy.placeholders = {"auto:v1"};
  CHECK(planned(policy, WorkloadBuilder::deployment().container("auto:v1")).empty());
  CHECK(planned(policy, WorkloadBuilder::pod().container("auto:v1")) == Indexes{0});
}

TEST_CASE("pods are pinned whoever owns them, templates unless a controller does") {
  CHECK(planned(pinning(), WorkloadBuilder::pod().container("web:v1").controlled()) == Indexes{0});
  CHECK(planned(pinning(), WorkloadBuilder::deployment().container("web:v1")) == Indexes{0});
  CHECK(planned(pinning(), WorkloadBuilder::deployment()
                               .kind("ReplicaSet", "spec.template")
                               .container("web:v1")
                               .controlled())
            .empty());
}

TEST_CASE("jobs are pinned on creation only, and what is being deleted never") {
  auto job = WorkloadBuilder::deployment().kind("Job", "spec.template").container("web:v1");
  CHECK(planned(pinning(), job) == Indexes{0});
  CHECK(planned(pinning(), job.update()).empty());
  CHECK(planned(pinning(), WorkloadBuilder::pod().container("web:v1").being_deleted()).empty());
  CHECK(planned(pinning(), WorkloadBuilder::the_namespace()).empty());
}

TEST_CASE("an update pins what it changes; what runs is not restarted for a label") {
  for (auto workload : {WorkloadBuilder::pod(), WorkloadBuilder::deployment()}) {
    workload.container("web:v1", "a").container("db:v1", "b").update();
    CHECK(planned(pinning(), workload).empty());
    CHECK(planned(pinning(), workload.image("b", "db:v2")) == Indexes{1});
  }
}

TEST_CASE("the digest of the old object is taken again for the same tag in the same place") {
  const std::string old = "docker.io/library/web:v1@" + kFirst;
  auto pod = WorkloadBuilder::pod().container(old, "a").init_container(old, "b");
  const auto reused = [&](std::string_view name, std::string_view image) {
    auto changed = pod;
    const auto pins = Evaluator(pinning()).pins(changed.update().image(name, image));
    REQUIRE(pins.size() == 1);
    return std::string(pins[0].reused_digest);
  };
  CHECK(reused("a", "web:v1") == kFirst);  // another spelling of the same repository
  CHECK(reused("a", "web:v2").empty());
  CHECK(reused("a", "other/web:v1").empty());
  auto moved = pod;
  const auto pins = Evaluator(pinning()).pins(moved.update().container("web:v1", "c"));
  REQUIRE(pins.size() == 1);
  CHECK(pins[0].reused_digest.empty());  // another container
}

TEST_CASE("a policy pins the images it names, in the namespaces it matches") {
  Policy policy = pinning();
  policy.pin.images = repositories({"registry.corp/**"});
  policy.match.namespace_selector = selector("environment", "prod");
  const Workload pod =
      WorkloadBuilder::pod().container("web:v1", "a").container("registry.corp/web:v1", "b");
  CHECK(planned(Evaluator(policy, {{"environment", "prod"}}), pod) == Indexes{1});
  CHECK(planned(Evaluator(policy, {{"environment", "dev"}}), pod).empty());
  CHECK(planned(Evaluator(policy).without_namespace_labels(), pod).empty());
  CHECK(pinning_needs_namespace(Evaluator(policy).set(), pod));
  CHECK(may_pin(Evaluator(policy).set(), pod));
  CHECK_FALSE(pinning_needs_namespace(Evaluator(pinning()).set(), pod));
  CHECK_FALSE(pinning_needs_namespace(Evaluator(policy).set(), WorkloadBuilder::pod().in("")));
  CHECK_FALSE(may_pin(Evaluator(policy_with({})).set(), pod));
  CHECK(planned(Evaluator(pinning()), WorkloadBuilder::pod().in("").container("web:v1")) ==
        Indexes{0});
}

TEST_CASE("of several policies the strictest says what happens without a registry") {
  Policy strict = pinning();
  strict.name = "strict";
  strict.pin.on_registry_error = OnRegistryError::kDeny;
  const auto pins = Evaluator({pinning(), strict}).pins(WorkloadBuilder::pod().container("web:v1"));
  REQUIRE(pins.size() == 1);
  CHECK(pins[0].on_error == OnRegistryError::kDeny);
  CHECK(Evaluator(pinning()).pins(WorkloadBuilder::pod().container("web:v1"))[0].on_error ==
        OnRegistryError::kAllow);
}

TEST_CASE("policies without an index are asked one by one") {
  PolicySet set;
  set.policies = {std::make_shared<const Policy>(pinning())};
  CHECK(may_pin(set, WorkloadBuilder::pod().container("web:v1")));
  std::vector<Pin> pins;
  plan_pins(set, WorkloadBuilder::pod().in("").container("web:v1"), {}, pins);
  CHECK(pins.size() == 1);
}

TEST_CASE("pinning keeps the user's spelling and adds the digest") {
  CHECK(pinned("web:v1", kFirst) == "web:v1@" + kFirst);
  CHECK(pinned("docker.io/library/web:v1", kFirst) == "docker.io/library/web:v1@" + kFirst);
  CHECK(pinned("web", kFirst).empty());
  CHECK(pinned("web:v1@" + kFirst, kSecond).empty());
  CHECK(pinned("no reference:", kFirst).empty());
}

TEST_CASE("3.15: a digest with anything else in it never gets into a text") {
  const std::string tail = std::string(64, 'a');
  for (const std::string& digest :
       {std::string(), std::string("sha256:"), "sha256:" + tail + "\"}]", "sha256:" + tail + "\n",
        " sha256:" + tail, "sha1:" + tail, "sha256:" + std::string(64, 'A'), kFirst + "@" + kSecond,
        "v2@" + kFirst, "sha256:" + tail + '\0'}) {
    CAPTURE(digest);
    CHECK(pinned("web:v1", digest).empty());
  }
}

TEST_CASE("whatever the texts, what is pinned parses to the same tag and is never pinned again") {
  CHECK(rc::check([] {
    const auto image =
        *rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab1:/.@-_Z \"\\sha256:")));
    const auto digest =
        *rc::gen::oneOf(rc::gen::just(kFirst), rc::gen::container<std::string>(rc::gen::elementOf(
                                                   std::string("sha256:abcdef0123456789@\"\n"))));
    const std::string text = pinned(image, digest);
    if (text.empty()) return;
    const auto before = parse_image_reference(image);
    const auto after = parse_image_reference(text);
    RC_ASSERT(before.has_value());
    RC_ASSERT(after.has_value());
    RC_ASSERT(after->tag == before->tag);
    RC_ASSERT(after->canonical_repository() == before->canonical_repository());
    RC_ASSERT(after->digest == digest);
    RC_ASSERT(pinned(text, digest).empty());
    RC_ASSERT(Evaluator(pinning()).pins(WorkloadBuilder::pod().container(text)).empty());
  }));
}

TEST_CASE("f(f(x)) = f(x): whatever a pod holds, once pinned nothing is left to pin") {
  const auto word = [](const char* first, const char* rest) {
    return rc::gen::map(
        rc::gen::pair(rc::gen::elementOf(std::string(first)),
                      rc::gen::container<std::string>(rc::gen::elementOf(std::string(rest)))),
        [](const std::pair<char, std::string>& parts) { return parts.first + parts.second; });
  };
  const auto host =
      rc::gen::element<std::string>("", "registry.corp/", "localhost:5000/", "docker.io/library/");
  const auto digest = rc::gen::element<std::string>("", "", "", "@" + kFirst);
  CHECK(rc::check([&] {
    std::vector<std::string> texts;
    const auto count = *rc::gen::inRange(0, 5);
    for (int i = 0; i < count; ++i) {
      const auto tag = *word("abz019_", "aZ9._-").as("tag");
      texts.push_back(*host + *word("abz09", "abz09") + *rc::gen::element<std::string>("", "/x") +
                      *rc::gen::element<std::string>("", ":", ":") + tag + *digest);
    }
    const auto pod_with = [&](const std::vector<std::string>& images) {
      auto pod = WorkloadBuilder::pod();
      for (const std::string& image : images) pod.container(image);
      return pod;
    };
    const Evaluator evaluator(pinning());
    std::vector<std::string> once = texts;
    for (const Pin& pin : evaluator.pins(pod_with(texts))) {
      once[pin.image] = pinned(texts[pin.image], kSecond);
      RC_ASSERT(!once[pin.image].empty());
      const auto before = parse_image_reference(texts[pin.image]);
      const auto after = parse_image_reference(once[pin.image]);
      RC_ASSERT(after.has_value());
      RC_ASSERT(after->written_name() == before->written_name());
      RC_ASSERT(after->tag == before->tag);
      RC_ASSERT(after->digest == kSecond);
    }
    RC_ASSERT(evaluator.pins(pod_with(once)).empty());
  }));
}

TEST_CASE("a field's JSON Pointer leads to what its path names") {
  const Workload workload = WorkloadBuilder::deployment()
                                .container("a")
                                .init_container("b")
                                .volume("c")
                                .ephemeral_container("d");
  const auto pointer = [&](std::size_t i) {
    return workload.image_pointer(workload.pod.images[i]);
  };
  CHECK(pointer(0) == "/spec/template/spec/containers/0/image");
  CHECK(pointer(1) == "/spec/template/spec/initContainers/0/image");
  CHECK(pointer(2) == "/spec/template/spec/volumes/0/image/reference");
  CHECK(pointer(3) == "/spec/template/spec/ephemeralContainers/0/image");
  const Workload pod = WorkloadBuilder::pod().container("a").container("b", "c");
  CHECK(pod.image_pointer(pod.pod.images[1]) == "/spec/containers/1/image");
}

}  // namespace
}  // namespace belay::policy::testing
