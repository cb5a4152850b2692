"""Tags pinned to digests through a real API server, before a real registry: what kubectl and controllers
see of it, pull secrets of namespaces, and the tag history in ConfigMaps. Two replicas follow the
cluster with the rights that the chart gives them."""

import base64
import json
import os
from pathlib import Path

import pytest

import objects
from belay import Belay
from cluster import webhook
from cluster.control_plane import ApiError
from conftest import SOURCES, Cluster, warnings_of
from support import images, registry as real
from support.certificates import make_certificate
from support.token_service import TokenService
from test_policies_live import ACCOUNT, NAMESPACE, Live, Reviews

WEB, TEAMS = "open.test/shop/web", "tokens.test"
ADA, BOB = ("ada", "canary-ada-17"), ("bob", "canary-bob-17")
IMAGE = images.Image("shared")
POLICIES = {"pinned": ["shop", "team-*", "none"], "strict": ["strict"], "moved": ["moved"]}
SPECS = {"pinned": "  rules: {tagRequired: {}}\n  pin: {enabled: true}\n",
         "strict": "  rules: {tagRequired: {}}\n  pin: {enabled: true, onRegistryError: deny}\n",
         "moved": "  rules: {tagMoved: {}}\n"}


def policy(name: str) -> str:
    return (f"apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {{name: {name}}}\nspec:\n"
            f"  match: {{namespaces: {json.dumps(POLICIES[name])}}}\n{SPECS[name]}")


