"""The chart before a real API server: what it renders is accepted, and installs, changes and goes."""

from __future__ import annotations

import base64
import json
import subprocess

import pytest

from chart import CHART, NAMESPACE, RELEASE, SETTINGS, Helm, only, settings_of
from cluster.control_plane import ApiError
from support.waiting import until

FOREIGN = {  # kinds of other operators, which the chart makes on request
    "monitoring.coreos.com": ["ServiceMonitor", "PrometheusRule"],
    "cert-manager.io": ["Issuer", "Certificate"],
}
OURS = "validatingwebhookconfigurations,mutatingwebhookconfigurations,clusterroles,clusterrolebindings," \
       "roles,rolebindings,secrets,leases,configmaps,serviceaccounts,services,deployments,poddisruptionbudgets," \
       "networkpolicies,validatingadmissionpolicies,validatingadmissionpolicybindings"
CONFIGURATION = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/" + RELEASE
SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/{RELEASE}-tls"


def definition(group: str, kind: str) -> dict:
    plural = kind.lower() + "s"
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
                     "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                         "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}


@pytest.fixture(scope="module", autouse=True)
def prepared(cluster):
    """Definitions of the foreign kinds, and belay's namespace under the strictest pod security."""
    definitions = [definition(group, kind) for group, kinds in FOREIGN.items() for kind in kinds]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "belay-test", "namespace": NAMESPACE}}
    done = cluster.kubectl("apply", "-f", "-", input=json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": [*definitions, namespace, account]}))
    assert done.returncode == 0, done.stderr
    done = cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def at_cluster(helm_program, cluster) -> Helm:
    """helm that talks to the cluster."""
    return Helm(helm_program, cluster.environment())


@pytest.mark.parametrize("file", SETTINGS, ids=[file.stem for file in SETTINGS])
def test_the_api_server_accepts_every_object(helm, apply, file):
    objects = helm.objects(settings_of(file))
    done = apply(objects, "--dry-run=server", "--validate=strict")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(objects)
    assert "Warning" not in done.stderr, done.stderr


def test_its_pods_fit_the_restricted_standard(rendered, apply, cluster):
    # The API server only warns about templates; pods themselves it refuses.
    template = only(rendered, "Deployment")["spec"]["template"]
    tried = only(rendered, "Pod")
    for name, spec in (("replica", template["spec"]), ("test", tried["spec"])):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE},
               "spec": {**spec, "serviceAccountName": "default"}}
        until(lambda: exists(cluster, f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"))
        done = apply(pod, "--dry-run=server")
        assert done.returncode == 0, done.stderr


def test_an_upgrade_and_a_rollback_keep_what_the_replicas_wrote(at_cluster, cluster):
    notes = at_cluster.run("install", RELEASE, str(CHART))
    assert f"kubectl -n {NAMESPACE} rollout status deployment/{RELEASE}" in notes
    # What the leader does: a certificate into the Secret, its authority into the configuration.
    patch(cluster, SECRET, {"data": {"tls.crt": "eA=="}})
    authority = new_authority()
    patch(cluster, CONFIGURATION, {"webhooks": [
        {"name": one["name"], "clientConfig": {"caBundle": authority}}
        for one in cluster.request("GET", CONFIGURATION)["webhooks"]]},
        "application/strategic-merge-patch+json")

    def kept():
        bundles = [one["clientConfig"].get("caBundle") for one in cluster.request("GET", CONFIGURATION)["webhooks"]]
        return cluster.request("GET", SECRET).get("data") == {"tls.crt": "eA=="} and set(bundles) == {authority}
    assert kept()

    at_cluster.run("upgrade", RELEASE, str(CHART), values={
        "podLabels": {"tried": "yes"}, "webhook": {"timeoutSeconds": 7, "excludeNamespaces": ["sandbox"]}})
    assert {one["timeoutSeconds"] for one in cluster.request("GET", CONFIGURATION)["webhooks"]} == {7}
    assert kept()
    at_cluster.run("rollback", RELEASE, "1")
    assert {one["timeoutSeconds"] for one in cluster.request("GET", CONFIGURATION)["webhooks"]} == {5}
    assert kept()

    at_cluster.run("uninstall", RELEASE)
    left = cluster.kubectl("get", OURS, "-A", "-l", f"app.kubernetes.io/instance={RELEASE}", "-o", "name")
    assert left.stdout == "", left.stdout


def test_a_change_of_the_mode_of_tls_is_an_upgrade(at_cluster, cluster):
    at_cluster.run("install", RELEASE, str(CHART), values={"tls": {"mode": "certManager"}})
    certificate = cluster.request("GET", f"/apis/cert-manager.io/v1/namespaces/{NAMESPACE}/certificates/{RELEASE}")
    # cert-manager makes it, and leaves it when the Certificate goes.
    cluster.request("POST", f"/api/v1/namespaces/{NAMESPACE}/secrets", {
        "metadata": {"name": certificate["spec"]["secretName"]}, "type": "kubernetes.io/tls",
        "data": {"tls.crt": "", "tls.key": ""}})
    at_cluster.run("upgrade", RELEASE, str(CHART), values={"tls": {"mode": "selfManaged"}})
    assert cluster.request("GET", SECRET)["type"] == "Opaque"
    at_cluster.run("uninstall", RELEASE)


def new_authority() -> str:
    """A caBundle: the API server looks whether it is one."""
    done = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                           "-subj", "/CN=authority", "-keyout", "/dev/null"], check=True, capture_output=True)
    return base64.b64encode(done.stdout).decode()


def patch(cluster, path: str, change: dict, kind: str = "application/merge-patch+json") -> None:
    cluster.request("PATCH", path + "?fieldManager=belay", change, kind)


def exists(cluster, path: str) -> bool:
    try:
        cluster.request("GET", path)
        return True
    except ApiError:
        return False
