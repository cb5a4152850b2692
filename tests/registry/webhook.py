"""`belay serve` with registries, and the API server's questions to it."""

from __future__ import annotations

import base64
import copy
import json
import re
import ssl
import time
import urllib.request
from pathlib import Path

import yaml

from protocol import harness


def pod(*images: str, name: str = "web", labels: dict | None = None, **spec) -> dict:
    """A Pod with one container an image."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {}},
            "spec": {"containers": [{"name": f"c{at}", "image": image} for at, image in enumerate(images)], **spec}}


def deployment(*images: str, owner: dict | None = None) -> dict:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {
        "name": "web", **({"ownerReferences": [owner]} if owner else {})}, "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod(*images)["spec"]}}}


RESOURCES = {"Pod": ("", "pods"), "Deployment": ("apps", "deployments"), "Job": ("batch", "jobs"),
             "ReplicaSet": ("apps", "replicasets")}


def review(one: dict, namespace: str, old: dict | None = None, dry_run: bool = False) -> dict:
    group, resource = RESOURCES[one["kind"]]
    one = {**one, "metadata": {**one["metadata"], "namespace": namespace}}
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": {"group": group, "version": "v1", "kind": one["kind"]},
        "resource": {"group": group, "version": "v1", "resource": resource}, "namespace": namespace,
        "name": one["metadata"]["name"], "operation": "UPDATE" if old else "CREATE",
        "userInfo": {"username": "system:admin"}, "object": one, "oldObject": old, "dryRun": dry_run}}


class Answer:
    """A response, with how long it took and what becomes of the object."""

    def __init__(self, text: bytes, seconds: float, one: dict) -> None:
        self.text, self.seconds = text.decode(), seconds
        self.response = json.loads(text)["response"]
        self.allowed = self.response["allowed"]
        self.warnings = self.response.get("warnings", [])
        self.message = self.response.get("status", {}).get("message", "")
        self.patch = json.loads(base64.b64decode(self.response["patch"])) if "patch" in self.response else []
        self.object = patched(one, self.patch)

    @property
    def images(self) -> list[str]:
        spec = self.object["spec"]
        spec = spec.get("template", {}).get("spec", spec)
        return [container["image"] for container in spec["containers"]]


def patched(one: dict, patch: list[dict]) -> dict:
    """JSON Patch (RFC 6902), as much of it as belay may send."""
    one = copy.deepcopy(one)
    for step in patch:
        assert step["op"] in ("test", "replace"), step
        *above, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        at = one
        for part in above:
            at = at[int(part)] if isinstance(at, list) else at[part]
        key = int(last) if isinstance(at, list) else last
        if step["op"] == "test":
            assert at[key] == step["value"], step
        at[key] = step["value"]
    return one


def policy(name: str, namespaces: str, rules: dict | None = None, **spec) -> str:
    return yaml.safe_dump({"apiVersion": "belay.dev/v1alpha1", "kind": "ImagePolicy", "metadata": {"name": name}, "spec": {
        "match": {"namespaces": [namespaces]}, "rules": {"tagRequired": {}} if rules is None else rules, **spec}})


class Webhook:
    """A running belay. `policies` are texts; `registries` entries of the file of --registries."""

    def __init__(self, program: Path, directory: Path, serving: tuple[str, str], policies: list[str], registries: list[dict],
                 docker_config: dict | None = None, flags: list[str] = (), within: list[str] = ()) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        for at, text in enumerate(policies):
            (directory / f"policy-{at}.yaml").write_text(text)
        words = [word for at in range(len(policies)) for word in ("--policy", directory / f"policy-{at}.yaml")]
        self.registries_file = directory / "registries.yaml"
        if registries:
            self.write_registries(registries)
            words += ["--registries", self.registries_file]
        if docker_config is not None:
            self.docker_config_file = directory / "config.json"
            self.docker_config_file.write_text(json.dumps(docker_config))
            words += ["--docker-config", self.docker_config_file]
        self.command = [str(word) for word in (
            program, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--tls-cert", serving[0],
            "--tls-key", serving[1], "--log-level", "debug", *words, *flags)]
        self._server = harness.Server([*within, *self.command], str(directory / "log"), True)
        self.port, self.admin = self._server.port, self._server.admin
        self._tls = ssl.create_default_context()
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE

    def write_registries(self, registries: list[dict]) -> None:
        fresh = self.registries_file.with_suffix(".new")
        fresh.write_text(yaml.safe_dump({"apiVersion": "belay.dev/v1alpha1", "kind": "Registries", "registries": registries}))
        fresh.replace(self.registries_file)

    def mutate(self, one: dict, namespace: str = "shop", timeout: str = "5s", **more) -> Answer:
        return self._ask("/mutate", one, namespace, timeout, **more)

    def validate(self, one: dict, namespace: str = "shop", timeout: str = "5s", **more) -> Answer:
        return self._ask("/validate", one, namespace, timeout, **more)

    def _ask(self, path: str, one: dict, namespace: str, timeout: str, **more) -> Answer:
        body = json.dumps(review(one, namespace, **more)).encode()
        begun = time.monotonic()
        status, _, text = harness.ask(self.port, harness.post(body, f"{path}?timeout={timeout}"))
        seconds = time.monotonic() - begun
        assert status == 200, (status, text)
        return Answer(text, seconds, one)

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=5) as answer:
            return answer.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the samples of `name` that carry all of `labels`."""
        total = 0.0
        for line in self.metrics().splitlines():
            match = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
            if match and labels.items() <= dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[1] or "")).items():
                total += float(match[2])
        return total

    def log(self) -> str:
        return self._server.log()

    def alive(self) -> bool:
        return self._server.alive()

    def stop(self) -> None:
        assert self._server.stop() == 0, self.log()
