"""Ways round an image policy (rows of docs/threats.md), tried on a real API server."""

import re

import pytest

import objects
from cluster import webhook
from cluster.control_plane import ApiError
from objects import BAD, GOOD

MERGE = "application/merge-patch+json"


def test_B1_an_ephemeral_container_is_evaluated(cluster, shop):
    cluster.admitted("create -f -", shop, objects.pod("web"))
    debug = "debug web --container=shell --profile=general --attach=false --image="
    denial = cluster.denied(debug + "busybox:latest", shop, None, None, "--", "sh")
    assert denial.head == f'Pod {shop}/web: 1 problem, policy "production"'
    assert denial.findings[0].startswith(
        'mutable-tag  spec.ephemeralContainers[0].image (shell): "busybox:latest" has tag "latest"')
    cluster.admitted(debug + "busybox:1.36.1-prod", shop, None, None, "--", "sh")


def test_B2_an_init_container_is_evaluated(cluster, shop):
    bad = objects.pod("web", initContainers=[{"name": "init", "image": BAD}])
    denial = cluster.denied("create -f -", shop, bad)
    assert denial.findings[0].startswith("mutable-tag  spec.initContainers[0].image (init): ")


def test_B3_a_sidecar_is_evaluated(cluster, shop):
    bad = objects.pod("web", initContainers=[
        {"name": "good", "image": GOOD}, {"name": "proxy", "image": BAD, "restartPolicy": "Always"}])
    denial = cluster.denied("create -f -", shop, bad)
    assert len(denial.findings) == 1
    assert denial.findings[0].startswith("mutable-tag  spec.initContainers[1].image (proxy): ")


@pytest.mark.parametrize("make, path", [(objects.pod, "spec"), (objects.deployment, "spec.template.spec")])
def test_B4_an_image_volume_is_evaluated(cluster, shop, make, path):
    bad = make("web")
    spec = bad["spec"] if make is objects.pod else bad["spec"]["template"]["spec"]
    spec["volumes"] = [{"name": "good", "image": {"reference": GOOD}}, {"name": "model", "image": {"reference": BAD}}]
    denial = cluster.denied("create -f -", shop, bad)
    assert len(denial.findings) == 1
    assert denial.findings[0].startswith(f"mutable-tag  {path}.volumes[1].image.reference (model): ")


def test_B6_pods_of_a_custom_resource_are_evaluated(cluster, shop):
    """No owner makes a pod trusted, be it known or not."""
    owner = {"ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web",
                                  "controller": True, "uid": "00000000-0000-4000-8000-000000000001"}]}
    denial = cluster.denied("create -f -", shop, objects.pod("web", BAD, metadata=owner))
    assert denial.rules == ["mutable-tag"]


def test_B6_a_custom_resource_that_is_configured_is_evaluated(cluster, shop):
    denial = cluster.denied("create -f -", shop, objects.rollout("web", BAD))
    assert denial.head == f'Rollout {shop}/web: 1 problem, policy "production"'
    assert denial.findings[0].startswith("mutable-tag  spec.template.spec.containers[0].image (web): ")
    cluster.admitted("create -f -", shop, objects.rollout("web"))


def test_B7_an_image_change_of_a_running_pod_is_evaluated(cluster, shop):
    cluster.admitted("create -f -", shop, objects.pod("web"))
    denial = cluster.denied(f"set image pod/web web={BAD}", shop)
    assert denial.head == f'Pod {shop}/web: 1 problem, policy "production"'
    cluster.admitted("set image pod/web web=registry.corp:5000/shop/web:v1.4.3-prod", shop)


def test_B8_a_pod_that_is_being_deleted_is_evaluated(cluster, shop):
    held = {"finalizers": ["example.com/hold"]}
    cluster.admitted("create -f -", shop, objects.pod("web", metadata=held))
    cluster.request("DELETE", f"/api/v1/namespaces/{shop}/pods/web?gracePeriodSeconds=0")
    denial = cluster.denied(f"set image pod/web web={BAD}", shop)
    assert denial.rules == ["mutable-tag"]
    cluster.admitted("patch pod web --type=merge -p", shop, None, None, '{"metadata":{"finalizers":null}}')
    assert not cluster.exists(f"/api/v1/namespaces/{shop}/pods/web")


def test_B9_a_label_change_of_a_running_pod_is_evaluated(cluster, shop):
    cluster.admitted("create -f -", shop, objects.pod("web"))
    denial = cluster.denied("label pod web environment=dev --overwrite", shop)
    assert "environment-namespace" in denial.rules
    denial = cluster.denied("label pod web environment-", shop)
    assert denial.rules == ["environment-label"]
    cluster.admitted("label pod web tier=front", shop)


