"""The chart's ValidatingAdmissionPolicies in a real API server, with no belay anywhere: what they hold
while belay is down. Rows B10 and B11 are those of docs/threats.md."""

from __future__ import annotations

import pytest

from cluster.control_plane import ApiError
from support.waiting import until

SHOP = "/api/v1/namespaces/shop"
DIGEST = "@sha256:" + "a" * 64
GOOD = {"containers": [{"name": "web", "image": "nginx:v1.27"}]}
BAD = {"containers": [{"name": "web", "image": "nginx:latest"}]}


@pytest.fixture(scope="module", autouse=True)
def in_force(helm, cluster):
    """The policies alone, without the rest of the chart, and a namespace to try them in."""
    policies = [one for one in helm.objects({"admissionPolicies": {"enabled": True}})
                if one["kind"].startswith("ValidatingAdmissionPolicy")]
    assert len(policies) == 8
    for one in policies:
        plural = "validatingadmissionpolicybindings" if one["kind"].endswith("Binding") else "validatingadmissionpolicies"
        cluster.request("POST", f"/apis/admissionregistration.k8s.io/v1/{plural}", one)
    cluster.request("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    for condition in (  # the bindings take effect one after the other
            lambda: "latest" in said(cluster, pod(BAD)),
            lambda: "must be one of" in said(cluster, pod(GOOD, environment="moon")),
            lambda: said(cluster, pod(GOOD)) == ""):
        until(condition)
    create(cluster, pod(GOOD, name="lock", environment="dev"))
    until(lambda: "pods/status" in patch(cluster, "lock/status", environment="prod", dry="?dryRun=All"))
    until(lambda: "Binding" in bind(cluster, "lock", dry="?dryRun=All", environment="prod"))


def test_the_api_server_finds_no_fault_in_the_expressions(cluster):
    listed = cluster.request("GET", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies")["items"]
    assert len(listed) == 4
    for one in listed:
        until(lambda name=one["metadata"]["name"]: cluster.request(
            "GET", f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{name}").get("status", {}).get(
                "observedGeneration"))
        status = cluster.request("GET", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/"
                                 + one["metadata"]["name"])["status"]
        warnings = [warning for warning in status.get("typeChecking", {}).get("expressionWarnings", [])]
        assert warnings == [], (one["metadata"]["name"], warnings)


@pytest.mark.parametrize("image,refused", [
    ("nginx:latest", True), ("nginx:LATEST", True), ("nginx", True), ("registry.corp:5000/nginx", True),
    ("registry.corp:5000/shop/nginx:latest", True), ("nginx:v1.27", False), ("registry.corp:5000/nginx:v1", False),
    ("nginx" + DIGEST, False), ("nginx:latest" + DIGEST, False), ("latest:v1", False), ("nginx:v1-latest", False)])
def test_images_that_move_are_refused_while_belay_is_away(cluster, image, refused):
    answer = said(cluster, pod({"containers": [{"name": "web", "image": image}]}))
    assert ("can move" in answer and image in answer) if refused else answer == ""


@pytest.mark.parametrize("place,spec", [
    ("init container", {**GOOD, "initContainers": [{"name": "first", "image": "busybox"}]}),
    ("image volume", {**GOOD, "volumes": [{"name": "data", "image": {"reference": "model:latest"}}]}),
    ("second container", {"containers": [*GOOD["containers"], {"name": "side", "image": "proxy:latest"}]}),
])
def test_no_place_of_an_image_is_forgotten(cluster, place, spec):
    assert "can move" in said(cluster, pod(spec))


def test_an_ephemeral_container_is_looked_at(cluster):
    create(cluster, pod(GOOD, name="debugged"))
    done = cluster.kubectl("-n", "shop", "debug", "debugged", "--image=busybox", "--container=look")
    assert done.returncode != 0 and "can move" in done.stderr, done.stderr
    done = cluster.kubectl("-n", "shop", "debug", "debugged", "--image=busybox:v1", "--container=look")
    assert done.returncode == 0, done.stderr


LABELS = {"metadata": {"labels": {"app": "web"}}}
SELECTOR = {"selector": {"matchLabels": {"app": "web"}}}
TEMPLATE_KINDS = {
    "Deployment": ("apps/v1", lambda spec: {"spec": {**SELECTOR, "template": {**LABELS, "spec": spec}}}),
    "ReplicaSet": ("apps/v1", lambda spec: {"spec": {**SELECTOR, "template": {**LABELS, "spec": spec}}}),
    "StatefulSet": ("apps/v1", lambda spec: {"spec": {**SELECTOR, "serviceName": "web",
                                                      "template": {**LABELS, "spec": spec}}}),
    "DaemonSet": ("apps/v1", lambda spec: {"spec": {**SELECTOR, "template": {**LABELS, "spec": spec}}}),
    "ReplicationController": ("v1", lambda spec: {"spec": {"selector": {"app": "web"},
                                                           "template": {**LABELS, "spec": spec}}}),
    "Job": ("batch/v1", lambda spec: {"spec": {"template": {"spec": {**spec, "restartPolicy": "Never"}}}}),
    "CronJob": ("batch/v1", lambda spec: {"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {
        "spec": {**spec, "restartPolicy": "Never"}}}}}}),
    "PodTemplate": ("v1", lambda spec: {"template": {**LABELS, "spec": spec}}),
}


