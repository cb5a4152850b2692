"""The tag history in ConfigMaps of a real API server: two replicas of it (tests/cluster/remember.cpp) with
the rights that its header names, and `belay tag-history` beside them."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from cluster import webhook
from conftest import SOURCES
from support.waiting import until

PROGRAM = Path(os.environ.get("BELAY_PROGRAM") or SOURCES / "build/release/belay")
REMEMBER = os.environ.get("BELAY_REMEMBER") or str(PROGRAM.parent / "tests/cluster/remember")
NAMESPACE = webhook.NAMESPACE
MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
RULES = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch", "create", "patch"]}]
OLD, NEW = ("sha256:" + letter * 64 for letter in "ab")
WEB = "registry.corp:5000/shop/web"


def at(second: int) -> str:
    return f"2026-11-22T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


def shard_of(repository: str) -> str:
    return "belay-tag-history-" + hashlib.sha256(repository.encode()).hexdigest()[0]


class Replica:
    def __init__(self, kubeconfig: Path) -> None:
        self.process = subprocess.Popen([REMEMBER, str(kubeconfig), NAMESPACE], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self._answers, self.news = queue.Queue(), []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            said = json.loads(line)
            self.news.append(said) if "news" in said else self._answers.put(said)

    def _say(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def saw(self, tag: str, digest: str = OLD, second: int = 1, repository: str = WEB) -> None:
        self._say(f"saw {repository} {tag} {digest} {at(second)}")

    def first(self, tag: str, repository: str = WEB) -> str | None:
        """The digest of the first record; fails where nothing can be said."""
        self._say(f"first {repository} {tag}")
        first = self._answers.get(timeout=10)["first"]
        return first and first["digest"]

    def knows(self, tag: str, digest: str | None = OLD, repository: str = WEB) -> None:
        until(lambda: self.first(tag, repository) == digest, what=f"{tag}: {digest}")

    def end(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(20) == 0


def make_account(control_plane, name: str, rules: list) -> Path:
    """A kubeconfig of a new ServiceAccount with these rights in belay's namespace."""
    api = "rbac.authorization.k8s.io"
    control_plane.request("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
                          {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
    control_plane.request("POST", f"/apis/{api}/v1/namespaces/{NAMESPACE}/roles", {
        "apiVersion": f"{api}/v1", "kind": "Role", "metadata": {"name": name}, "rules": rules})
    control_plane.request("POST", f"/apis/{api}/v1/namespaces/{NAMESPACE}/rolebindings", {
        "apiVersion": f"{api}/v1", "kind": "RoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": api, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}]})
    token = control_plane.request("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{name}/token", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})["status"]["token"]
    control_plane.write_kubeconfig(name, {"token": token})
    return control_plane.directory / f"{name}.kubeconfig"


@pytest.fixture(scope="module")
def belay_account(control_plane):
    control_plane.request("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace",
                                                         "metadata": {"name": NAMESPACE}})
    return make_account(control_plane, "belay", RULES)


@pytest.fixture
def replicas(control_plane, belay_account):
    """Two, which know that nothing is remembered."""
    control_plane.request("DELETE", f"{MAPS}?labelSelector=belay.dev/tag-history%3Dtrue")
    two = [Replica(belay_account) for _ in range(2)]
    for one in two:  # an answer instead of "unknown": the first list was read
        until(lambda one=one: (one._say(f"first {WEB} none"), "first" in one._answers.get(timeout=10))[1], what="a list")
    yield two
    for one in two:
        one.process.kill()
        one.process.wait()


def tags(kubeconfig: Path, *words: str) -> subprocess.CompletedProcess:
    command, *rest = words
    return subprocess.run([PROGRAM, "tag-history", command, "--kubeconfig", kubeconfig, *rest], text=True,
                          capture_output=True, timeout=60)


def listed(control_plane, *words: str) -> dict[str, str]:
    done = tags(control_plane.kubeconfig, "list", "--output", "json", *words)
    assert done.returncode == 0, done.stderr
    return {f"{one['repository']}:{one['tag']}": one["digest"] for one in json.loads(done.stdout)}


def test_what_one_replica_saw_the_other_knows_and_a_person_can_read(control_plane, replicas):
    one, two = replicas
    one.saw("v1")
    assert one.first("v1") == OLD  # at once
    two.knows("v1")
    two.saw("v1", NEW, second=9)
    assert two.first("v1") == OLD
    shown = control_plane.kubectl("-n", NAMESPACE, "get", "configmap", shard_of(WEB), "-o", "yaml").stdout
    assert "  tags: |\n    # tag, the digest" in shown
    assert f"\n    {WEB}:v1 {OLD} {at(1)}\n" in shown
    assert "belay.dev/tag-history: \"true\"" in shown


def test_two_replicas_that_write_at_once_lose_nothing_and_the_older_record_stays(control_plane, replicas):
    repositories = [f"registry.corp/team/app{number}" for number in range(40)]
    threads = [threading.Thread(target=lambda one=one, mine=mine, second=second, digest=digest: [
        (one.saw(f"{mine}{number}", repository=repository),
         one.saw(f"both{number}", digest, second, repository))
        for number in range(10) for repository in repositories])
        for one, mine, second, digest in zip(replicas, ("left", "right"), (7, 3), (NEW, OLD))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len(listed(control_plane)) == 3 * 10 * len(repositories), what="all of them")
    until(lambda: {digest for tag, digest in listed(control_plane).items() if ":both" in tag} == {OLD}, what="the older")
    for one in replicas:
        one.knows("both9", OLD, repositories[-1])
    assert len(listed(control_plane, repositories[0], f"{repositories[1]}:both1")) == 31


