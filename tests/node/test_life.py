"""belay's life in a cluster, from `helm install` to `helm uninstall`, on a real node.

The tests are chapters of one story and run in this order: each starts from what the one before left,
three ready replicas and the chart's own policy. Rows A1 to A7 are those of docs/threats.md.
"""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import time

import pytest

import objects
from conftest import SOURCES
from cluster import assets, image
from installed import NAMESPACE, RELEASE, REPLICAS, SERVICE_ACCOUNT, until
from load import Load

RESTARTS, PER_SECOND = 5, 100
TENANT = "shop"
GOOD, BAD = objects.pod("web"), objects.pod("web", objects.BAD)


def test_a_latest_deployment_is_refused_within_30_seconds_of_helm_install(fresh, record):
    belay = fresh
    belay.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    belay.make_namespace(TENANT, environment="prod")
    begun = time.monotonic()
    notes = belay.install()
    belay.until_denied(TENANT, BAD)
    record("from helm install to the first refusal", time.monotonic() - begun, 30)
    assert "kubectl" in notes, "the notes don't say how to see a denial"

    done = belay.node.kubectl("-n", TENANT, "apply", "-f", "-",
                              input=json.dumps(objects.deployment("web", objects.BAD)))
    assert done.returncode == 1 and "mutable-tag" in done.stderr, done.stderr
    assert belay.verdict(TENANT, GOOD) == "admitted"


def test_three_pods_get_ready_under_the_restricted_standard(belay, record):
    begun = time.monotonic()
    belay.until_ready()
    record("from the first refusal to three ready pods", time.monotonic() - begun)
    namespace = belay.node.request("GET", f"/api/v1/namespaces/{NAMESPACE}")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_an_edited_policy_is_in_force_on_all_replicas_within_5_seconds(belay, record):
    assert belay.all_say(True, TENANT, GOOD)
    for what, allowed, registries in (("a new policy", False, "elsewhere.corp"), ("an edit", True, "registry.corp:5000")):
        begun = time.monotonic()
        belay.apply_policy("edited", {"registryAllowed": {"allow": [f"{registries}/**"]}})
        belay.until(lambda: belay.all_say(allowed, TENANT, GOOD))
        record(f"from {what} to its verdict on all replicas", time.monotonic() - begun, 5)
        assert belay.verdict(TENANT, GOOD) == ("admitted" if allowed else "denied")

    belay.node.kubectl("-n", NAMESPACE, "delete", "configmap", "edited")
    assert belay.verdict(TENANT, GOOD) == "admitted" and belay.verdict(TENANT, BAD) == "denied"


def test_A1_rolling_restarts_under_load_lose_no_admission(belay, record):
    with Load(belay.node, TENANT, threads=4, per_second=PER_SECOND) as load:
        load.wait_for(PER_SECOND)
        for _ in range(RESTARTS):
            restart(belay)
            load.wait_for(20)
    record(f"admissions a second during {RESTARTS} restarts", (load.admitted + load.denied) / load.seconds)
    assert load.failures == []
    assert load.wrong == []
    belay.until_ready()


def test_A2_a_killed_replica_is_made_up_for_within_2_seconds(belay, record):
    before = restarts(belay)
    with Load(belay.node, TENANT, threads=4, per_second=PER_SECOND) as load:
        load.wait_for(PER_SECOND)
        answered = {pod["metadata"]["name"]: belay.answered(pod) for pod in belay.ready_pods()}
        load.wait_for(PER_SECOND)
        busiest = max(belay.ready_pods(), key=lambda pod: belay.answered(pod) - answered[pod["metadata"]["name"]])
        killed = time.monotonic()
        belay.kill(busiest)
        load.wait_for(3 * PER_SECOND)
    outage = max((failure.time - killed for failure in load.failures), default=0)
    record(f"outage after kill -9 ({len(load.failures)} failed)", outage, 2)
    assert load.wrong == []
    belay.until(lambda: restarts(belay) == before + 1)
    belay.until_ready()


