"""belay as its chart installs it on a node, and the questions that tests ask of it."""

from __future__ import annotations

import json
import re
import subprocess

from cluster import image, webhook
from cluster.api_server import ApiError
from cluster.node import Node
from support import waiting

NAMESPACE, RELEASE = webhook.NAMESPACE, "belay"
REPLICAS = 3
SERVICE_ACCOUNT = f"system:serviceaccount:{NAMESPACE}:belay"


class Installed:
    """The release and the node it runs on."""

    def __init__(self, node: Node, helm: str, chart: str, tag: str) -> None:
        self.node = node
        self.tag = tag  # of the image
        self._helm, self._chart = helm, chart

    # -- helm ---------------------------------------------------------------------------------------

    def helm(self, *words: str, timeout: float = 240) -> str:
        """Runs helm in belay's namespace; what it prints, or an AssertionError with what it says."""
        done = subprocess.run([self._helm, "--namespace", NAMESPACE, *words], env=self.node.environment(), text=True,
                              capture_output=True, timeout=timeout)
        assert done.returncode == 0, f"helm {words[0]}: {done.stderr}{done.stdout}"
        return done.stdout

    def install(self, *words: str) -> str:
        return self.helm("install", RELEASE, self._chart, *self._image(), *words)

    def upgrade(self, *words: str) -> str:
        return self.helm("upgrade", RELEASE, self._chart, *self._image(), *words)

    def _image(self) -> list[str]:
        return ["--set", f"image.repository={image.NAME}", "--set-string", f"image.tag={self.tag}",
                "--set", "image.pullPolicy=IfNotPresent"]

    # -- replicas -----------------------------------------------------------------------------------

    def pods(self) -> list[dict]:
        """belay's pods that have not begun to end."""
        pods = self.node.request("GET", f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app.kubernetes.io/name=belay")
        return [pod for pod in pods["items"] if not pod["metadata"].get("deletionTimestamp")
                and pod["metadata"].get("ownerReferences")]

    def ready_pods(self) -> list[dict]:
        return [pod for pod in self.pods() if any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in pod.get("status", {}).get("conditions", []))]

    def answered(self, pod: dict) -> int:
        """How many reviews this replica has answered."""
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}:8080/proxy/metrics"
        return int(re.search(r"^belay_admission_duration_seconds_count (\d+)$", self.node.request("GET", path)["text"],
                             re.MULTILINE)[1])

    def kill(self, pod: dict) -> None:
        """Kills belay in this pod as the kernel does when memory is short; the kubelet starts it anew."""
        container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
        self.node.inside("ctr", "--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", container)

    def until_ready(self, replicas: int = REPLICAS) -> None:
        """Returns when exactly that many pods are there, all are ready, and the Service leads to them alone."""
        def settled():
            ready = self.ready_pods()
            return len(self.pods()) == len(ready) == replicas and self._backends() == {
                pod["status"]["podIP"] for pod in ready}
        self.until(settled)

    def _backends(self) -> set[str]:
        """Where kube-proxy sends new connections to the Service; it lags a moment behind the pods."""
        rules = self.node.inside("nft", "list", "table", "ip", "kube-proxy")
        chain = re.search(rf"chain service-\S*-{NAMESPACE}/{RELEASE}/tcp/https {{(.*?)\n\t}}", rules, re.DOTALL)
        return set(re.findall(r"\d+\.\d+\.\d+\.\d+", chain[1])) if chain else set()

    def until_denied(self, namespace: str, one: dict) -> None:
        """Returns when belay denies creating the pod."""
        self.until(lambda: self.verdict(namespace, one) == "denied")

    def until(self, condition) -> None:
        """The same as until(), and where it is in vain it tells what the pods are doing."""
        try:
            until(condition)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.story()}") from None

    def story(self) -> str:
        """What to read when pods don't get ready."""
        node = self.node
        return "\n".join([node.kubectl("get", "pods", "-A", "-o", "wide").stdout,
                          node.kubectl("-n", NAMESPACE, "get", "events").stdout,
                          node.kubectl("-n", NAMESPACE, "logs", "-l", "app.kubernetes.io/name=belay", "--tail=20",
                                       "--prefix").stdout])

    def answer_of(self, pod: dict, namespace: str, one: dict) -> dict:
        """The response of this replica to a review of creating `one`, asked through the API server's proxy."""
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "1", "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"}, "name": one["metadata"]["name"],
            "namespace": namespace, "operation": "CREATE", "userInfo": {"username": "admin"}, "object": one,
            "oldObject": None, "dryRun": False}}
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/https:{pod['metadata']['name']}:8443/proxy/validate?timeout=5s"
        return self.node.request("POST", path, review)["response"]

    def all_say(self, allowed: bool, namespace: str, one: dict) -> bool:
        """Whether three replicas are ready and each gives this verdict."""
        answers = [self.answer_of(pod, namespace, one)["allowed"] for pod in self.ready_pods()]
        return answers == [allowed] * REPLICAS

    # -- admission ----------------------------------------------------------------------------------

    def verdict(self, namespace: str, one: dict) -> str:
        """What becomes of creating a pod, by a dry run: "admitted", "denied" by belay, or else the error's text."""
        try:
            self.node.request("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", one)
            return "admitted"
        except ApiError as error:
            denied = error.code == 403 and f'"{webhook.VALIDATING}" denied the request' in str(error)
            return "denied" if denied else str(error)

    def apply(self, one: dict) -> None:
        done = self.node.kubectl("apply", "-f", "-", input=json.dumps(one))
        assert done.returncode == 0, done.stderr

    def apply_policy(self, name: str, rules: dict, **spec) -> None:
        """A policy in a ConfigMap of belay's namespace."""
        policy = {"apiVersion": "belay.dev/v1alpha1", "kind": "ImagePolicy", "metadata": {"name": name},
                  "spec": {"rules": rules, **spec}}
        self.apply({"apiVersion": "v1", "kind": "ConfigMap", "data": {"policy.yaml": json.dumps(policy)}, "metadata": {
            "name": name, "namespace": NAMESPACE, "labels": {"belay.dev/policy": "true"}}})

    def make_namespace(self, name: str, **labels: str) -> None:
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        until(lambda: self.node.kubectl("-n", name, "get", "serviceaccount", "default").returncode == 0)


def until(condition, seconds: float = 180) -> None:
    """Waits for the condition to hold, on a node where pods start and end meanwhile."""
    def holds():
        try:
            return condition()
        except (ApiError, OSError):
            return False  # for a moment
    waiting.until(holds, seconds)