def test_a_tag_that_is_cleared_is_dropped_by_every_replica_and_written_back_by_none(control_plane, replicas):
    one, two = replicas
    for tag in ("v1", "v2", "v3"):
        one.saw(tag)
        two.knows(tag)
    done = tags(control_plane.kubeconfig, "clear", f"{WEB}:v1", f"{WEB}:v9")
    assert (done.returncode, done.stdout) == (0, f"removed {WEB}:v1 {OLD} (first seen {at(1)})\n")
    assert done.stderr == f"no record of {WEB}:v9\n"
    for replica in replicas:
        replica.knows("v1", None)
    for number in range(10):  # both go on writing into the same ConfigMap
        replicas[number % 2].saw(f"more{number}")
        replicas[1 - number % 2].knows(f"more{number}")
    assert f"{WEB}:v1" not in listed(control_plane)
    two.saw("v1", NEW, second=30)
    one.knows("v1", NEW)

    assert tags(control_plane.kubeconfig, "clear", "--all-of", WEB).returncode == 0
    assert listed(control_plane, WEB) == {}
    assert tags(control_plane.kubeconfig, "clear", "--all-of", WEB).returncode == 1


def test_what_is_taken_away_with_kubectl_is_forgotten(control_plane, replicas):
    one, two = replicas
    one.saw("v1")
    one.saw("v2")
    two.knows("v2")
    control_plane.request("PATCH", f"{MAPS}/{shard_of(WEB)}", {"data": {"tags": f"{WEB}:v2 {OLD} {at(1)}\nbroken\n"}},
                          "application/merge-patch+json")
    for replica in replicas:
        replica.knows("v1", None)
        assert replica.first("v2") == OLD
        until(lambda: any("line 2 is not a tag" in said["news"] for said in replica.news), what="the broken line told")
    control_plane.request("DELETE", f"{MAPS}/{shard_of(WEB)}")
    for replica in replicas:
        replica.knows("v2", None)
    two.saw("v3", NEW)
    one.knows("v3", NEW)
    assert listed(control_plane) == {f"{WEB}:v3": NEW}


def test_A16_while_the_api_server_does_not_answer_nothing_is_lost_and_what_was_read_stays_known(
        control_plane, replicas):
    one, two = replicas
    one.saw("v1")
    two.knows("v1")
    server = next(process for name, process in control_plane._processes if name == "kube-apiserver")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        for number in range(20):
            one.saw(f"away{number}", repository=f"registry.corp/app{number}")
        until(lambda: any(not said["good"] for said in one.news), what="the failure told")
        assert one.first("v1") == two.first("v1") == OLD
        assert one.first("away7", "registry.corp/app7") == OLD
    finally:
        os.kill(server.pid, signal.SIGCONT)
    for number in range(20):
        two.knows(f"away{number}", OLD, f"registry.corp/app{number}")
    until(lambda: any(said["good"] for said in one.news), what="that it is over")


def test_what_waits_is_written_when_a_replica_ends(control_plane, replicas):
    replicas[0].saw("last")
    replicas[0].end()
    assert listed(control_plane) == {f"{WEB}:last": OLD}


def test_without_the_rights_the_replica_says_so_and_goes_on_and_tags_ends_with_an_error(control_plane, replicas):
    looking = make_account(control_plane, "looking", [{**RULES[0], "verbs": ["list", "watch"]}])
    replicas[0].saw("v1")
    replicas[1].knows("v1")
    blind = Replica(looking)
    try:
        until(lambda: (blind._say(f"first {WEB} v1"), "first" in blind._answers.get(timeout=10))[1], what="a list")
        assert blind.first("v1") == OLD
        blind.saw("v2")
        until(lambda: any("cannot be written" in said["news"] and "forbidden" in said["news"] for said in blind.news),
              what="what is missing told")
        assert blind.first("v2") == OLD
    finally:
        blind.process.kill()
        blind.process.wait()
    assert tags(looking, "list").returncode == 0
    done = tags(looking, "clear", f"{WEB}:v1")
    assert done.returncode == 2 and "forbidden" in done.stderr and done.stdout == ""
    assert f"{WEB}:v1" in listed(control_plane)


def test_a_configmap_that_is_full_is_still_taken_by_the_api_server_and_forgets_the_oldest(control_plane, replicas):
    one, two = replicas
    for number in range(8000):
        one.saw(f"v1.0.{number}", second=number)
    until(lambda: any("oldest tags were removed" in said["news"] for said in one.news), what="that it is full")
    two.knows("v1.0.7999")
    text = control_plane.request("GET", f"{MAPS}/{shard_of(WEB)}")["data"]["tags"]
    assert 800 << 10 < len(text) <= 900 << 10
    assert two.first("v1.0.0") is None
    assert not [said for said in one.news if "cannot" in said["news"]]