def test_A3_a_drain_never_leaves_fewer_than_two_ready(belay):
    node = belay.node
    words = ["drain", node.name, "--ignore-daemonsets", "--delete-emptydir-data", "--pod-selector=app.kubernetes.io/name=belay"]
    drain = subprocess.Popen([str(node.programs / "kubectl"), *words], env=node.environment(), text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        until(lambda: len(belay.ready_pods()) == REPLICAS - 1)  # one is evicted; there is no other node for it
        end = time.monotonic() + 8  # kubectl asks again every 5 s
        while time.monotonic() < end:
            assert len(belay.ready_pods()) >= REPLICAS - 1
            time.sleep(0.2)
        assert drain.poll() is None, drain.stdout.read()
        assert belay.verdict(TENANT, BAD) == "denied"
    finally:
        drain.terminate()
        said, _ = drain.communicate()
        node.kubectl("uncordon", node.name)
    assert "disruption budget" in said, said
    belay.until_ready()


def test_A4_load_restarts_no_replica(belay):
    before = restarts(belay)
    with Load(belay.node, TENANT, threads=16) as load:
        load.wait_for(3000, 120)
    assert load.failures == [] and load.wrong == []
    assert restarts(belay) == before


def test_A5_without_replicas_tenants_are_refused_and_the_system_is_not(belay):
    node = belay.node
    node.kubectl("-n", NAMESPACE, "scale", "deployment", RELEASE, "--replicas=0")
    until(lambda: not belay.pods() and "failed calling webhook" in belay.verdict(TENANT, GOOD))
    assert belay.verdict("kube-system", GOOD) == "admitted"
    assert belay.verdict(NAMESPACE, restricted(GOOD)) == "admitted"

    # The way out when belay cannot come back: its name is in the refusal.
    assert node.kubectl("delete", "validatingwebhookconfiguration", "belay").returncode == 0
    belay.until(lambda: belay.verdict(TENANT, GOOD) == "admitted")

    # The way back.
    belay.upgrade()
    belay.until_ready()
    belay.until_denied(TENANT, BAD)


def test_A6_belay_comes_back_when_all_its_pods_are_deleted(belay, record):
    begun = time.monotonic()
    done = belay.node.kubectl("-n", NAMESPACE, "delete", "pods", "--all", "--force", "--grace-period=0", "--wait=false")
    assert done.returncode == 0, done.stderr
    belay.until_ready()
    belay.until_denied(TENANT, BAD)
    record("from the deletion of all pods to a verdict of three", time.monotonic() - begun)


def test_A7_everything_is_back_3_minutes_after_a_power_cut(belay, record):
    node = belay.node
    belay.apply({**objects.deployment("tenant", "localhost/pause:1", replicas=2),
                 "metadata": {"name": "tenant", "namespace": TENANT}})
    until(lambda: ready_replicas(node, TENANT, "tenant") == 2)
    node.power_off()
    begun, since = time.monotonic(), datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    node.power_on()
    until(lambda: every_pod_is_ready(node, since))
    belay.until_ready()
    belay.until(lambda: belay.verdict(TENANT, BAD) == "denied" and belay.verdict(TENANT, GOOD) == "admitted")
    record("from power on to all pods ready", time.monotonic() - begun, 180)
    # What ran before must be made anew without help, too.
    node.kubectl("-n", TENANT, "delete", "pods", "--all", "--force", "--grace-period=0")
    until(lambda: ready_replicas(node, TENANT, "tenant") == 2)
    node.kubectl("-n", TENANT, "delete", "deployment", "tenant")


def test_helm_test_sees_a_denial(belay):
    if not (image.SOURCES / "charts/belay/templates/tests").exists():
        pytest.skip("the chart has no test")
    said = belay.helm("test", RELEASE)
    assert "Succeeded" in said, said


def test_an_upgrade_and_a_rollback_lose_no_admission(belay):
    revision = json.loads(belay.helm("history", RELEASE, "-o", "json"))[-1]["revision"]
    with Load(belay.node, TENANT, threads=4, per_second=PER_SECOND) as load:
        belay.upgrade("--set", "replicaCount=2", "--set", "podLabels.tried=upgrade", "--wait")
        belay.until_ready(2)
        load.wait_for(20)
        belay.helm("rollback", RELEASE, str(revision), "--wait")
        belay.until_ready()
        load.wait_for(20)
    assert load.failures == []
    assert load.wrong == []
    assert not [pod for pod in belay.pods() if "tried" in pod["metadata"]["labels"]]


def test_every_right_of_the_chart_is_used_and_none_is_missing(belay):
    node = belay.node
    # What happens seldom: a namespace that is asked about before it is seen, a lost certificate, a lost lease,
    # and a policy that does not read, which got in while the webhook was away.
    belay.apply_policy("selecting", {"tagRequired": {}}, match={"namespaceSelector": {"matchLabels": {"tried": "yes"}}})
    belay.until(lambda: not belay.answer_of(belay.ready_pods()[0], "never-seen", GOOD)["allowed"])
    node.kubectl("-n", NAMESPACE, "delete", "configmap", "selecting")
    node.kubectl("-n", NAMESPACE, "delete", "secret/belay-tls", "lease/belay")
    until(lambda: node.kubectl("-n", NAMESPACE, "get", "secret/belay-tls", "lease/belay").returncode == 0)
    node.kubectl("delete", "validatingwebhookconfiguration", "belay")
    belay.apply_policy("broken", {"mutableTags": {}})
    until(lambda: "mutableTags" in node.kubectl("-n", NAMESPACE, "get", "events").stdout)
    node.kubectl("-n", NAMESPACE, "delete", "configmap", "broken")
    belay.upgrade()
    belay.until_denied(TENANT, BAD)

    events = [event for event in node.audit_events() if event["user"]["username"] == SERVICE_ACCOUNT]
    used = {(event["verb"], event["objectRef"].get("apiGroup", ""), event["objectRef"]["resource"],
             event["objectRef"].get("name", "")) for event in events if "objectRef" in event}
    refused = sorted({f"{event['verb']} {event['requestURI']}" for event in events
                      if event.get("responseStatus", {}).get("code") == 403})
    assert used and not refused, refused

    unused = []
    for role in roles(node):
        for rule in role["rules"]:
            for verb in rule["verbs"]:
                for group in rule["apiGroups"]:
                    for resource in rule["resources"]:
                        for name in rule.get("resourceNames") or [None]:
                            if not any(one[:3] == (verb, group, resource) and name in (None, one[3]) for one in used):
                                unused.append(f"{role['kind']} {role['metadata']['name']}: {verb} {resource} {name or ''}")
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
            if role["kind"] == "ClusterRole":
                assert "secrets" not in rule["resources"]
    assert unused == []


def test_uninstalling_leaves_nothing(belay):
    node = belay.node
    belay.helm("uninstall", RELEASE, "--wait")
    until(lambda: not belay.pods())
    assert belay.verdict(TENANT, BAD) == "admitted"
    kinds = ",".join(node.kubectl("api-resources", "--verbs=list", "-o", "name").stdout.split())
    for label in ("app.kubernetes.io/name=belay", "app.kubernetes.io/instance=belay"):
        until(lambda: names(node, kinds, "-A", "-l", label) == [])
    assert [name for name in names(node, "secrets,leases,configmaps,serviceaccounts,services", "-n", NAMESPACE)
            if "belay" in name] == []
    assert names(node, "validatingwebhookconfigurations,mutatingwebhookconfigurations,customresourcedefinitions") == []


def test_the_readme_installs_belay_word_by_word(fresh):
    node, helm = fresh.node, assets.find("helm")
    node.inside("ctr", "--namespace", "k8s.io", "images", "tag", f"{image.NAME}:{fresh.tag}", "docker.io/library/belay:0.1.0")
    environment = {**node.environment(), "PATH": f"{helm}:{node.environment()['PATH']}"}
    commands = re.findall(r"^\$ ((?:helm|kubectl) .*)$", (SOURCES / "README.md").read_text(), re.MULTILINE)
    assert len(commands) == 3

    def run(command):
        return subprocess.run(command, shell=True, cwd=SOURCES, env=environment, text=True, capture_output=True, timeout=180)
    for command in commands[:-1]:
        done = run(command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}{fresh.story()}"
    done = run(commands[-1])
    assert done.returncode == 1 and "mutable-tag" in done.stderr, done.stdout + done.stderr
    assert "Succeeded" in fresh.helm("test", RELEASE)
    fresh.helm("uninstall", RELEASE, "--wait")


# -- what the chapters share --------------------------------------------------------------------------


def restart(belay) -> None:
    node = belay.node
    assert node.kubectl("-n", NAMESPACE, "rollout", "restart", f"deployment/{RELEASE}").returncode == 0
    done = node.kubectl("-n", NAMESPACE, "rollout", "status", f"deployment/{RELEASE}", "--timeout=120s", timeout=130)
    assert done.returncode == 0, done.stdout + done.stderr + belay.story()


def restarts(belay) -> int:
    return sum(status["restartCount"] for pod in belay.pods() for status in pod["status"]["containerStatuses"])


def ready_replicas(node, namespace: str, name: str) -> int:
    return node.request("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")["status"].get("readyReplicas", 0)


def every_pod_is_ready(node, since: datetime.datetime) -> bool:
    """Ready in containers that were started later than `since`: the API server remembers older ones."""
    pods = node.request("GET", "/api/v1/pods")["items"]
    return bool(pods) and all(
        any(condition["type"] == "Ready" and condition["status"] == "True" for condition in pod["status"]["conditions"])
        and all(datetime.datetime.fromisoformat(status["state"]["running"]["startedAt"].replace("Z", "+00:00")) >= since
                for status in pod["status"]["containerStatuses"] if "running" in status["state"])
        for pod in pods)


def restricted(one: dict) -> dict:
    """The pod as the restricted standard wants it."""
    container = {**one["spec"]["containers"][0], "securityContext": {
        "allowPrivilegeEscalation": False, "runAsNonRoot": True, "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"}}}
    return {**one, "spec": {**one["spec"], "containers": [container]}}


def roles(node) -> list[dict]:
    listed = json.loads(node.kubectl("get", "clusterroles,roles", "-A", "-l", f"app.kubernetes.io/instance={RELEASE}", "-o",
                                     "json").stdout)["items"]
    assert listed
    return listed


def names(node, kinds: str, *words: str) -> list[str]:
    return node.kubectl("get", kinds, *words, "-o", "name", "--ignore-not-found").stdout.split()
