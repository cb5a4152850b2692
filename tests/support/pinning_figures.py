"""How long belay takes to pin tags that it has not seen, and tags that it has. Used by tests and benchmarks."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import ssl
import statistics
import threading
import time

from support import images

POLICY = """apiVersion: belay.dev/v1alpha1
kind: ImagePolicy
metadata: {name: pinned}
spec: {rules: {tagRequired: {}}, pin: {enabled: true}}
"""
REPOSITORY = "shop/many"


def fill(registry, count: int) -> list[str]:
    """The same small image under many tags of a support.registry.Registry."""
    one = images.Image("many")
    tags = [f"v{at}" for at in range(count)]
    registry.push(one, REPOSITORY, tags[0])
    for tag in tags[1:]:
        registry.put_manifest(one, REPOSITORY, tag)
    return tags


def milliseconds(port: int, tags: list[str], host: str = "open.test") -> list[float]:
    """Of each /mutate of a Pod with one of the tags, over one kept connection. Each must be pinned."""
    taken = []
    with contextlib.closing(Client(port)) as client:
        for tag in tags:
            begun = time.perf_counter()
            answer = client.mutate(f"{host}/{REPOSITORY}:{tag}")
            taken.append((time.perf_counter() - begun) * 1000)
            assert "patch" in answer, answer
    return taken


class Client:
    """One kept connection to belay."""

    def __init__(self, port: int) -> None:
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=tls)

    def mutate(self, image: str) -> dict:
        """The response of /mutate to a Pod with that image."""
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "1", "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"}, "name": "web", "namespace": "shop",
            "operation": "CREATE", "userInfo": {"username": "admin"}, "dryRun": False, "oldObject": None,
            "object": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
                       "spec": {"containers": [{"name": "web", "image": image}]}}}})
        self._connection.request("POST", "/mutate?timeout=5s", body, {"Content-Type": "application/json"})
        return json.loads(self._connection.getresponse().read())["response"]

    def close(self) -> None:
        self._connection.close()


class Asking:
    """Clients that ask /mutate about ever new tags until close(), each a host after the other.

    A host is asked by one client alone and rarely, so that no breaker ends its questions; a client asks no
    more often than belay waits for an answer. Whatever else the machine does goes before.
    """

    PAUSE = 2.5

    def __init__(self, port: int, hosts: list[str], clients: int) -> None:
        self._ending = threading.Event()
        self.answers: list[dict] = []
        shares = [hosts[at::clients] for at in range(clients)]
        self._threads = [threading.Thread(target=self._ask, args=(port, share)) for share in shares]
        with idle_priority():
            for thread in self._threads:
                thread.start()

    def _ask(self, port: int, hosts: list[str]) -> None:
        with contextlib.closing(Client(port)) as client:
            for number, host in enumerate(itertools.cycle(hosts)):
                next_at = time.monotonic() + self.PAUSE
                self.answers.append(client.mutate(f"{host}/{REPOSITORY}:n{number}"))
                if self._ending.wait(max(0.0, next_at - time.monotonic())):
                    return

    def close(self) -> None:
        """Returns once the last question is answered."""
        self._ending.set()
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def idle_priority():
    """Threads that are started in here, and those that they start, run where nothing else wants to."""
    before = os.sched_getscheduler(0)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, before, os.sched_param(0))


def p99(figures: list[float]) -> float:
    return statistics.quantiles(figures, n=100)[98]
