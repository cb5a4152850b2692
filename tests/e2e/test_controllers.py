"""Pods and Jobs that controllers make are evaluated like any other, and tell in events what is wrong."""

import pytest

import objects
from conftest import warnings_of

OLD = "shop-old"


@pytest.fixture(autouse=True)
def controllers(cluster):
    if not cluster.control_plane.has_controllers:
        pytest.skip("no kube-controller-manager")


def events(cluster, namespace: str, kind: str, name: str, reason: str = "FailedCreate") -> list[str]:
    selector = f"involvedObject.kind={kind},reason={reason}"
    found = cluster.request("GET", f"/api/v1/namespaces/{namespace}/events?fieldSelector={selector}")["items"]
    return [event["message"] for event in found if event["involvedObject"]["name"].startswith(name)]


def pods(cluster, namespace: str, **labels: str) -> list[dict]:
    selector = ",".join(f"{key}%3D{value}" for key, value in labels.items())
    return cluster.request("GET", f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}")["items"]


def test_pods_of_a_good_deployment_are_made(cluster, shop):
    cluster.admitted("create -f -", shop, objects.deployment("web", replicas=2))
    cluster.until(lambda: len(pods(cluster, shop, app="web")) == 2)


def test_the_event_of_a_replicaset_says_why_its_pods_are_refused(cluster):
    """The Deployment is older than the policy. Its scaling passes; its pods do not."""
    done = cluster.kubectl("patch deployment events -p", OLD, None, None, '{"spec":{"replicas":1}}')
    assert done.returncode == 0 and len(warnings_of(done)) == 1, done.stderr
    message = cluster.until(lambda: events(cluster, OLD, "ReplicaSet", "events-"))[0]
    first = message.split("\n")[0]
    prefix = 'Error creating: admission webhook "validate.belay.dev" denied the request: '
    assert first.startswith(prefix + f"Pod {OLD}/events-"), message
    assert first.endswith(': 1 problem, policy "production"'), message
    assert '"registry.corp:5000/shop/web:latest" has tag "latest", which can move' in message

    def told():
        status = cluster.request("GET", f"/apis/apps/v1/namespaces/{OLD}/deployments/events")["status"]
        return [one for one in status.get("conditions", []) if one["type"] == "ReplicaFailure"]

    assert 'policy "production"' in cluster.until(told)[0]["message"].split("\n")[0]


def test_the_pod_of_a_good_job_is_made(cluster, shop):
    cluster.admitted("create -f -", shop, objects.workload("Job", "web", suspend=False))
    cluster.until(lambda: pods(cluster, shop, app="web"))


def test_a_job_from_an_old_violating_cronjob_is_denied(cluster):
    denial = cluster.denied("create job manual --from=cronjob/nightly", OLD)
    assert denial.head == f'Job {OLD}/manual: 1 problem, policy "production"'
    assert denial.findings[0].startswith("mutable-tag  spec.template.spec.containers[0].image (web): ")


def test_a_job_from_a_good_cronjob_and_its_pod_are_made(cluster, shop):
    cluster.admitted("create -f -", shop, objects.workload("CronJob", "web"))
    cluster.admitted("create job manual --from=cronjob/web", shop)
    cluster.until(lambda: pods(cluster, shop, app="web"))


def test_the_pod_of_a_statefulset_is_made(cluster, shop):
    cluster.admitted("create -f -", shop, objects.workload("StatefulSet", "web", replicas=1))
    cluster.until(lambda: any(pod["metadata"]["name"] == "web-0" for pod in pods(cluster, shop, app="web")))


def test_a_rollout_restart_makes_new_pods_and_can_be_undone(cluster, shop):
    cluster.admitted("create -f -", shop, objects.deployment("web", replicas=1))
    cluster.until(lambda: len(pods(cluster, shop, app="web")) == 1)
    cluster.admitted("rollout restart deployment/web", shop)
    cluster.until(lambda: len(cluster.replica_sets(shop, "web")) == 2)
    cluster.admitted("rollout undo deployment/web", shop)


def test_a_deployment_is_deleted_with_its_pods(cluster, shop):
    cluster.admitted("create -f -", shop, objects.deployment("web", replicas=1))
    cluster.until(lambda: pods(cluster, shop, app="web"))
    cluster.admitted("delete deployment web", shop)
    cluster.until(lambda: not cluster.replica_sets(shop, "web"))


def test_the_event_of_a_cronjob_says_why_its_job_is_refused(cluster):
    """The CronJob `often` was made at the beginning and is due every full minute."""
    message = cluster.until(lambda: events(cluster, OLD, "CronJob", "often"), 90)[0]
    assert f"Job {OLD}/often-" in message.split("\n")[0], message
    assert "mutable-tag" in message
