// The rows of docs/threats.md, as far as they are a question of policy, each case named after its
// row.
#include <doctest/doctest.h>

#include "tests/support/policy_builder.h"
#include "tests/support/workload_builder.h"

namespace belay::policy::testing {
namespace {

using enum RuleId;

WorkloadBuilder pod() { return WorkloadBuilder::pod().container("nginx:1.27"); }

Evaluator tags() { return policy_with({kTagRequired, kMutableTag}); }

const std::string kSha256 = "sha256:" + std::string(64, 'a');
const std::string kSha512 = "sha512:" + std::string(128, 'b');

TEST_CASE("B1: ephemeral containers added to a running pod are evaluated") {
  CHECK(tags().brief(pod().update().ephemeral_container("busybox")) ==
        Texts{"tag-required spec.ephemeralContainers[0].image"});
  CHECK(tags().decision(pod().update().ephemeral_container("busybox")) == Decision::kDenied);
}

TEST_CASE("B2: init containers are evaluated") {
  CHECK(tags().brief(pod().init_container("setup:latest")) ==
        Texts{"mutable-tag spec.initContainers[0].image"});
}

TEST_CASE("B3: sidecars are init containers and evaluated as such") {
  CHECK(tags().brief(pod().init_container("setup:1").init_container("proxy:latest", "proxy")) ==
        Texts{"mutable-tag spec.initContainers[1].image"});
}

TEST_CASE("B4: image volumes are evaluated") {
  CHECK(tags().brief(pod().volume("models/resnet:latest")) ==
        Texts{"mutable-tag spec.volumes[0].image.reference"});
  CHECK(tags().brief(pod().volume("")) == Texts{"image-reference spec.volumes[0].image.reference"});
}

TEST_CASE("B5: templates of every kind are evaluated at their own path") {
  const std::vector<std::pair<const char*, const char*>> kinds = {
      {"ReplicationController", "spec.template"},
      {"PodTemplate", "template"},
      {"ReplicaSet", "spec.template"},
      {"Deployment", "spec.template"},
      {"DaemonSet", "spec.template"},
      {"StatefulSet", "spec.template"},
      {"CronJob", "spec.jobTemplate.spec.template"},
      {"Job", "spec.template"}};
  for (const auto& [kind, path] : kinds) {
    CAPTURE(kind);
    CHECK(tags().brief(WorkloadBuilder::deployment().kind(kind, path).container("nginx")) ==
          Texts{std::string("tag-required ") + path + ".spec.containers[0].image"});
  }
}

TEST_CASE("B6: a custom resource's template is evaluated, and so is the pod made of it") {
  CHECK(tags().decision(WorkloadBuilder::deployment()
                            .kind("Rollout", "spec.template")
                            .container("nginx:latest")) == Decision::kDenied);
  CHECK(tags().decision(
            pod().label("rollouts-pod-template-hash", "1").image("web", "nginx:latest")) ==
        Decision::kDenied);
}

TEST_CASE("B7: a changed image of a running pod is evaluated, the others pass with a warning") {
  const auto running = [] {
    return pod().container("redis:latest", "cache").init_container("setup:latest").update();
  };
  const Verdict legacy = tags().evaluate(running());
  CHECK(legacy.decision() == Decision::kAllowed);
  CHECK(legacy.count(Mode::kWarn) == 2);
  const Verdict changed = tags().evaluate(running().image("web", "nginx:latest"));
  CHECK(changed.decision() == Decision::kDenied);
  CHECK(changed.count(Mode::kEnforce) == 1);
  CHECK(changed.count(Mode::kWarn) == 2);
  // From a digest back to the tag is a change too.
  CHECK(tags().decision(
            pod().image("web", "nginx:latest@" + kSha256).update().image("web", "nginx:latest")) ==
        Decision::kDenied);
}

TEST_CASE(
    "B8: an update is evaluated whatever else the object says, and passes where nothing changed") {
  // A workload has no deletionTimestamp to look at: only images and labels count.
  CHECK(tags().decision(pod().image("web", "nginx:latest").update()) == Decision::kAllowed);
  CHECK(tags().decision(pod().update().image("web", "nginx:latest")) == Decision::kDenied);
}

TEST_CASE("B9: changing or removing the environment label of a running pod is evaluated") {
  const Evaluator evaluator(policy_with({kEnvironmentLabel, kEnvironmentNamespace}),
                            {{"environment", "prod"}});
  const auto running = [] { return pod().label("environment", "prod").update(); };
  CHECK(evaluator.decision(running()) == Decision::kAllowed);
  CHECK(evaluator.decision(running().label("environment", "dev")) == Decision::kDenied);
  CHECK(evaluator.decision(running().label("environment", "")) == Decision::kDenied);
  CHECK(evaluator.decision(running().remove_label("environment")) == Decision::kDenied);
  const Evaluator namespace_only(policy_with({kEnvironmentNamespace}), {{"environment", "prod"}});
  CHECK(namespace_only.decision(running().remove_label("environment")) == Decision::kDenied);
}

TEST_CASE("B15: no label of a pod or a namespace turns evaluating off") {
  const std::vector<Label> labels = {{"belay.dev/ignore", "true"},
                                     {"belay.dev/policy", "false"},
                                     {"admission.gatekeeper.sh/ignore", "true"},
                                     {"control-plane", "true"}};
  WorkloadBuilder workload = pod().image("web", "nginx:latest");
  for (const Label& label : labels) workload.label(label.key, label.value);
  CHECK(Evaluator(policy_with({kMutableTag}), labels).decision(workload) == Decision::kDenied);
}

TEST_CASE("B17: an unknown namespace decides nothing, and the request's namespace counts") {
  Policy policy = policy_with({kMutableTag});
  policy.match.namespace_selector = selector("environment", "dev");
  CHECK(Evaluator(policy).without_namespace_labels().decision(pod()) == Decision::kUndecided);
  policy.match.namespace_selector =
      LabelSelector({{"sandbox", LabelSelector::Operator::kDoesNotExist, {}}});
  CHECK(Evaluator(policy).without_namespace_labels().decision(pod()) == Decision::kUndecided);
  CHECK(Evaluator(policy).decision(pod().image("web", "nginx:latest")) == Decision::kDenied);
}

TEST_CASE("B20: a pod without name yet is evaluated and named by generateName") {
  const WorkloadBuilder made = pod().generate_name("checkout-").image("web", "nginx:latest");
  const Evaluator evaluator = tags();
  CHECK(
      denial_message(made, evaluator.evaluate(made)).starts_with("Pod shop/checkout-*: 1 problem"));
}

TEST_CASE("B21: a digest behind a mutable tag is what is pulled") {
  const std::string image = "nginx:latest@" + kSha256;
  CHECK(tags().decision(pod().image("web", image)) == Decision::kAllowed);
  Policy strict = policy_with({kMutableTag});
  strict.rules.mutable_tag->allow_with_digest = false;
  CHECK(Evaluator(strict).decision(pod().image("web", image)) == Decision::kDenied);
  // The text of a digest is no tag.
  const std::string bare = "nginx@" + kSha256;
  CHECK(tags().decision(pod().image("web", bare)) == Decision::kAllowed);
  CHECK(Evaluator(strict).decision(pod().image("web", bare)) == Decision::kAllowed);
}

TEST_CASE("B22: a registry port is not read as a tag") {
  CHECK(tags().brief(pod().image("web", "registry:5000/app")) ==
        Texts{"tag-required spec.containers[0].image"});
  CHECK(tags().brief(pod().image("web", "registry:5000/app:latest")) ==
        Texts{"mutable-tag spec.containers[0].image"});
  CHECK(tags().decision(pod().image("web", "registry:5000/app:1")) == Decision::kAllowed);
}

TEST_CASE("B23: every spelling of Docker Hub is the same registry") {
  Policy policy = policy_with({kRegistryAllowed});
  policy.rules.registry_allowed->deny = repositories({"docker.io/library/nginx"});
  const Evaluator evaluator(policy);
  for (const char* image :
       {"nginx:1", "library/nginx:1", "docker.io/nginx:1", "docker.io/library/nginx:1",
        "index.docker.io/nginx:1", "index.docker.io/library/nginx:1"}) {
    CAPTURE(image);
    CHECK(evaluator.decision(pod().image("web", image)) == Decision::kDenied);
  }
  CHECK(evaluator.decision(pod().image("web", "nginx.io/nginx:1")) == Decision::kAllowed);
}

TEST_CASE("B24: a digest never makes up for a tag that a rule refuses") {
  Policy policy = policy_with({kEnvironmentTag});
  policy.rules.environment_tag->suffixes = {{"dev", {"-dev"}}};
  set_tag_format(policy, {"v{version}"});
  const std::string image = "nginx:v1.4.2-dev@" + kSha256;
  const std::string banana = "nginx:banana@" + kSha256;
  CHECK(Evaluator(policy).decision(pod().label("environment", "prod").image("web", image)) ==
        Decision::kDenied);
  CHECK(Evaluator(policy).decision(pod().image("web", banana)) == Decision::kDenied);
}

TEST_CASE("B25: only whole digests count") {
  const Evaluator evaluator(policy_with({kDigestRequired}));
  CHECK(evaluator.decision(pod().image("web", "nginx@" + kSha256)) == Decision::kAllowed);
  const std::string sha512 = "nginx@" + kSha512;
  CHECK(evaluator.decision(pod().image("web", sha512)) == Decision::kAllowed);
  for (const std::string& digest :
       {kSha256.substr(0, 70), kSha256 + "a", "sha256:" + std::string(64, 'A'),
        "sha512:" + std::string(64, 'a'), "sha256:" + std::string(64, 'g'), std::string("sha256:"),
        std::string("md5:") + std::string(32, 'a')}) {
    CAPTURE(digest);
    const std::string image = "nginx@" + digest;
    CHECK(evaluator.brief(pod().image("web", image)) ==
          Texts{"image-reference spec.containers[0].image"});
  }
}

TEST_CASE("B26: a name without registry is evaluated as docker.io's, and the finding says so") {
  Policy policy = policy_with({kRegistryAllowed});
  policy.rules.registry_allowed->allow = repositories({"registry.corp"});
  const Verdict verdict = Evaluator(policy).evaluate(pod());
  REQUIRE(verdict.findings.size() == 1);
  CHECK(verdict.findings[0].problem.find("docker.io is the default registry") != std::string::npos);
  CHECK(Evaluator(policy).decision(pod().image("web", "registry.corp/nginx:1")) ==
        Decision::kAllowed);
}

TEST_CASE("B27: text outside the grammar is refused and shown escaped") {
  for (const std::string& image :
       {std::string("Nginx:1"), std::string("ng\xD1\x96nx:1"), std::string("nginx:1\0x", 9),
        std::string("nginx:1\x01"), std::string("nginx:\xE2\x80\x8B"), std::string("nginx\n:1"),
        std::string("\xFF\xFE")}) {
    CAPTURE(escape(image));
    const Evaluator evaluator(policy_with({}));
    const Verdict verdict = evaluator.evaluate(pod().image("web", image));
    CHECK(verdict.decision() == Decision::kDenied);
    REQUIRE(verdict.findings.size() == 1);
    const std::string line = finding_line(verdict.findings[0], true);
    CHECK(line.find("\"" + escape(image) + "\" is not an image reference") != std::string::npos);
    for (const char c : line) CHECK((c >= 0x20 && c < 0x7F));
  }
}

TEST_CASE("B28: white space around an image is refused in templates too, never trimmed") {
  for (const char* image : {" nginx:1", "nginx:1 ", "nginx:1\n", "\tnginx:1", "nginx :1", " "}) {
    CAPTURE(image);
    CHECK(tags().decision(WorkloadBuilder::deployment().container(image)) == Decision::kDenied);
    CHECK(tags().decision(pod().image("web", image)) == Decision::kDenied);
  }
}

TEST_CASE("B29: an empty image is a warning in a template and refused in a Pod") {
  const Verdict verdict = tags().evaluate(WorkloadBuilder::deployment().container(""));
  CHECK(verdict.decision() == Decision::kAllowed);
  CHECK(verdict.count(Mode::kWarn) == 1);
  CHECK(tags().decision(pod().image("web", "")) == Decision::kDenied);
}

TEST_CASE("B33: a pod without any image is refused") {
  const Evaluator evaluator(policy_with({}));
  CHECK(evaluator.lines(WorkloadBuilder::pod()) ==
        Texts{"image-reference  spec.containers: the pod has no container with an image. Add a "
              "container with an image"});
  CHECK(evaluator.decision(WorkloadBuilder::pod().volume("models/resnet:1")) == Decision::kDenied);
  CHECK(evaluator.decision(pod().update().no_images()) == Decision::kDenied);
  CHECK(evaluator.decision(WorkloadBuilder::pod().update()) == Decision::kAllowed);
  CHECK(evaluator.decision(WorkloadBuilder::deployment()) == Decision::kAllowed);
}

}  // namespace
}  // namespace belay::policy::testing
