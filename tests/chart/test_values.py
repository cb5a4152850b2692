"""Every value: told to the reader, held by the schema, and of consequence."""

from __future__ import annotations

import importlib.util
import json

import pytest
import yaml

from chart import CHART, SOURCES, Refused, merged, nested

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())

# A value other than the default. What needs other values before it shows has them behind it.
EXISTING = {"tls": {"mode": "existingSecret", "existingSecret": {"name": "a", "caBundle": "b"}}}
CERT_MANAGER = {"tls": {"mode": "certManager"}}
MONITOR, RULE, DASHBOARD = (nested(f"prometheus.{part}.enabled", True)
                            for part in ("servicemonitor", "prometheusRule", "grafanaDashboard"))
LOCKS = {"admissionPolicies": {"enabled": True}}
PEER = [{"podSelector": {}}]
OTHERS = {
    "image.registry": "registry.example",
    "image.repository": "other",
    "image.tag": "v9",
    "image.digest": "sha256:" + "0" * 64,
    "image.pullPolicy": "Always",
    "imagePullSecrets": [{"name": "pull"}],
    "replicaCount": 5,
    "strategy": {"type": "Recreate", "rollingUpdate": None},
    "podDisruptionBudget.enabled": False,
    "podDisruptionBudget.maxUnavailable": "34%",
    "podDisruptionBudget.minAvailable": 2,
    "shutdownDelaySeconds": 3,
    "logLevel": "debug",
    "extraArgs": ["--threads=2"],
    "extraEnv": [{"name": "BELAY_LOG_FORMAT", "value": "json"}],
    "volumes": [{"name": "more", "emptyDir": {}}],
    "volumeMounts": [{"name": "more", "mountPath": "/more"}],
    "extraTemplates": [{"group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout", "resource": "rollouts",
                        "path": "spec.template"}],
    "defaultPolicy.enabled": False,
    "defaultPolicy.mode": "warn",
    "policies": {"second": "apiVersion: belay.dev/v1alpha1\n"},
    "tenantPolicies.enabled": True,
    "registries": [{"host": "docker.io"}],
    "dockerConfigSecret": "registries",
    "pullSecrets.enabled": True,
    "webhook.timeoutSeconds": 9,
    "webhook.excludeNamespaces": ["kube-flannel"],
    "webhook.validating.failurePolicy": "Ignore",
    "webhook.mutating.enabled": False,
    "webhook.mutating.failurePolicy": "Fail",
    "webhook.namespaces.enabled": False,
    "webhook.namespaces.failurePolicy": "Ignore",
    "tls.mode": "certManager",
    "tls.selfManaged.caDuration": "100d",
    "tls.selfManaged.duration": "10d",
    "tls.selfManaged.caOverlap": "5m",
    "tls.certManager.issuerRef": ({"name": "corporate", "kind": "ClusterIssuer"}, CERT_MANAGER),
    "tls.certManager.duration": ("24h", CERT_MANAGER),
    "tls.existingSecret.name": ("other", EXISTING),
    "tls.existingSecret.caBundle": ("other", EXISTING),
    "serviceAccount.create": False,
    "serviceAccount.name": "other",
    "serviceAccount.annotations": {"a": "b"},
    "serviceAccount.automountServiceAccountToken": True,
    "deploymentAnnotations": {"a": "b"},
    "podAnnotations": {"a": "b"},
    "podLabels": {"a": "b"},
    "commonLabels": {"a": "b"},
    "priorityClassName": "system-cluster-critical",
    "resources": {"limits": {"memory": "1Gi"}},
    "securityContext": {"runAsUser": 1000},
    "containerSecurityContext": {"privileged": False},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "topologySpreadConstraints": [{"topologyKey": "rack", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}],
    "networkPolicy.enabled": False,
    "networkPolicy.ingressFrom": PEER,
    "networkPolicy.metricsFrom": PEER,
    "networkPolicy.apiServerPorts": [16443],
    "prometheus.servicemonitor.enabled": True,
    "prometheus.servicemonitor.interval": ("7s", MONITOR),
    "prometheus.servicemonitor.labels": ({"a": "b"}, MONITOR),
    "prometheus.prometheusRule.enabled": True,
    "prometheus.prometheusRule.labels": ({"a": "b"}, RULE),
    "prometheus.grafanaDashboard.enabled": True,
    "prometheus.grafanaDashboard.labels": ({"a": "b"}, DASHBOARD),
    "admissionPolicies.enabled": True,
    "admissionPolicies.validationActions": (["Warn"], LOCKS),
    "admissionPolicies.environmentLabel": ("stage", LOCKS),
    "admissionPolicies.environments": (["blue"], LOCKS),
    "admissionPolicies.environmentRequired": (True, LOCKS),
    "test.namespace": "kube-public",
    "test.expect": "warned",
}


