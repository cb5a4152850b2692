"""Objects that the tests send. Good ones unless a test changes them."""

from __future__ import annotations

import copy

GOOD = "registry.corp:5000/shop/web:v1.4.2-prod"
BAD = "registry.corp:5000/shop/web:latest"
LABELS = {"app": "web", "environment": "prod"}


def pod_spec(image: str = GOOD, **more) -> dict:
    return {"containers": [{"name": "web", "image": image}], **more}


def pod(name: str, image: str = GOOD, labels: dict | None = None, metadata: dict | None = None, **spec) -> dict:
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": LABELS if labels is None else labels, **(metadata or {})},
            "spec": pod_spec(image, **spec)}


def template(image: str = GOOD, labels: dict | None = None, **spec) -> dict:
    return {"metadata": {"labels": LABELS if labels is None else labels}, "spec": pod_spec(image, **spec)}


def deployment(name: str, image: str = GOOD, labels: dict | None = None, replicas: int = 0, **spec) -> dict:
    return workload("Deployment", name, image, labels, replicas=replicas, **spec)


def workload(kind: str, name: str, image: str = GOOD, labels: dict | None = None, **spec) -> dict:
    """An object of any kind that holds a pod template."""
    one = template(image, labels)
    selector = {"matchLabels": {"app": "web"}}
    forms = {
        "Deployment": ("apps/v1", {"replicas": 0, "selector": selector, "template": one}),
        "ReplicaSet": ("apps/v1", {"replicas": 0, "selector": selector, "template": one}),
        "StatefulSet": ("apps/v1", {"replicas": 0, "selector": selector, "serviceName": "web", "template": one}),
        "DaemonSet": ("apps/v1", {"selector": selector, "template": one}),
        "ReplicationController": ("v1", {"replicas": 0, "selector": selector["matchLabels"], "template": one}),
        "Job": ("batch/v1", {"suspend": True, "template": _never(one)}),
        "CronJob": ("batch/v1", {"schedule": "0 3 1 1 *", "jobTemplate": {"spec": {"template": _never(one)}}}),
        "PodTemplate": ("v1", one),
    }
    version, body = forms[kind]
    metadata = {"name": name, "labels": {"app": "web"}}
    if kind == "PodTemplate":
        return {"apiVersion": version, "kind": kind, "metadata": metadata, "template": body}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {**body, **spec}}


def rollout(name: str, image: str = GOOD) -> dict:
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": name},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template(image)}}


def _never(one: dict) -> dict:
    one = copy.deepcopy(one)
    one["spec"]["restartPolicy"] = "Never"
    return one


# kind -> where its pod template stands, for field paths in messages and patches
TEMPLATE_PATHS = {
    "Deployment": "spec.template",
    "ReplicaSet": "spec.template",
    "StatefulSet": "spec.template",
    "DaemonSet": "spec.template",
    "ReplicationController": "spec.template",
    "Job": "spec.template",
    "CronJob": "spec.jobTemplate.spec.template",
    "PodTemplate": "template",
}