class Pinning(Live):
    """Live, with registries, pull secrets, and both webhooks in the API server."""

    def __init__(self, control_plane, directory: Path, program: Path) -> None:
        super().__init__(control_plane, directory, program)
        self.authority = make_certificate(directory, "authority")
        self.open = real.Registry(directory / "open", self.authority)
        self.tokens = TokenService(directory, self.authority, {ADA[0]: (ADA[1], "team-a/"), BOB[0]: (BOB[1], "team-b/")})
        self.teams = real.Registry(directory / "teams", self.authority, tokens=self.tokens)
        self.registries = directory / "registries.yaml"
        place = {"allowPrivate": True, "ca": self.authority[0]}
        self.registries.write_text(json.dumps({"apiVersion": "belay.dev/v1alpha1", "kind": "Registries", "registries": [
            {"host": "open.test", "endpoint": f"https://{self.open.address}", **place},
            {"host": TEAMS, "endpoint": f"https://{self.teams.address}", "tokenHosts": [self.tokens.host], **place}]}))

    def replica(self, pod: str, namespace: str = NAMESPACE, tenants: bool = False) -> Belay:
        belay = Belay(self._program, self.control_plane.host_address, None, self.certificates, self.directory / f"{pod}.log", [
            "--kubeconfig", str(self.kubeconfig), "--namespace", namespace, "--pod-name", pod, "--pull-secrets",
            "--registries", str(self.registries)])
        belay.pod = pod
        return belay

    def install(self) -> None:
        super().install()
        api = "rbac.authorization.k8s.io"
        self.request("POST", f"/apis/{api}/v1/clusterroles", {
            "apiVersion": f"{api}/v1", "kind": "ClusterRole", "metadata": {"name": "belay-pull-secrets"},
            "rules": [{"apiGroups": [""], "resources": ["serviceaccounts", "secrets"], "verbs": ["get"]}]})
        self.request("POST", f"/apis/{api}/v1/clusterrolebindings", {
            "apiVersion": f"{api}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "belay-pull-secrets"},
            "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": "belay-pull-secrets"},
            "subjects": [{"kind": "ServiceAccount", "name": "belay", "namespace": NAMESPACE}]})

    def register(self) -> None:
        for one in webhook.service_objects(self.control_plane.host_address, {
                belay.pod: belay.port for belay in self.replicas})[1:]:
            group = "/apis/discovery.k8s.io/v1" if one["kind"] == "EndpointSlice" else "/api/v1"
            self.request("POST", f"{group}/namespaces/{NAMESPACE}/{one['kind'].lower()}s", one)
        ca = (self.certificates / "ca.crt").read_bytes()
        for kind, name, path, failure in (("ValidatingWebhookConfiguration", webhook.VALIDATING, "/validate", "Fail"),
                                          ("MutatingWebhookConfiguration", webhook.MUTATING, "/mutate", "Ignore")):
            again = {"reinvocationPolicy": "IfNeeded"} if kind.startswith("Mutating") else {}
            self.request("POST", f"/apis/admissionregistration.k8s.io/v1/{kind.lower()}s", webhook.configuration(
                kind, name, path, ca, webhook.RULES, failurePolicy=failure, sideEffects="NoneOnDryRun",
                namespaceSelector=webhook.exempt("kube-system", NAMESPACE), **again))

    def make_namespace(self, name: str) -> None:
        try:
            self.request("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        except ApiError as error:
            assert error.code == 409, error
        if self.control_plane.has_controllers:
            Cluster.until(lambda: self.get_or_none(f"/api/v1/namespaces/{name}/serviceaccounts/default"))

    def get_or_none(self, path: str):
        try:
            return self.request("GET", path)
        except ApiError:
            return None

    def kubectl(self, namespace: str, *words: str, one: dict | None = None):
        return self.control_plane.kubectl("-n", namespace, *words, input=json.dumps(one) if one else None)

    def make_pull_secret(self, namespace: str, user: str, password: str) -> None:
        auth = base64.b64encode(f"{user}:{password}".encode()).decode()
        config = base64.b64encode(json.dumps({"auths": {TEAMS: {"auth": auth}}}).encode()).decode()
        self.request("POST", f"/api/v1/namespaces/{namespace}/secrets", {
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "metadata": {"name": "pull"},
            "data": {".dockerconfigjson": config}})

    def tried(self, namespace: str, one: dict) -> tuple[str, list[str]]:
        """The first image of a pod after a dry run of creating it, and the warnings."""
        done = self.kubectl(namespace, "create", "--dry-run=server", "-o", "json", "-f", "-", one=one)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["spec"]["containers"][0]["image"], warnings_of(done)

    def tag_history(self) -> str:
        found = self.request("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps?labelSelector=belay.dev/tag-history=true")
        return "".join(text for one in found["items"] for text in one.get("data", {}).values())

    def close(self) -> None:
        super().close()
        for one in (self.open, self.teams):
            one.stop()
        self.tokens.close()


@pytest.fixture(scope="module")
def world(control_plane, tmp_path_factory):
    if real.missing():
        pytest.skip("no docker-registry or skopeo here")
    program = Path(os.environ.get("BELAY_PROGRAM") or SOURCES / "build/release/belay")
    world = Pinning(control_plane, tmp_path_factory.mktemp("pinning"), program)
    try:
        world.install()
        for name in POLICIES:
            world.put(name, policy(name))
        for namespace in ("shop", "moved", "strict", "team-a", "team-b", "none"):
            world.make_namespace(namespace)
        for number in range(2):
            world.start(f"belay-{number}")
        world.register()
        world.digest = world.open.push(IMAGE, "shop/web", "v1")
        world.teams.push(IMAGE, "team-a/web", "v1")
        Cluster.until(lambda: "@" in world.tried("shop", objects.pod("probe", f"{WEB}:v1"))[0])
        yield world
    finally:
        world.close()


def deployment(image: str) -> dict:
    return objects.deployment("web", image, replicas=2)


def generation(world) -> tuple[int, str]:
    metadata = world.request("GET", "/apis/apps/v1/namespaces/shop/deployments/web")["metadata"]
    return metadata["generation"], json.dumps(world.request("GET", "/apis/apps/v1/namespaces/shop/deployments/web")["spec"])


def test_the_pods_of_a_deployment_come_out_pinned(world):
    done = world.kubectl("shop", "apply", "-f", "-", one=deployment(f"{WEB}:v1"))
    assert done.returncode == 0 and done.stderr == "", done.stderr
    shown = world.kubectl("shop", "get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
    assert shown.stdout == f"{WEB}:v1@{world.digest}"
    if not world.control_plane.has_controllers:
        pytest.skip("no kube-controller-manager: nobody makes pods")

    def images_of_pods():
        pods = world.request("GET", "/api/v1/namespaces/shop/pods?labelSelector=app=web")["items"]
        return sorted(pod["spec"]["containers"][0]["image"] for pod in pods)
    Cluster.until(lambda: images_of_pods() == [f"{WEB}:v1@{world.digest}"] * 2)


def test_applying_the_same_again_changes_nothing_even_after_the_tag_has_moved(world):
    world.kubectl("shop", "apply", "-f", "-", one=deployment(f"{WEB}:v1"))
    before = generation(world)
    for _ in range(2):
        done = world.kubectl("shop", "apply", "-f", "-", one=deployment(f"{WEB}:v1"))
        assert done.returncode == 0 and done.stdout in (
            "deployment.apps/web unchanged\n", "deployment.apps/web configured\n"), done.stdout + done.stderr
        assert generation(world) == before
        world.open.push(images.Image("moved"), "shop/web", "v1")
    world.open.push(IMAGE, "shop/web", "v1")
    if world.control_plane.has_controllers:
        sets = world.request("GET", "/apis/apps/v1/namespaces/shop/replicasets?labelSelector=app=web")["items"]
        assert len(sets) == 1, "nothing was rolled out"


def test_another_tag_is_pinned_again(world):
    world.kubectl("shop", "apply", "-f", "-", one=deployment(f"{WEB}:v1"))
    then = world.open.push(images.Image("second"), "shop/web", "v2")
    done = world.kubectl("shop", "set", "image", "deployment/web", f"web={WEB}:v2")
    assert done.returncode == 0, done.stderr
    shown = world.kubectl("shop", "get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
    assert shown.stdout == f"{WEB}:v2@{then}"


def test_kubectl_debug_is_pinned_too(world):
    world.request("POST", "/api/v1/namespaces/shop/pods", objects.pod("debugged", f"{WEB}:v1"))
    done = world.kubectl("shop", "debug", "debugged", f"--image={WEB}:v1", "--container=look")
    assert done.returncode == 0, done.stderr
    pod = world.request("GET", "/api/v1/namespaces/shop/pods/debugged")
    assert pod["spec"]["ephemeralContainers"][0]["image"] == f"{WEB}:v1@{world.digest}"


def test_a_tag_that_is_not_there_warns_or_is_refused_in_kubectl(world):
    image, warnings = world.tried("shop", objects.pod("web", f"{WEB}:missing"))
    assert image == f"{WEB}:missing" and len(warnings) == 1 and "open.test" in warnings[0], warnings
    done = world.kubectl("strict", "create", "-f", "-", one=objects.pod("web", f"{WEB}:missing"))
    assert done.returncode == 1 and 'admission webhook "mutate.belay.dev" denied the request' in done.stderr, done.stderr
    assert "open.test" in done.stderr and "127.0.0.1" not in done.stderr


def test_pull_secrets_open_their_own_namespace_only(world):
    """3.13: what team-a's secret was shown, team-b is told nothing of, although it is in the cache."""
    world.make_pull_secret("team-a", *ADA)
    world.make_pull_secret("team-b", *BOB)
    image = f"{TEAMS}/team-a/web:v1"
    named = {"imagePullSecrets": [{"name": "pull"}]}
    assert world.tried("team-a", objects.pod("web", image, **named))[0] == f"{image}@{IMAGE.digest}"
    shut, warnings = world.tried("team-b", objects.pod("web", image, **named))
    missing, others = world.tried("team-b", objects.pod("web", f"{TEAMS}/team-a/none:v1", **named))
    assert (shut, missing) == (image, f"{TEAMS}/team-a/none:v1")
    assert [text.replace("team-a/web", "*") for text in warnings] == [text.replace("team-a/none", "*") for text in others]
    without, _ = world.tried("none", objects.pod("web", image))
    assert without == image
    for belay in world.replicas:
        for secret in (ADA[1], BOB[1], "eyJ", base64.b64encode(f"{ADA[0]}:{ADA[1]}".encode()).decode()):
            assert secret not in belay.log()


def test_the_pull_secrets_of_the_service_account_count(world):
    if not world.control_plane.has_controllers:
        pytest.skip("no kube-controller-manager: there are no ServiceAccounts")
    world.make_namespace("team-c")
    world.make_pull_secret("team-c", *ADA)
    image = f"{TEAMS}/team-a/web:v1"
    assert world.tried("team-c", objects.pod("web", image))[0] == image
    world.request("PATCH", "/api/v1/namespaces/team-c/serviceaccounts/default", {"imagePullSecrets": [{"name": "pull"}]},
                  "application/merge-patch+json")
    Cluster.until(lambda: world.tried("team-c", objects.pod("web", image))[0] == f"{image}@{IMAGE.digest}")


def test_a_moved_tag_is_refused_by_every_replica_once_it_was_admitted(world):
    first = world.open.push(images.Image("first"), "shop/web", "stays")
    one = objects.pod("seen", f"{WEB}:stays")
    done = world.kubectl("moved", "create", "-f", "-", one=one)
    assert done.returncode == 0, done.stderr
    Cluster.until(lambda: f"{WEB}:stays {first} " in world.tag_history())

    then = world.open.push(images.Image("then"), "shop/web", "stays")
    fresh = world.start("belay-fresh")  # it never saw the tag itself
    answer = Cluster.until(lambda: said(world.reviews["belay-fresh"], f"{WEB}:stays"))
    assert "tag-moved" in answer and first in answer and then in answer
    world.end(fresh)

    done = world.kubectl("moved", "create", "-f", "-", one=objects.pod("claims", f"{WEB}:stays@{then}"))
    assert done.returncode == 1 and "tag-moved" in done.stderr and first in done.stderr, done.stderr
    assert world.kubectl("moved", "create", "-f", "-", one=objects.pod("honest", f"{WEB}:stays@{first}")).returncode == 0


def said(reviews: Reviews, image: str) -> str:
    """What one replica refuses a pod of the namespace moved with, "" where it does not."""
    return reviews.ask_about(image, "moved").get("status", {}).get("message", "")


def test_belay_asks_the_api_server_for_nothing_it_has_no_right_to(world):
    refused = [event for event in world.control_plane.audit_events()
               if event["user"]["username"] == ACCOUNT and event.get("responseStatus", {}).get("code") == 403]
    assert refused == [], {f"{event['verb']} {event['requestURI']}" for event in refused}
