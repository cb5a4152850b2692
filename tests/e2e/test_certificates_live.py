"""The certificate that replicas share through a Secret: from nothing to a call that the API server trusts,
through changes of authority under load, and back from everything that can befall the Secret."""

from __future__ import annotations

import base64
import itertools
import json
import os
import ssl
import subprocess
import time
from pathlib import Path

import pytest

import objects
from belay import Belay
from cluster import webhook
from cluster.control_plane import ApiError
from conftest import MUTATING, SOURCES, VALIDATING, Cluster
from load import Load

ROTATIONS = 10
SECRET = f"/api/v1/namespaces/{webhook.NAMESPACE}/secrets/belay-tls"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{webhook.NAMESPACE}/leases/belay"
ADMISSION = "/apis/admissionregistration.k8s.io/v1/"
CONFIGURATIONS = {"ValidatingWebhookConfiguration": ("validatingwebhookconfigurations", VALIDATING, "/validate"),
                  "MutatingWebhookConfiguration": ("mutatingwebhookconfigurations", MUTATING, "/mutate")}
POLICY = """\
apiVersion: belay.dev/v1alpha1
kind: ImagePolicy
metadata: {name: certificates}
spec:
  match: {namespaces: ["shop", "shop-*"]}
  rules: {mutableTag: {}}
"""
LONG = {"--ca-duration": "30d", "--cert-duration": "10d", "--ca-overlap": "1s", "--lease": "belay",
        "--shutdown-delay": "2"}
_numbers = itertools.count(1)


class Replica(Belay):
    """A replica that follows the Secret belay-tls, and may lead."""

    def __init__(self, live: Live, flags: dict[str, str]) -> None:
        self.name = f"belay-{next(_numbers)}"
        super().__init__(live.program, live.control_plane.host_address, live.policies, live.directory,
                         live.directory / f"{self.name}.log")
        kept = self._command[:self._command.index("--self-signed")]
        self._command = [
            *kept, "--kubeconfig", str(live.control_plane.kubeconfig), "--namespace", webhook.NAMESPACE,
            "--pod-name", self.name, "--tls-secret", "belay-tls", "--webhook-configuration", "belay",
            "--tls-name", webhook.SERVER_NAME, "--policy", str(live.policies),
            *(word for pair in {**LONG, **flags}.items() for word in pair)]

    def serves(self) -> bytes:
        """The certificate of a new connection, in DER."""
        return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((self.address, self.port), timeout=5))