def test_B12_a_resize_changes_neither_image_nor_label(cluster, shop):
    """The API server itself takes nothing but resources from pods/resize, so no rule subscribes to it."""
    one = objects.pod("web")
    one["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m"}}
    cluster.admitted("create -f -", shop, one)
    path = f"/api/v1/namespaces/{shop}/pods/web"
    changed = cluster.request("GET", path)
    changed["spec"]["containers"][0]["image"] = BAD
    changed["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "200m"}}
    changed["metadata"]["labels"]["environment"] = "dev"
    try:
        cluster.request("PUT", path + "/resize", changed)
    except ApiError as error:
        assert error.code in (403, 422), error
    now = cluster.request("GET", path)
    assert now["spec"]["containers"][0]["image"] == GOOD
    assert now["metadata"]["labels"]["environment"] == "prod"


def test_B15_no_label_of_a_namespace_opts_out(cluster, shop):
    labels = {"belay.dev/ignore": "true", "belay.dev/policy": "false", "admission.gatekeeper.sh/ignore": "true",
              "control-plane": "true", "name": "kube-system", "environment": "dev"}
    cluster.request("PATCH", f"/api/v1/namespaces/{shop}", {"metadata": {"labels": labels}}, MERGE)
    # the one label that the webhook's selector asks for is not the tenant's to choose
    renamed = {"metadata": {"labels": {"kubernetes.io/metadata.name": "kube-system"}}}
    try:
        cluster.request("PATCH", f"/api/v1/namespaces/{shop}", renamed, MERGE)
    except ApiError as error:
        assert error.code == 422
    now = cluster.request("GET", f"/api/v1/namespaces/{shop}")["metadata"]["labels"]
    assert now["kubernetes.io/metadata.name"] == shop
    marked = {"labels": {**objects.LABELS, **labels, "environment": "prod"}, "annotations": labels}
    assert cluster.denied("create -f -", shop, objects.pod("web", BAD, metadata=marked)).rules == ["mutable-tag"]


def test_B17_the_namespace_of_the_request_counts(cluster, shop):
    """A manifest without namespace is evaluated by the one that it is sent to, and a protected environment
    is refused where the namespace's is not known."""
    without = objects.pod("web", BAD)
    assert "namespace" not in without["metadata"]
    assert cluster.denied("create -f -", shop, without).head.startswith(f"Pod {shop}/web: ")
    cluster.make_namespace("shopping")  # matches neither "shop" nor "shop-*"
    cluster.admitted("create -f -", "shopping", without)


def test_B20_a_generated_name_is_evaluated_and_named(cluster, shop):
    generated = objects.pod("", BAD)
    generated["metadata"] = {"generateName": "task-", "labels": objects.LABELS}
    denial = cluster.denied("create -f -", shop, generated)
    assert re.fullmatch(rf'Pod {shop}/task-\S*: 1 problem, policy "production"', denial.head), denial.head
    generated["spec"] = objects.pod_spec()
    for _ in range(2):
        cluster.admitted("create -f -", shop, generated)


def test_B28_blanks_round_an_image_of_a_template_are_refused(cluster, shop):
    """The API server takes them in templates; nothing may trim them to something good."""
    for image in (GOOD + " ", " " + GOOD, GOOD + "\n", "registry.corp:5000/shop/web:v1.4.2-prod\t"):
        denial = cluster.denied("create -f -", shop, objects.deployment("web", image))
        assert denial.rules == ["image-reference"], image
    assert '"registry.corp:5000/shop/web:v1.4.2-prod\\u{9}" is not an image reference' in denial.findings[0]


def test_B29_an_empty_image_is_a_warning_in_a_template_and_refused_in_a_pod(cluster, shop):
    volume = [{"name": "model", "image": {"reference": ""}}]
    template = objects.deployment("web")
    template["spec"]["template"]["spec"]["volumes"] = volume
    done = cluster.kubectl("create -f -", shop, template)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("Warning: ") and "image-reference" in done.stderr, done.stderr
    done = cluster.kubectl("create -f -", shop, objects.pod("web", volumes=volume))
    assert done.returncode == 1 and "volumes[0].image.reference" in done.stderr, done.stderr


def test_B33_a_pod_without_any_image_is_refused(cluster, shop):
    """The API server refuses it before any webhook, so belay is asked as the API server would."""
    empty = objects.pod("web")
    empty["spec"]["containers"] = []
    done = cluster.kubectl("create -f -", shop, empty)
    assert done.returncode == 1 and "spec.containers: Required value" in done.stderr

    response = cluster.ask_about(shop, empty)
    assert response["allowed"] is False and response["status"]["code"] == 403
    assert response["status"]["details"]["causes"][0]["reason"] == "image-reference"


def test_exempt_namespaces_are_exempt_by_name(cluster):
    for namespace in ("kube-system", webhook.NAMESPACE):
        cluster.admitted("create -f -", namespace, objects.pod("exempt", BAD))
        cluster.request("DELETE", f"/api/v1/namespaces/{namespace}/pods/exempt?gracePeriodSeconds=0")