@pytest.mark.parametrize("kind", TEMPLATE_KINDS)
def test_every_kind_with_a_pod_template_is_looked_at(cluster, kind):
    version, body = TEMPLATE_KINDS[kind]
    path = ("/api/v1" if version == "v1" else f"/apis/{version}") + f"/namespaces/shop/{kind.lower()}s?dryRun=All"
    for spec, refused in ((BAD, True), (GOOD, False)):
        one = {"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, **body(spec)}
        try:
            cluster.request("POST", path, one)
            assert not refused, "was admitted"
        except ApiError as error:
            assert refused and "can move" in str(error), error


def test_what_was_there_before_can_be_scaled_and_labelled(cluster):
    """An old violation must not keep anybody from shrinking or deleting it."""
    bindings = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/belay-tags"
    kept = cluster.request("GET", bindings)
    cluster.request("DELETE", bindings)
    version, body = TEMPLATE_KINDS["Deployment"]
    one = {"apiVersion": version, "kind": "Deployment", "metadata": {"name": "old"}, **body(BAD)}
    until(lambda: tried(lambda: cluster.request("POST", "/apis/apps/v1/namespaces/shop/deployments", one)) == "")
    cluster.request("POST", bindings.rpartition("/")[0], {
        "apiVersion": kept["apiVersion"], "kind": kept["kind"], "metadata": {"name": "belay-tags"}, "spec": kept["spec"]})
    until(lambda: "can move" in said(cluster, pod(BAD)))

    assert cluster.kubectl("-n", "shop", "scale", "deployment", "old", "--replicas=0").returncode == 0
    assert cluster.kubectl("-n", "shop", "label", "deployment", "old", "a=b").returncode == 0
    done = cluster.kubectl("-n", "shop", "set", "image", "deployment/old", "web=nginx")
    assert done.returncode != 0 and "can move" in done.stderr
    assert cluster.kubectl("-n", "shop", "set", "image", "deployment/old", "web=nginx:v2").returncode == 0


def test_the_environment_is_one_of_those_that_are_known(cluster):
    assert said(cluster, pod(GOOD, environment="dev")) == ""
    assert "must be one of dev, test, prod" in said(cluster, pod(GOOD, environment="production"))


def test_B10_the_environment_label_cannot_be_changed_through_pods_status(cluster):
    create(cluster, pod(GOOD, name="status", environment="dev"))
    create(cluster, pod(GOOD, name="unlabelled"))
    assert "cannot be changed through pods/status" in patch(cluster, "status/status", environment="prod")
    assert "cannot be changed through pods/status" in patch(cluster, "status/status", environment=None)
    assert "cannot be changed through pods/status" in patch(cluster, "unlabelled/status", environment="prod")
    assert patch(cluster, "status/status", other="label") == ""


def test_B11_a_binding_cannot_carry_the_environment_label(cluster):
    create(cluster, pod(GOOD, name="bound", environment="dev"))
    assert "cannot set the label environment" in bind(cluster, "bound", environment="prod")
    legacy = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "bound", "labels": {"environment": "prod"}},
              "target": {"kind": "Node", "name": "somewhere"}}
    assert "cannot set the label environment" in tried(lambda: cluster.request("POST", f"{SHOP}/bindings", legacy))
    assert bind(cluster, "bound", other="label") == ""
    assert cluster.request("GET", f"{SHOP}/pods/bound")["metadata"]["labels"]["environment"] == "dev"


# -- questions ---------------------------------------------------------------------------------------------


def pod(spec: dict, name: str = "web", **labels: str) -> dict:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop", "labels": labels},
            "spec": spec}


def tried(request) -> str:
    """What the API server refuses it with, "" where it does not."""
    try:
        request()
        return ""
    except ApiError as error:
        return str(error)


def said(cluster, one: dict) -> str:
    return tried(lambda: cluster.request("POST", f"{SHOP}/pods?dryRun=All", one))


def create(cluster, one: dict) -> None:
    """Creates a pod as soon as the namespace's ServiceAccount is there."""
    until(lambda: tried(lambda: cluster.request("POST", f"{SHOP}/pods", one)) == "")


def patch(cluster, path: str, dry: str = "", **labels) -> str:
    return tried(lambda: cluster.request("PATCH", f"{SHOP}/pods/{path}{dry}", {"metadata": {"labels": labels}},
                                         "application/merge-patch+json"))


def bind(cluster, name: str, dry: str = "", **labels: str) -> str:
    return tried(lambda: cluster.request("POST", f"{SHOP}/pods/{name}/binding{dry}", {
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name, "labels": labels},
        "target": {"kind": "Node", "name": "somewhere"}}))