class Live(Cluster):
    """A control plane with such replicas behind the Service, and both webhook configurations."""

    def __init__(self, control_plane, directory, program) -> None:
        super().__init__(control_plane, directory, program)
        self.directory, self.program = directory, program
        self.policies = directory / "certificates.yaml"
        self.policies.write_text(POLICY)
        self.all: list[Replica] = []

    def add(self, **flags: str) -> Replica:
        replica = Replica(self, {"--" + name.replace("_", "-"): value for name, value in flags.items()})
        self._started.append(replica)
        self.all.append(replica)
        replica.start()
        self._endpoint(replica, ready=True)
        return replica

    def end(self, replica: Replica) -> None:
        """As a pod ends: no longer an endpoint, then SIGTERM."""
        self._endpoint(replica, ready=False)
        self.all.remove(replica)
        replica.terminate()
        replica.wait()

    def configure(self) -> None:
        """Both configurations as the chart installs them: without a caBundle."""
        for kind, (resource, name, path) in CONFIGURATIONS.items():
            one = webhook.configuration(kind, name, path, b"", webhook.RULES, failurePolicy="Fail",
                                        namespaceSelector=webhook.exempt("kube-system", webhook.NAMESPACE))
            one["metadata"]["name"] = "belay"
            del one["webhooks"][0]["clientConfig"]["caBundle"]
            self.request("POST", ADMISSION + resource, one)

    def bundles(self) -> list[str]:
        return [base64.b64decode(one["clientConfig"].get("caBundle", "")).decode()
                for resource, _, _ in CONFIGURATIONS.values()
                for one in self.request("GET", f"{ADMISSION}{resource}/belay")["webhooks"]]

    def held(self) -> dict[str, str]:
        """What the Secret holds; nothing where there is none."""
        try:
            data = self.request("GET", SECRET).get("data") or {}
        except ApiError as error:
            assert error.code == 404
            return {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def put(self, **texts: str) -> None:
        """Keys of the Secret, as `tls__crt="…"` for tls.crt."""
        self.request("PATCH", SECRET, {"stringData": {key.replace("__", "."): text for key, text in texts.items()}},
                     "application/merge-patch+json")

    def settled(self, since: dict[str, str], seconds: float = 60) -> dict[str, str]:
        """Waits for another certificate than that of `since`, served by all and trusted; what the Secret holds."""
        def done():
            held = self.held()
            new = held.get("tls.crt", "").startswith("-----BEGIN") and held["tls.crt"] != since.get("tls.crt")
            if not new or "renew" in held:
                return None
            if any(bundle != held["ca.crt"] for bundle in self.bundles()):
                return None
            leaf = ssl.PEM_cert_to_DER_cert(held["tls.crt"])
            return held if all(replica.serves() == leaf for replica in self.all) else None

        try:
            return self.until(done, seconds)
        except AssertionError:
            raise AssertionError("\n".join([f"not within {seconds} s"] + [one.log()[-3000:] for one in self.all])) from None

    def trusted(self) -> bool:
        """Whether the API server reaches a verdict."""
        try:
            return self.refuses("shop", objects.pod("probe", objects.BAD))
        except (ApiError, AssertionError):
            return False


@pytest.fixture(scope="module")
def live(control_plane, tmp_path_factory):
    program = Path(os.environ.get("BELAY_PROGRAM") or SOURCES / "build/release/belay")
    one = Live(control_plane, tmp_path_factory.mktemp("certificates"), program)
    try:
        for made in webhook.service_objects(control_plane.host_address, {}):
            kind = {"Namespace": "namespaces", "Service": f"namespaces/{webhook.NAMESPACE}/services"}[made["kind"]]
            one.request("POST", f"/api/v1/{kind}", made)
        one.make_namespace("shop")
        yield one
    finally:
        one.close()


@pytest.fixture(scope="module")
def replicas(live):
    """Three replicas and their configurations, from nothing."""
    live.configure()
    begun = time.monotonic()
    for _ in range(3):
        live.add()
    live.until(live.trusted)
    live.from_nothing = time.monotonic() - begun
    return live


def load(live, threads: int = 2) -> Load:
    return Load(live.control_plane, "shop", threads)


def test_from_nothing_replicas_get_a_certificate_that_the_api_server_trusts(replicas):
    held = replicas.settled({})
    assert replicas.bundles() == [held["ca.crt"]] * 2
    assert set(held) == {"tls.crt", "tls.key", "ca.crt", "ca.key"}
    assert replicas.request("GET", SECRET)["type"] == "Opaque"
    print(f"trusted {replicas.from_nothing:.1f} s after the first of three replicas started")


def test_A9_ten_changes_of_ca_under_load_break_no_call(replicas):
    slowest = 0.0
    with load(replicas) as running:
        for _ in range(ROTATIONS):
            before = replicas.held()
            begun = time.monotonic()
            replicas.put(renew="ca")
            after = replicas.settled(before)
            assert after["ca.key"] != before["ca.key"]
            slowest = max(slowest, time.monotonic() - begun)
            running.wait_for(10)
    assert running.failures == []
    assert running.wrong == []
    print(f"{ROTATIONS} rotations in {running.seconds:.0f} s, the slowest {slowest:.1f} s: "
          f"{running.admitted + running.denied} calls, 0 failed")


def test_A12_two_leaders_at_once_break_no_call(replicas):
    second = replicas.add(**{"lease": "belay-other"})
    with load(replicas) as running:
        for _ in range(3):
            before = replicas.held()
            replicas.put(renew="ca")
            replicas.settled(before)
    replicas.end(second)
    assert running.failures == []
    assert running.wrong == []


def test_A12_a_change_of_ca_goes_on_where_a_leader_stopped(replicas):
    leader_name = replicas.request("GET", LEASE)["spec"]["holderIdentity"]
    leader = next(one for one in replicas.all if one.name == leader_name)
    before = replicas.held()
    with load(replicas) as running:
        replicas.put(renew="ca")
        replicas.until(lambda: "next-ca.crt" in replicas.held())
        replicas.end(leader)
        after = replicas.settled(before)
    replicas.add()
    assert after["ca.key"] != before["ca.key"]
    assert replicas.request("GET", LEASE)["spec"]["holderIdentity"] != leader_name
    assert running.failures == []


def test_a_deleted_secret_comes_back_and_breaks_no_call(replicas):
    before = replicas.held()
    with load(replicas) as running:
        replicas.request("DELETE", SECRET)
        after = replicas.settled(before)
    assert after["ca.key"] != before["ca.key"]
    assert running.failures == []


@pytest.mark.parametrize("key", ["tls.crt", "tls.key", "ca.crt", "ca.key"])
def test_a_secret_broken_by_hand_is_repaired_and_breaks_no_call(replicas, key):
    before = replicas.held()
    with load(replicas) as running:
        replicas.put(**{key.replace(".", "__"): "broken by hand"})
        after = replicas.settled(before)
    assert (after["ca.key"] == before["ca.key"]) == key.startswith("tls")
    assert running.failures == []
    assert any("Secret belay-tls" in one.log() or "because" in one.log() for one in replicas.all)


def test_a_ca_bundle_that_was_changed_or_created_again_is_published_again(replicas):
    bundle = replicas.held()["ca.crt"]
    resource = CONFIGURATIONS["MutatingWebhookConfiguration"][0]
    replicas.request("PATCH", f"{ADMISSION}{resource}/belay", [
        {"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}], "application/json-patch+json")
    replicas.until(lambda: replicas.bundles() == [bundle] * 2)
    for resource, _, _ in CONFIGURATIONS.values():
        replicas.request("DELETE", f"{ADMISSION}{resource}/belay")
    replicas.configure()
    replicas.until(lambda: replicas.bundles() == [replicas.held()["ca.crt"]] * 2)
    replicas.until(replicas.trusted)


def test_show_explains_the_secret(replicas):
    secret = json.dumps(replicas.request("GET", SECRET))
    done = subprocess.run([replicas.program, "certs", "show", "-"], input=secret, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "issues tls.crt" in done.stdout
    assert webhook.SERVER_NAME in done.stdout
    assert "PRIVATE" not in done.stdout


def test_A8_short_lives_are_renewed_in_time_and_an_expired_certificate_at_once(replicas):
    for one in list(replicas.all):
        replicas.end(one)
    short = {"ca_duration": "30s", "cert_duration": "12s"}
    for _ in range(2):
        replicas.add(**short)
    before = replicas.held()
    replicas.put(renew="ca")  # from now on lives are short
    first = replicas.settled(before)
    leaves, authorities = {first["tls.crt"]}, {first["ca.key"]}
    with load(replicas) as running:
        def renewed():
            held = replicas.held()
            leaves.add(held["tls.crt"])
            authorities.add(held["ca.key"])
            return len(leaves) >= 3 and len(authorities) >= 2
        replicas.until(renewed, 40)
    assert running.failures == []

    for one in list(replicas.all):  # nobody renews
        replicas.end(one)
    held = replicas.held()
    expires = ssl.cert_time_to_seconds(_not_after(held["tls.crt"], replicas.directory))
    replicas.until(lambda: time.time() > expires + 1)
    assert not replicas.trusted()
    begun = time.monotonic()
    replicas.add()
    replicas.until(replicas.trusted)
    print(f"trusted again {time.monotonic() - begun:.1f} s after the start with an expired certificate")


def _not_after(pem: str, directory) -> str:
    path = directory / "leaf.pem"
    path.write_text(pem)
    return ssl._ssl._test_decode_cert(str(path))["notAfter"]
