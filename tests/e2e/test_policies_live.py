"""Policies from ConfigMaps, followed live by two replicas with the rights that the chart gives them, on a real
API server. Reviews are put to each replica itself, so that "in force" means: on this one."""

import base64
import hashlib
import http.client
import json
import os
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

import objects
from belay import Belay
from cluster import webhook
from cluster.control_plane import ApiError
from conftest import SOURCES, Cluster

NAMESPACE = webhook.NAMESPACE
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:belay"
SECONDS_TO_FORCE = 5
RELOADS = int(os.environ.get("BELAY_E2E_RELOADS", "1000"))
STATUS = "belay.dev/status"

# What the chart's roles allow, tenants' policies included.
OWN_RULES = [
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch", "create", "patch"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["belay"],
     "verbs": ["get", "update", "patch"]},
]
CLUSTER_RULES = [
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch", "patch"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
]


def policy(name: str, *tags: str, more: str = "") -> str:
    """A policy that refuses these tags and no other, so that a verdict tells which text is in force."""
    return (f"apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata:\n  name: {name}\nspec:\n  rules:\n"
            f"    mutableTag:\n      tags: [{', '.join(tags)}]\n{more}")


def revision(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Reviews:
    """A connection to one replica that stays open."""

    def __init__(self, belay: Belay, certificates: Path) -> None:
        tls = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
        self._connection = http.client.HTTPSConnection(belay.address, belay.port, timeout=10)
        self._connection.sock = tls.wrap_socket(socket.create_connection((belay.address, belay.port), 10),
                                                server_hostname=webhook.SERVER_NAME)

    def ask(self, tag: str, namespace: str = "shop") -> dict:
        return self.ask_about(f"registry.corp:5000/shop/web:{tag}", namespace)

    def ask_about(self, image: str, namespace: str) -> dict:
        self._connection.request("POST", "/validate?timeout=5s", json.dumps({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
                "uid": "1", "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": {"group": "", "version": "v1", "resource": "pods"}, "name": "web",
                "namespace": namespace, "operation": "CREATE", "userInfo": {"username": "admin"},
                "object": objects.pod("web", image), "oldObject": None,
                "dryRun": False}}), {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        text = answer.read().decode()
        assert answer.status == 200, text
        return json.loads(text)["response"]

    def refuses(self, tag: str, namespace: str = "shop") -> bool:
        return not self.ask(tag, namespace)["allowed"]

    def close(self) -> None:
        self._connection.close()


class Live:
    """Two replicas of `belay serve --kubeconfig`, and the ConfigMaps that they follow."""

    def __init__(self, control_plane, directory: Path, program: Path) -> None:
        self.control_plane, self.directory = control_plane, directory
        self.request = control_plane.request
        self._program = program
        self.certificates = directory / "certificates"
        self.replicas: list[Belay] = []
        self.reviews: dict[str, Reviews] = {}

    # -- belay --------------------------------------------------------------------------------------

    def install(self) -> None:
        for name in (NAMESPACE, "shop", "office"):
            self.request("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace",
                                                        "metadata": {"name": name}})
        self.request("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
                     {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "belay"}})
        for kind, path, rules in (("Role", f"namespaces/{NAMESPACE}/role", OWN_RULES),
                                  ("ClusterRole", "clusterrole", CLUSTER_RULES)):
            api = "rbac.authorization.k8s.io"
            self.request("POST", f"/apis/{api}/v1/{path}s", {
                "apiVersion": f"{api}/v1", "kind": kind, "metadata": {"name": "belay"}, "rules": rules})
            self.request("POST", f"/apis/{api}/v1/{path}bindings", {
                "apiVersion": f"{api}/v1", "kind": kind + "Binding", "metadata": {"name": "belay"},
                "roleRef": {"apiGroup": api, "kind": kind, "name": "belay"},
                "subjects": [{"kind": "ServiceAccount", "name": "belay", "namespace": NAMESPACE}]})
        token = self.request("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/belay/token", {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})["status"]["token"]
        authority = (self.control_plane.directory / "pki" / "apiserver.crt").read_bytes()
        self.kubeconfig = self.directory / "belay.kubeconfig"
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": {
                "server": self.control_plane.server,
                "certificate-authority-data": base64.b64encode(authority).decode()}}],
            "users": [{"name": "belay", "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "belay"}}]}))

    def replica(self, pod: str, namespace: str = NAMESPACE, tenants: bool = True) -> Belay:
        belay = Belay(self._program, self.control_plane.host_address, None, self.certificates,
                      self.directory / f"{pod}.log",
                      ["--kubeconfig", str(self.kubeconfig), "--namespace", namespace, "--pod-name", pod,
                       *(["--tenant-policies"] if tenants else [])])
        belay.pod = pod
        return belay

    def start(self, pod: str, tenants: bool = True) -> Belay:
        belay = self.replica(pod, tenants=tenants)
        self.replicas.append(belay)
        belay.start()
        self.reviews[pod] = Reviews(belay, self.certificates)
        return belay

    def end(self, belay: Belay) -> None:
        """As Kubernetes ends a pod."""
        self.reviews.pop(belay.pod).close()
        self.replicas.remove(belay)
        belay.terminate()
        belay.wait()

    def close(self) -> None:
        for belay in self.replicas:
            belay.kill()

    def leader(self) -> str:
        try:
            spec = self.request("GET", f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/belay")["spec"]
        except ApiError as error:
            assert error.code == 404, error
            return ""
        return spec.get("holderIdentity", "")

    # -- ConfigMaps ---------------------------------------------------------------------------------

    def put(self, name: str, text: str, namespace: str = NAMESPACE, key: str = "policy.yaml") -> None:
        """Creates the ConfigMap or edits its one policy."""
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        try:
            self.request("PATCH", f"{path}/{name}", {"data": {key: text}}, "application/merge-patch+json")
        except ApiError as error:
            if error.code != 404:
                raise
            self.request("POST", path, {
                "apiVersion": "v1", "kind": "ConfigMap", "data": {key: text},
                "metadata": {"name": name, "labels": {"belay.dev/policy": "true"}}})

    def get(self, name: str, namespace: str = NAMESPACE) -> dict:
        return self.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    def delete(self, name: str, namespace: str = NAMESPACE) -> None:
        self.request("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    def status(self, name: str, namespace: str = NAMESPACE) -> str:
        return self.get(name, namespace)["metadata"].get("annotations", {}).get(STATUS, "")

    def events(self, name: str, namespace: str = NAMESPACE) -> list[dict]:
        return [event for event in self.request("GET", f"/api/v1/namespaces/{namespace}/events")["items"]
                if event["involvedObject"].get("name") == name]

    # -- verdicts -----------------------------------------------------------------------------------

    def refused(self, tag: str, namespace: str = "shop") -> bool:
        """By every replica; they must agree."""
        verdicts = {reviews.refuses(tag, namespace) for reviews in self.reviews.values()}
        assert len(verdicts) == 1, f"the replicas disagree about {tag} in {namespace}"
        return verdicts.pop()

    def everywhere(self, tag: str, refused: bool = True, namespace: str = "shop") -> float:
        """Waits until every replica says so. Returns the seconds it took."""
        began = time.monotonic()
        Cluster.until(lambda: all(reviews.refuses(tag, namespace) == refused for reviews in self.reviews.values()),
                      SECONDS_TO_FORCE)
        return time.monotonic() - began


@pytest.fixture(scope="module")
def live(control_plane, tmp_path_factory):
    program = Path(os.environ.get("BELAY_PROGRAM") or SOURCES / "build/release/belay")
    assert program.exists(), f"no program at {program}: build it, or set BELAY_PROGRAM"
    live = Live(control_plane, tmp_path_factory.mktemp("live"), program)
    try:
        live.install()
        live.put("production", policy("production", "latest"))
        for number in range(2):
            live.start(f"belay-{number}")
        yield live
    finally:
        live.close()


@pytest.fixture(autouse=True)
def as_installed(live):
    """Each test begins with one policy in force, that refuses `latest`."""
    live.put("production", policy("production", "latest"))
    live.everywhere("latest")
    yield


def test_A14_an_edited_policy_is_in_force_on_every_replica_within_seconds(live, record_property):
    seconds = []
    for number in range(10):
        live.put("production", policy("production", f"moving-{number}"))
        seconds.append(live.everywhere(f"moving-{number}"))
        assert not live.refused("latest")
    record_property("seconds_to_force", max(seconds))
    print(f"an edit is in force on both replicas after {max(seconds):.3f} s at most")
    assert max(seconds) < SECONDS_TO_FORCE


def test_a_denial_names_the_ConfigMap(live):
    (reviews, *_) = live.reviews.values()
    answer = reviews.ask("latest")
    assert f"Policy: ConfigMap {NAMESPACE}/production" in answer["status"]["message"]
    assert answer["auditAnnotations"]["revision"] == revision(policy("production", "latest"))


def test_A13_a_policy_that_breaks_leaves_the_last_good_one_in_force_and_its_author_sees_where(live):
    good = policy("production", "latest")
    Cluster.until(lambda: live.status("production") == f"in force: production (revision {revision(good)})")
    failures = [belay.metric("belay_policy_reload_total", result="failure") for belay in live.replicas]
    live.put("production", policy("production", "edge", more="    mutableTags: {}\n"))
    Cluster.until(lambda: live.status("production").startswith("invalid"))
    lines = live.status("production").splitlines()
    assert lines[0] == f"invalid, last good revision {revision(good)} of production stays in force:"
    assert lines[1].startswith("data[policy.yaml]:9:5: spec.rules.mutableTags: unknown key"), lines
    assert 'did you mean "mutableTag"?' in lines[1] or "mutableTag" in lines[1], lines

    Cluster.until(lambda: all(belay.metric("belay_policy_reload_total", result="failure") > before
                              and belay.metric("belay_policies", state="last_good") == 1
                              for belay, before in zip(live.replicas, failures)))
    assert live.refused("latest") and not live.refused("edge")
    assert all(belay.ready() for belay in live.replicas)

    def warnings():
        return [event for event in live.events("production") if event["reason"] == "PolicyInvalid"]
    (warning,) = Cluster.until(warnings)
    assert warning["type"] == "Warning"
    assert "data[policy.yaml]:9:5: " in warning["message"] and "production" in warning["message"]
    assert warning["reportingInstance"] == live.leader()

    live.put("production", good)
    Cluster.until(lambda: live.status("production").startswith("in force: "))
    assert [event["type"] for event in live.events("production") if event["reason"] == "PolicyInForce"] != []
    Cluster.until(lambda: all(belay.metric("belay_policies", state="last_good") == 0 for belay in live.replicas))


def test_what_kubectl_shows_of_a_broken_policy_helps(live):
    live.put("production", policy("production", "edge", more="    mutableTags: {}\n"))
    Cluster.until(lambda: live.status("production").startswith("invalid"))
    shown = live.control_plane.kubectl("-n", NAMESPACE, "describe", "configmap", "production").stdout
    print(shown)
    assert "stays in force" in shown and "PolicyInvalid" in shown


def test_policies_add_up_and_go_with_their_ConfigMap(live):
    live.put("more", policy("more", "edge"))
    live.everywhere("edge")
    assert live.refused("latest")
    live.delete("more")
    live.everywhere("edge", refused=False)
    assert live.refused("latest")

    live.put("more", policy("more", "edge"))
    live.everywhere("edge")
    live.control_plane.kubectl("-n", NAMESPACE, "label", "configmap", "more", "belay.dev/policy-")
    live.everywhere("edge", refused=False)
    live.delete("more")


def test_B18_the_last_policy_of_the_cluster_does_not_go_with_its_ConfigMap(live):
    live.delete("production")
    Cluster.until(lambda: all(belay.metric("belay_policies", state="last_good") == 1 for belay in live.replicas))
    assert live.refused("latest")
    live.put("production", policy("production", "edge"))
    live.everywhere("edge")
    assert not live.refused("latest")


def test_B18_a_replica_that_never_read_a_policy_is_not_ready(live):
    """Nor does it need to lead, or be able to, to become ready: it may not touch the Lease of that namespace."""
    lonely = live.replica("lonely", namespace="office", tenants=False)
    lonely.launch()
    try:
        Cluster.until(lambda: "not ready: no policy has been read" in lonely.log())
        assert "namespace office: contains no policy" in lonely.log()
        assert not lonely.ready()
        live.put("first", "kind: ImagePolicy\n", "office")
        Cluster.until(lambda: lonely.metric("belay_policy_reload_total", result="failure") >= 2)
        assert not lonely.ready()
        live.put("first", policy("first", "first"), "office")
        Cluster.until(lonely.ready, SECONDS_TO_FORCE)
    finally:
        lonely.kill()
        live.delete("first", "office")


def test_B18_a_tenants_policy_narrows_its_own_namespace_and_loosens_nothing(live):
    everything = policy("production", "edge", more=(
        "  match: {namespaces: ['*']}\n  exemptions:\n"
        "    - {images: ['registry.corp:5000/**'], namespaces: ['*'], reason: we would like that}\n"))
    live.put("production", everything, "office")
    live.put("strict", policy("strict", "v1"), "office")
    live.everywhere("v1", namespace="office")
    assert live.refused("latest", "office") and live.refused("latest", "shop")
    assert not live.refused("v1", "shop") and not live.refused("edge", "shop")
    Cluster.until(lambda: live.status("strict", "office").endswith(" for namespace office"))
    assert [event["reason"] for event in live.events("strict", "office")] == ["PolicyInForce"]
    # without the right to it, tenants' ConfigMaps are not even looked at
    alone = live.start("belay-alone", tenants=False)
    try:
        assert not live.reviews["belay-alone"].refuses("v1", "office")
        assert live.reviews["belay-alone"].refuses("latest", "office")
    finally:
        live.end(alone)
    for name in ("production", "strict"):
        live.delete(name, "office")
    live.everywhere("v1", refused=False, namespace="office")


class Questions(threading.Thread):
    """Puts reviews to one replica without a pause, and notes what it answered by which policy."""

    def __init__(self, belay: Belay, certificates: Path) -> None:
        super().__init__()
        self._reviews, self._end = Reviews(belay, certificates), threading.Event()
        self.revisions: set[str] = set()
        self.asked = 0
        self.wrong: list[dict] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._end.is_set():
                for tag, allowed in (("always", False), ("never", True)):
                    answer = self._reviews.ask(tag)
                    self.asked += 1
                    self.revisions.update(answer.get("auditAnnotations", {}).get("revision", "").split())
                    if answer["allowed"] != allowed:
                        self.wrong.append(answer)
        except BaseException as error:
            self.failure = error

    def end(self) -> None:
        self._end.set()
        self.join()
        self._reviews.close()


def test_A13_A14_no_verdict_comes_from_a_broken_or_half_read_policy(live):
    """A thousand edits, one in ten broken, while both replicas are asked without a pause. Each verdict names the
    revision that it comes from: it must be one of a text that reads."""
    def text(number: int) -> str:
        return policy("production", "always", f"edit-{number}")

    def broken(number: int) -> str:
        kinds = (text(number)[:40 + number % 60], "", text(number).replace("mutableTag:", "mutableTags:"),
                 text(number) + "  mode: audit\n  mode: warn\n", text(number).replace("always, ", "always, ["),
                 text(number).replace("always", "never") + "  unknown: 1\n")
        return kinds[number // 10 % len(kinds)]

    live.put("production", text(0))
    live.everywhere("edit-0")
    questions = [Questions(belay, live.certificates) for belay in live.replicas]
    reloads = [belay.metric("belay_policy_reload_total") for belay in live.replicas]
    for one in questions:
        one.start()
    began = time.monotonic()
    good = {revision(text(0))}
    connection = live.control_plane.connection()
    try:
        for number in range(1, RELOADS + 1):
            content = broken(number) if number % 10 == 5 else text(number)
            if number % 10 != 5:
                good.add(revision(content))
            connection._headers["Content-Type"] = "application/merge-patch+json"
            connection.request("PATCH", f"/api/v1/namespaces/{NAMESPACE}/configmaps/production",
                               json.dumps({"data": {"policy.yaml": content}}))
            answer = connection.getresponse()
            said = answer.read()
            assert answer.status == 200, said
        written = time.monotonic()
        live.everywhere(f"edit-{RELOADS}")
        settled = time.monotonic() - written
    finally:
        connection.close()
        for one in questions:
            one.end()
    asked = sum(one.asked for one in questions)
    print(f"{RELOADS} edits in {written - began:.1f} s, the last in force {settled:.2f} s later; "
          f"{asked} reviews by {len(set.union(*(one.revisions for one in questions)))} revisions")
    for one in questions:
        assert one.failure is None
        assert one.wrong == []
        assert one.revisions <= good
        assert len(one.revisions) > 10
    for belay, before in zip(live.replicas, reloads):
        assert belay.metric("belay_policy_reload_total") >= before + RELOADS
    # What is said in the end is about what is there in the end.
    Cluster.until(lambda: live.status("production") ==
                  f"in force: production (revision {revision(text(RELOADS))})")


def test_A12_the_next_leader_says_what_the_last_did_not_and_repeats_nothing(live):
    latest = f"in force: production (revision {revision(policy('production', 'latest'))})"
    Cluster.until(lambda: live.status("production") == latest)
    before = {event["metadata"]["name"] for event in live.events("production")}
    old = next(belay for belay in live.replicas if belay.pod == live.leader())
    live.end(old)
    Cluster.until(lambda: live.leader() not in ("", old.pod))
    live.put("production", policy("production", "edge"))
    wanted = f"in force: production (revision {revision(policy('production', 'edge'))})"
    Cluster.until(lambda: live.status("production") == wanted)
    live.start(old.pod)
    assert live.leader() != old.pod
    new = [event for event in live.events("production") if event["metadata"]["name"] not in before]
    assert [event["reason"] for event in new] == ["PolicyInForce"]
    assert new[0]["reportingInstance"] == live.leader()


def test_who_wrote_what(live):
    """belay's own hand is in the annotation and nowhere else, and it wrote nothing but what it says it does."""
    Cluster.until(lambda: live.status("production").startswith("in force: "))
    managed = [entry for entry in live.get("production")["metadata"]["managedFields"] if entry["manager"] == "belay"]
    assert [entry["operation"] for entry in managed] == ["Apply"]
    assert managed[0]["fieldsV1"] == {"f:metadata": {"f:annotations": {f"f:{STATUS}": {}}}}
    written = {(event["verb"], event["objectRef"]["resource"], event["objectRef"].get("namespace"))
               for event in live.control_plane.audit_events() if event["user"]["username"] == ACCOUNT}
    allowed = {("create", "leases", NAMESPACE), ("update", "leases", NAMESPACE), ("create", "leases", "office"),  # refused
               *((verb, resource, namespace) for verb, resource in (("patch", "configmaps"), ("create", "events"))
                 for namespace in (NAMESPACE, "office"))}
    assert written <= allowed
    assert {("patch", "configmaps", NAMESPACE), ("create", "events", NAMESPACE),
            ("update", "leases", NAMESPACE)} <= written
