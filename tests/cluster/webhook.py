"""What a webhook outside the cluster needs to be called by its API server: a certificate, a Service,
an EndpointSlice that names an address of this host, and the configuration objects."""

from __future__ import annotations

import base64
import pathlib

import yaml

SOURCES = pathlib.Path(__file__).resolve().parents[2]
NAMESPACE, SERVICE = "belay-system", "belay"
VALIDATING, MUTATING = "validate.belay.dev", "mutate.belay.dev"  # the webhooks' names
SERVER_NAME = f"{SERVICE}.{NAMESPACE}.svc"

# What the chart subscribes to: every kind that is evaluated, with its one subresource.
RULES = [
    {"apiGroups": [row["group"]], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "scope": "Namespaced",
     "resources": row["resources"]}
    for row in yaml.safe_load((SOURCES / "charts/belay/files/workloads.yaml").read_text())
]

# Namespaces are changed through two subresources, too.
NAMESPACE_RULES = [
    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "scope": "Cluster",
     "resources": ["namespaces", "namespaces/status", "namespaces/finalize"]},
]
POLICY_RULES = [
    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE", "DELETE"], "scope": "Namespaced",
     "resources": ["configmaps"]},
]
POLICY_SELECTOR = {"matchLabels": {"belay.dev/policy": "true"}}


def service_objects(address: str, ports: dict[str, int]) -> list[dict]:
    """Namespace, Service without selector, and one EndpointSlice for each of `ports` (name -> port)."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": SERVICE, "namespace": NAMESPACE},
         "spec": {"ports": [{"name": "https", "port": 443, "targetPort": 8443}]}},
        *[endpoint_slice(name, address, port) for name, port in ports.items()],
    ]


def endpoint_slice(name: str, address: str, port: int, ready: bool = True) -> dict:
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": f"{SERVICE}-{name}", "namespace": NAMESPACE,
                         "labels": {"kubernetes.io/service-name": SERVICE}},
            "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": ready, "serving": ready}}]}


def configuration(kind: str, name: str, path: str, ca: bytes, rules: list[dict], **settings) -> dict:
    """A ValidatingWebhookConfiguration or MutatingWebhookConfiguration with one webhook."""
    webhook = {
        "name": name, "admissionReviewVersions": ["v1"], "sideEffects": "None", "timeoutSeconds": 5,
        "matchPolicy": "Equivalent", "rules": rules,
        "clientConfig": {"caBundle": base64.b64encode(ca).decode(),
                         "service": {"namespace": NAMESPACE, "name": SERVICE, "path": path, "port": 443}},
        **settings}
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name},
            "webhooks": [webhook]}


def exempt(*namespaces: str) -> dict:
    """A namespaceSelector that leaves these namespaces out, by name."""
    return {"matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": list(namespaces)}]}