def told() -> list[str]:
    """Paths of the values that the chart's page tells of."""
    spec = importlib.util.spec_from_file_location("chart_readme", SOURCES / "scripts/chart_readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [path for path, _ in module.texts((CHART / "values.yaml").read_text().splitlines())]


def leaves(values, path=()):
    """Paths of what is no further parted by the schema."""
    at = SCHEMA
    for key in path:
        at = at["properties"][key]
    if isinstance(values, dict) and "properties" in at and ".".join(path) not in OTHERS:
        return [leaf for key, value in values.items() for leaf in leaves(value, (*path, key))]
    return [".".join(path)]


def levels(schema, path=""):
    """Paths of all objects with keys of their own."""
    if "properties" in schema:
        yield path
        for key, below in schema["properties"].items():
            yield from levels(below, f"{path}.{key}".lstrip("."))


def test_every_value_is_described_and_tried():
    assert sorted(leaves(VALUES)) == sorted(OTHERS) == sorted(told())


_baselines: dict[str, str] = {}


@pytest.mark.parametrize("path", OTHERS)
def test_every_value_changes_something(helm, path):
    other, needs = OTHERS[path] if isinstance(OTHERS[path], tuple) else (OTHERS[path], {})
    key = json.dumps(needs)
    if key not in _baselines:
        _baselines[key] = helm.text(needs)
    changed = helm.text(merged(needs, nested(path, other)))
    assert changed != _baselines[key]


@pytest.mark.parametrize("path", levels(SCHEMA), ids=lambda path: path or "top")
def test_an_unknown_key_is_refused(helm, path):
    unknown = f"{path}.nonsense".lstrip(".")
    with pytest.raises(Refused, match="nonsense"):
        helm.text(nested(unknown, True))


def test_the_schema_is_closed_wherever_it_names_keys():
    def visit(schema, path):
        if isinstance(schema, dict):
            assert "properties" not in schema or schema.get("additionalProperties") is False, path
            for key, below in schema.items():
                visit(below, f"{path}/{key}")
        elif isinstance(schema, list):
            for below in schema:
                visit(below, path)
    visit(SCHEMA, "")


@pytest.mark.parametrize("path,wrong", [
    ("replicaCount", 0), ("replicaCount", "3"), ("image.digest", "sha256:abc"), ("image.registry", "a/"),
    ("logLevel", "loud"), ("defaultPolicy.mode", "deny"), ("test.expect", "refused"), ("shutdownDelaySeconds", 15), ("tls.mode", "none"), ("tls.selfManaged.duration", "90"),
    ("webhook.validating.failurePolicy", "fail"), ("webhook.excludeNamespaces", ["sandbox-*"]),
    ("webhook.timeoutSeconds", 31), ("policies", {"Upper": "a"}), ("policies", {"list": ["a"]}),
    ("admissionPolicies.validationActions", ["Refuse"]), ("networkPolicy.apiServerPorts", []),
    ("podDisruptionBudget.maxUnavailable", 0), ("podDisruptionBudget.maxUnavailable", "0%"),
    ("tls.certManager.issuerRef", {"kind": "ClusterIssuer"}), ("dockerConfigSecret", "Upper"),
    ("registries", ["docker.io"]), ("registries", [{"endpoint": "https://a"}]), ("registries", [{"host": "https://a"}]),
    ("registries", [{"host": "a/b"}]), ("registries", [{"host": "a", "endpoint": "a:5000"}]),
    ("registries", [{"host": "a", "endpoint": "https://user@a"}]), ("registries", [{"host": "a", "insecure": True}]),
    ("registries", [{"host": "a", "clientCertificate": "/a"}]), ("registries", [{"host": "a", "mirrors": [{}]}]),
    ("registries", [{"host": "a", "mirrors": [{"endpoint": "https://b", "host": "b"}]}])])
def test_a_value_that_makes_no_sense_is_refused(helm, path, wrong):
    with pytest.raises(Refused, match="schema"):
        helm.text(nested(path, wrong))


def test_B16_no_value_gives_the_webhooks_an_object_selector(helm):
    for path in ("webhook.objectSelector", "webhook.validating.objectSelector", "webhook.namespaceSelector"):
        with pytest.raises(Refused, match="Selector"):
            helm.text(nested(path, {"matchLabels": {"belay": "skip"}}))
