// Field paths and what an UPDATE changed.
#include "policy/workload.h"

#include <doctest/doctest.h>

#include "tests/support/workload_builder.h"

namespace belay::policy {
namespace {

Workload deployment() {
  return testing::WorkloadBuilder::deployment()
      .object_label("team", "checkout")
      .object_label("app.kubernetes.io/name", "web")
      .label("environment", "dev")
      .label("app.kubernetes.io/part-of", "shop")
      .get();
}

TEST_CASE("image paths are Kubernetes' field paths") {
  Workload workload = deployment();
  CHECK(workload.image_path({ImageList::kContainers, 0, "web", "x"}) ==
        "spec.template.spec.containers[0].image");
  CHECK(workload.image_path({ImageList::kInitContainers, 2, "init", "x"}) ==
        "spec.template.spec.initContainers[2].image");
  workload.pod_path = "";
  CHECK(workload.image_path({ImageList::kEphemeralContainers, 1, "debug", "x"}) ==
        "spec.ephemeralContainers[1].image");
  CHECK(workload.image_path({ImageList::kVolumes, 12, "data", "x"}) ==
        "spec.volumes[12].image.reference");
}

TEST_CASE("label paths put keys with signs in brackets and end at metadata.labels when absent") {
  Workload workload = deployment();
  CHECK(workload.pod_label_path("environment") == "spec.template.metadata.labels.environment");
  CHECK(workload.pod_label_path("app.kubernetes.io/part-of") ==
        "spec.template.metadata.labels[app.kubernetes.io/part-of]");
  CHECK(workload.pod_label_path("missing") == "spec.template.metadata.labels");
  CHECK(workload.object_label_path("team") == "metadata.labels.team");
  CHECK(workload.object_label_path("app.kubernetes.io/name") ==
        "metadata.labels[app.kubernetes.io/name]");
  CHECK(workload.object_label_path("environment") == "metadata.labels");
  workload.pod_path = "";
  CHECK(workload.pod_label_path("environment") == "metadata.labels.environment");
  CHECK(workload.pod_label_path("missing") == "metadata.labels");
  workload.pod.labels = {{"cost-center", "1"}, {"Team_9", "a"}, {"", "b"}};
  CHECK(workload.pod_label_path("cost-center") == "metadata.labels[cost-center]");
  CHECK(workload.pod_label_path("Team_9") == "metadata.labels.Team_9");
  CHECK(workload.pod_label_path("") == "metadata.labels[]");
}

TEST_CASE("an image is unchanged only as the same text in the same list under the same name") {
  Workload workload = deployment();
  const ImageField web{ImageList::kContainers, 0, "web", "nginx:latest"};
  CHECK(workload.image_changed(web));
  workload.old_pod.images = {web};
  CHECK(workload.image_changed(web));  // a CREATE changes everything
  workload.is_update = true;
  CHECK_FALSE(workload.image_changed(web));
  CHECK_FALSE(workload.image_changed({ImageList::kContainers, 3, "web", "nginx:latest"}));
  CHECK(workload.image_changed({ImageList::kContainers, 0, "web", "docker.io/nginx:latest"}));
  CHECK(workload.image_changed({ImageList::kContainers, 0, "other", "nginx:latest"}));
  CHECK(workload.image_changed({ImageList::kInitContainers, 0, "web", "nginx:latest"}));
  CHECK(workload.image_changed({ImageList::kContainers, 0, "web", ""}));
}

TEST_CASE("a label changes by being added, removed or given another value") {
  Workload workload = deployment();
  CHECK(workload.pod_label_changed("environment"));
  CHECK(workload.pod_label_changed("absent"));
  workload.is_update = true;
  workload.old_pod.labels = workload.pod.labels;
  workload.old_labels = workload.labels;
  CHECK_FALSE(workload.pod_label_changed("environment"));
  CHECK_FALSE(workload.pod_label_changed("absent"));
  CHECK_FALSE(workload.object_label_changed("team"));
  workload.old_pod.labels = {{"environment", "prod"}, {"old", "x"}};
  CHECK(workload.pod_label_changed("environment"));
  CHECK(workload.pod_label_changed("old"));
  CHECK(workload.pod_label_changed("app.kubernetes.io/part-of"));
  workload.old_labels = {{"team", ""}};
  CHECK(workload.object_label_changed("team"));
  CHECK(workload.object_label_changed("app.kubernetes.io/name"));
  workload.is_update = false;
  CHECK(workload.object_label_changed("team"));
}

TEST_CASE("B20: a generated name stands in messages with a star") {
  Workload workload = deployment();
  CHECK(workload.display_name() == "shop/checkout");
  workload.name = "";
  workload.generate_name = "job-";
  CHECK(workload.display_name() == "shop/job-*");
  workload.generate_name = "";
  CHECK(workload.display_name() == "shop/(no name)");
  workload.namespace_name = "";
  workload.name = "checkout";
  CHECK(workload.display_name() == "checkout");
}

TEST_CASE("clearing leaves nothing of the object before") {
  Workload workload = deployment();
  workload.is_pod = workload.is_update = true;
  workload.generate_name = "x";
  workload.old_labels = workload.labels;
  workload.old_pod = workload.pod;
  workload.pod.images = {{ImageList::kContainers, 0, "web", "x"}};
  workload.clear();
  CHECK(workload.kind.empty());
  CHECK(workload.namespace_name.empty());
  CHECK(workload.name.empty());
  CHECK(workload.generate_name.empty());
  CHECK(workload.pod_path.empty());
  CHECK_FALSE(workload.is_pod);
  CHECK_FALSE(workload.is_update);
  CHECK(workload.labels.empty());
  CHECK(workload.old_labels.empty());
  CHECK(workload.pod.labels.empty());
  CHECK(workload.pod.images.empty());
  CHECK(workload.old_pod.labels.empty());
}

}  // namespace
}  // namespace belay::policy
