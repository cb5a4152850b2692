"""The watch of webhook/kube against the real API server, through tests/cluster/follow.cpp."""

import json
import os
import queue
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2]
FOLLOW = os.environ.get("BELAY_FOLLOW") or str(SOURCES / "build/release/tests/cluster/follow")
NAMESPACES = "/api/v1/namespaces"
SILENCE_MS = 3000


class Follower:
    """A running `follow`; what it prints, as objects."""

    def __init__(self, kubeconfig, path, selector=""):
        self.process = subprocess.Popen(
            [FOLLOW, str(kubeconfig), path, str(SILENCE_MS), selector], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def until(self, wanted, seconds=60):
        """The first line for which `wanted` holds, from here on."""
        deadline = time.monotonic() + seconds
        seen = []
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"not within {seconds} s; saw {seen}")
            seen.append(line)
            if wanted(line):
                return line

    def stop(self):
        started = time.monotonic()
        self.process.stdin.close()
        assert self.process.wait(5) == 0
        return time.monotonic() - started


@pytest.fixture
def follow(control_plane):
    started = []

    def start(path=NAMESPACES, selector="", kubeconfig=None):
        started.append(Follower(kubeconfig or control_plane.kubeconfig, path, selector))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


def make(control_plane, name, labels=None):
    control_plane.request("POST", NAMESPACES, {"apiVersion": "v1", "kind": "Namespace",
                                               "metadata": {"name": name, "labels": labels or {}}})


def test_a_list_of_several_pages_then_every_change_is_told(control_plane, follow):
    one = follow()
    names = one.until(lambda line: "replaced" in line)["replaced"]
    assert {"default", "kube-system", "kube-public", "kube-node-lease"} <= set(names)
    make(control_plane, "told", {"environment": "prod"})
    assert one.until(lambda line: line.get("changed") == "told")["labels"]["environment"] == "prod"
    control_plane.request("PATCH", f"{NAMESPACES}/told", {"metadata": {"labels": {"environment": "dev"}}},
                          "application/merge-patch+json")
    one.until(lambda line: line.get("changed") == "told" and line["labels"]["environment"] == "dev")
    control_plane.request("DELETE", f"{NAMESPACES}/told")
    one.until(lambda line: line.get("deleted") == "told")
    assert one.stop() < 5, "a stop must not wait for the stream"


def test_what_a_selector_leaves_out_is_not_told_and_losing_the_label_is_a_deletion(control_plane, follow):
    path = "/api/v1/namespaces/default/configmaps"
    one = follow(path, "belay.dev/policy=true")
    one.until(lambda line: line.get("replaced") == [])
    for name, labels in (("other", {}), ("mine", {"belay.dev/policy": "true"})):
        control_plane.request("POST", path, {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a.yaml": "x: 1\n"},
                                             "metadata": {"name": name, "labels": labels}})
    assert one.until(lambda line: "changed" in line) == {
        "changed": "mine", "data": {"a.yaml": "x: 1\n"}, "labels": {"belay.dev/policy": "true"}}
    control_plane.request("PATCH", f"{path}/mine", {"metadata": {"labels": {"belay.dev/policy": None}}},
                          "application/merge-patch+json")
    one.until(lambda line: line.get("deleted") == "mine")


def test_A16_an_api_server_that_stops_answering_is_noticed_and_what_happened_meanwhile_is_told(control_plane, follow):
    one = follow()
    one.until(lambda line: "replaced" in line)
    make(control_plane, "before")  # told by the stream: so it flows
    one.until(lambda line: line.get("changed") == "before")
    server = next(process for name, process in control_plane._processes if name == "kube-apiserver")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        failed = one.until(lambda line: line.get("watch") == "failed", SILENCE_MS / 1000 + 10)
        assert "time" in failed["problem"]
    finally:
        os.kill(server.pid, signal.SIGCONT)
    make(control_plane, "meanwhile")
    one.until(lambda line: line.get("changed") == "meanwhile" or "meanwhile" in line.get("replaced", []))


def test_a_token_that_is_not_known_is_said_and_never_shown(control_plane, follow, tmp_path):
    config = json.loads(control_plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "no-such-token"}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    failed = follow(kubeconfig=path).until(lambda line: line.get("watch") == "failed")
    assert "Unauthorized" in failed["problem"]
    assert "no-such-token" not in failed["problem"]


def test_a_token_file_is_read_again_when_its_token_is_not_taken(control_plane, follow, tmp_path):
    config = json.loads(control_plane.kubeconfig.read_text())
    token = tmp_path / "token"
    token.write_text("old\n")
    config["users"][0]["user"] = {"tokenFile": "token"}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    one = follow(kubeconfig=path)
    one.until(lambda line: line.get("watch") == "failed")
    token.write_text(control_plane.administrator_token + "\n")
    one.until(lambda line: "replaced" in line)


def test_a_server_that_another_ca_signed_is_not_believed(control_plane, follow, tmp_path):
    from support.certificates import make_certificate
    config = json.loads(control_plane.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["certificate-authority"] = make_certificate(tmp_path, "other")[0]
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    failed = follow(kubeconfig=path).until(lambda line: line.get("watch") == "failed")
    assert "certificate" in failed["problem"]
