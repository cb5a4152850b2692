"""Fixtures: a real control plane, belay behind its Service, and kubectl.

One control plane serves a whole run of pytest. The program under test comes from $BELAY_PROGRAM
(default build/release/belay). Where Kubernetes' programs can neither be found nor built, every test
is skipped by name, and a run in which nothing but skips happened ends with status 77.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(os.environ.get("BELAY_SOURCE_DIR") or Path(__file__).resolve().parents[2])
sys.path[:0] = [str(SOURCES / "tests"), str(Path(__file__).resolve().parent)]

from belay import Belay  # noqa: E402
from cluster import assets, webhook  # noqa: E402
from cluster.control_plane import ApiError, ControlPlane  # noqa: E402
from cluster.rollout import ROLLOUT_DEFINITION  # noqa: E402
from cluster.webhook import MUTATING, VALIDATING  # noqa: E402
import objects  # noqa: E402
from support.pytest_parts import program, pytest_sessionfinish  # noqa: E402, F401
from support.waiting import until  # noqa: E402

FLAGS = ["--namespace-labels", "shop:environment=prod", "--namespace-labels", "labelled:environment=test",
         "--extra-template", "argoproj.io/Rollout:spec.template"]
ROLLOUT_RULE = {"apiGroups": ["argoproj.io"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"],
                "scope": "Namespaced", "resources": ["rollouts"]}

_numbers = itertools.count(1)


class Cluster:
    """The control plane with belay in it, as tests use it."""

    def __init__(self, control_plane: ControlPlane, directory: Path, program: Path) -> None:
        self.control_plane = control_plane
        self.request = control_plane.request
        self.policies = directory / "policies"
        shutil.copytree(Path(__file__).parent / "policies", self.policies)
        self._directory, self._program = directory, program
        self._certificates = directory / "certificates"
        self.replicas: list[Belay] = []  # behind the Service
        self._started: list[Belay] = []

    # -- belay ------------------------------------------------------------------------------------

    def add_replica(self, policies: Path | None = None, behind_service: bool = True) -> Belay:
        """Starts a replica; puts it behind the Service if asked to. forget() ends it."""
        belay = Belay(self._program, self.control_plane.host_address, policies or self.policies, self._certificates,
                      self._directory / f"belay-{next(_numbers)}.log", FLAGS)
        self._started.append(belay)
        belay.start()
        if behind_service:
            self.replicas.append(belay)
            self._endpoint(belay, ready=True)
        return belay

    def take_out(self, belay: Belay) -> None:
        """What the EndpointSlice controller does when a pod begins to end."""
        self._endpoint(belay, ready=False)

    def forget(self, belay: Belay) -> None:
        """Ends a replica and removes every trace of it."""
        if belay in self.replicas:
            self.replicas.remove(belay)
            self.request("DELETE", f"/apis/discovery.k8s.io/v1/namespaces/{webhook.NAMESPACE}/endpointslices/"
                                   f"{webhook.SERVICE}-{belay.port}")
        belay.kill()

    def close(self) -> None:
        for belay in self._started:
            belay.kill()

    def _endpoint(self, belay: Belay, ready: bool) -> None:
        one = webhook.endpoint_slice(str(belay.port), belay.address, belay.port, ready)
        self.request("PATCH", f"/apis/discovery.k8s.io/v1/namespaces/{webhook.NAMESPACE}/endpointslices/"
                              f"{one['metadata']['name']}?fieldManager=tests", one, "application/apply-patch+yaml")

    def metric(self, name: str, **labels: str) -> float:
        """Over all replicas: which one answers is the API server's choice."""
        return sum(belay.metric(name, **labels) for belay in self.replicas)

    def register(self) -> None:
        """Both webhook configurations, as a chart installs them; returns when they are in force."""
        ca = (self._certificates / "ca.crt").read_bytes()
        rules = [*webhook.RULES, ROLLOUT_RULE]
        exempt = webhook.exempt("kube-system", webhook.NAMESPACE)
        path = "/apis/admissionregistration.k8s.io/v1/"
        self.request("POST", path + "validatingwebhookconfigurations", webhook.configuration(
            "ValidatingWebhookConfiguration", VALIDATING, "/validate", ca, rules, failurePolicy="Fail",
            namespaceSelector=exempt))
        self.request("POST", path + "mutatingwebhookconfigurations", webhook.configuration(
            "MutatingWebhookConfiguration", MUTATING, "/mutate", ca, rules, failurePolicy="Ignore",
            namespaceSelector=exempt))
        self.until(lambda: self.refuses("shop", objects.pod("probe", objects.BAD)))

    def register_doors(self, namespaces: str, policies: str) -> None:
        """The webhooks for namespaces and for ConfigMaps with policies, by these names."""
        ca = (self._certificates / "ca.crt").read_bytes()
        for one in (
                webhook.configuration("ValidatingWebhookConfiguration", namespaces, "/validate", ca,
                                      webhook.NAMESPACE_RULES, failurePolicy="Fail"),
                webhook.configuration("ValidatingWebhookConfiguration", policies, "/validate-policy", ca,
                                      webhook.POLICY_RULES, failurePolicy="Fail",
                                      objectSelector=webhook.POLICY_SELECTOR)):
            self.request("POST", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", one)

    # -- the cluster --------------------------------------------------------------------------------

    def namespace(self, prefix: str) -> str:
        """A new namespace; the prefix chooses the policy (see policies/)."""
        name = f"{prefix}-{next(_numbers)}"
        self.make_namespace(name)
        return name

    def make_namespace(self, name: str) -> None:
        self.request("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace",
                                                    "metadata": {"name": name}})
        if self.control_plane.has_controllers:  # pods need the ServiceAccount that a controller makes
            self.until(lambda: self.exists(f"/api/v1/namespaces/{name}/serviceaccounts/default"))

    def exists(self, path: str) -> bool:
        try:
            self.request("GET", path)
            return True
        except ApiError as error:
            if error.code != 404:
                raise
            return False

    def replica_sets(self, namespace: str, deployment: str) -> list[dict]:
        """Those that the Deployment owns."""
        return [one for one in self.request("GET", f"/apis/apps/v1/namespaces/{namespace}/replicasets")["items"]
                if any(owner["name"] == deployment for owner in one["metadata"].get("ownerReferences", []))]

    def refuses(self, namespace: str, one: dict) -> bool:
        """Whether belay denies creating the pod, found out by a dry run."""
        try:
            self.request("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", one)
            return False
        except ApiError as error:
            assert error.code == 403 and VALIDATING in str(error), error
            return True

    def kubectl(self, command: str, namespace: str, one: dict | None = None, environment: dict | None = None,
                *words: str) -> subprocess.CompletedProcess:
        """`command` is parted at blanks; `words` are taken as they are; `one` goes to standard input."""
        return self.control_plane.kubectl("-n", namespace, *command.split(), *words,
                                          input=json.dumps(one) if one else None, environment=environment)

    def admitted(self, command: str, namespace: str, one: dict | None = None, environment: dict | None = None,
                 *words: str) -> subprocess.CompletedProcess:
        """The same, where it must succeed without a warning."""
        done = self.kubectl(command, namespace, one, environment, *words)
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr, done.stderr
        return done

    def denied(self, command: str, namespace: str, one: dict | None = None, environment: dict | None = None,
               *words: str) -> Denial:
        """The same, where belay must deny it."""
        done = self.kubectl(command, namespace, one, environment, *words)
        assert done.returncode == 1, f"was admitted: {done.stdout}{done.stderr}"
        return Denial(done.stderr)

    def ask_about(self, namespace: str, one: dict, belay: Belay | None = None) -> dict:
        """The response of one replica to a review of creating the pod, for what the API server itself would
        not send or sends to another."""
        return self._ask(belay or self.replicas[0], {
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
                "uid": "1", "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": {"group": "", "version": "v1", "resource": "pods"}, "name": one["metadata"]["name"],
                "namespace": namespace, "operation": "CREATE", "userInfo": {"username": "admin"}, "object": one,
                "oldObject": None, "dryRun": False}})["response"]

    def verdicts(self, namespace: str, one: dict) -> set[bool]:
        """Whether creating the pod is allowed, said by each replica behind the Service: for a moment by both words."""
        return {self.ask_about(namespace, one, belay)["allowed"] for belay in self.replicas}

    def _ask(self, belay: Belay, review: dict) -> dict:
        tls = ssl.create_default_context(cafile=str(self._certificates / "ca.crt"))
        connection = http.client.HTTPSConnection(belay.address, belay.port, timeout=10)
        connection.sock = tls.wrap_socket(socket.create_connection((belay.address, belay.port), 10),
                                          server_hostname=webhook.SERVER_NAME)
        try:
            connection.request("POST", "/validate?timeout=5s", json.dumps(review), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert answer.status == 200
            return json.loads(answer.read())
        finally:
            connection.close()

    until = staticmethod(until)


def warnings_of(done: subprocess.CompletedProcess) -> list[str]:
    return [line.removeprefix("Warning: ") for line in done.stderr.splitlines() if line.startswith("Warning: ")]


class Denial:
    """What kubectl shows of a denial, taken apart."""

    def __init__(self, text: str) -> None:
        self.text = text
        begin = f'admission webhook "{VALIDATING}" denied the request: '
        assert begin in text, text
        self.prefix, said = text.split(begin, 1)
        lines = said.rstrip("\n").split("\n")
        self.head = lines[0]
        self.findings = [line[2:] for line in lines[1:] if line.startswith("  ")]
        self.rules = [line.split("  ")[0] for line in self.findings]


@pytest.fixture(scope="session")
def control_plane():
    try:
        with ControlPlane(audit=True) as running:
            yield running
    except assets.Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def bare_cluster(control_plane, tmp_path_factory, program):
    """belay runs, but the API server does not know of it yet: the place to make objects that it would
    refuse, in the namespace shop-old."""
    cluster = Cluster(control_plane, tmp_path_factory.mktemp("e2e"), program)
    try:
        for one in webhook.service_objects(control_plane.host_address, {}):
            kind = {"Namespace": "namespaces", "Service": f"namespaces/{webhook.NAMESPACE}/services"}[one["kind"]]
            cluster.request("POST", f"/api/v1/{kind}", one)
        cluster.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", ROLLOUT_DEFINITION)
        for _ in range(2):
            cluster.add_replica()
        for name in ("shop", "shop-old", "labelled"):
            cluster.make_namespace(name)
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(scope="session")
def cluster(bare_cluster, old_objects):
    bare_cluster.register()
    return bare_cluster


@pytest.fixture(scope="session")
def old_objects(bare_cluster):
    """Objects in shop-old that violate the policy and were there before it, the ReplicaSets of its
    Deployments among them: once the policy is in force, no controller can make those any more."""
    def make(path, one):
        bare_cluster.request("POST", path.format("shop-old"), one)

    held = {"finalizers": ["example.com/hold"]}
    for name in ("running", "held", "imaged", "labelled"):
        make("/api/v1/namespaces/{}/pods", objects.pod(name, objects.BAD, metadata=held if name == "held" else {}))
    deployments = ("scaled", "rolled", "imaged", "events")
    for name in deployments:
        make("/apis/apps/v1/namespaces/{}/deployments", objects.deployment(name, objects.BAD))
    for name, schedule in (("nightly", "0 3 1 1 *"), ("often", "* * * * *")):
        make("/apis/batch/v1/namespaces/{}/cronjobs", objects.workload("CronJob", name, objects.BAD, schedule=schedule))
    if bare_cluster.control_plane.has_controllers:
        bare_cluster.until(lambda: all(bare_cluster.replica_sets("shop-old", name) for name in deployments))


@pytest.fixture
def shop(cluster):
    """A new namespace under the policy "production"."""
    return cluster.namespace("shop")
