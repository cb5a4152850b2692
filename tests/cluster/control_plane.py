#!/usr/bin/env python3
"""A real Kubernetes control plane for the tests: etcd, kube-apiserver, kube-controller-manager.

    tests/cluster/control_plane.py up        start one in the background, print how to reach it
    tests/cluster/control_plane.py down      stop it and remove everything it made
    tests/cluster/control_plane.py kubectl get pods -A
    tests/cluster/control_plane.py run       the same in the foreground, until Ctrl-C
    tests/cluster/control_plane.py build     only find or build the programs

There is no node, so pods stay Pending; everything up to that point is the real thing. Ready some 4
seconds after the start, about 450 MB of memory. Everything lives in one temporary directory, and every
program dies with the process that started it.

As a fixture: `with ControlPlane() as cluster: cluster.kubectl("apply", "-f", "-", input=…)`.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cluster import assets
from cluster.address import HostAddress
from cluster.api_server import ApiError, ApiServer  # noqa: F401  (ApiError: for those who use this)
from cluster.background import Background

BACKGROUND = Background(__file__, "belay-cluster")


class ControlPlane(ApiServer):
    """One control plane, on 127.0.0.1."""

    def __init__(self, say=None, audit: bool = False) -> None:
        """`audit` keeps an audit log, for audit_events()."""
        self._say = say or (lambda line: None)
        self._audit = audit
        self._processes: list[tuple[str, subprocess.Popen]] = []
        self._address: HostAddress | None = None
        self.has_controllers = False

    # -- life ---------------------------------------------------------------------------------------

    def __enter__(self) -> ControlPlane:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when the API server is ready and controllers run.
        Raises assets.Unavailable where the programs cannot be had."""
        self.programs = assets.find()
        started = time.monotonic()
        self.directory = Path(tempfile.mkdtemp(prefix="belay-control-plane-"))
        self._address = HostAddress()
        self.has_controllers = (self.programs / "kube-controller-manager").exists()
        etcd_port, peer_port, self.port, controllers_port = free_ports(4)
        self.authority = self.directory / "pki/apiserver.crt"  # made by the API server at its start
        self._write_identities()

        etcd, peers = f"http://127.0.0.1:{etcd_port}", f"http://127.0.0.1:{peer_port}"
        self._run("etcd", "--data-dir=etcd", f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
                  f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}",
                  f"--initial-cluster=default={peers}", "--unsafe-no-fsync", "--log-level=warn")
        self._run(
            "kube-apiserver", f"--etcd-servers={etcd}", "--bind-address=127.0.0.1", f"--secure-port={self.port}",
            f"--advertise-address={self.host_address}", "--cert-dir=pki", "--token-auth-file=tokens.csv",
            "--authorization-mode=RBAC", "--service-cluster-ip-range=10.98.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=pki/sa.pub",
            "--service-account-signing-key-file=pki/sa.key", "--allow-privileged=true",
            # the API server dials the endpoints of a webhook's Service itself; there is no kube-proxy
            "--enable-aggregator-routing=true",
            *(["--audit-policy-file=audit.json", "--audit-log-path=audit.log"] if self._audit else []),
            # without controllers nothing makes the ServiceAccount that this plugin asks for
            *([] if self.has_controllers else ["--disable-admission-plugins=ServiceAccount"]))
        self._until("the API server is ready", self._ready, self._processes)
        if self.has_controllers:
            self._run(
                "kube-controller-manager", "--kubeconfig=controllers.kubeconfig",
                "--authentication-kubeconfig=controllers.kubeconfig",
                "--authorization-kubeconfig=controllers.kubeconfig", "--bind-address=127.0.0.1",
                f"--secure-port={controllers_port}", "--cert-dir=pki", "--use-service-account-credentials=true",
                "--service-account-private-key-file=pki/sa.key", "--leader-elect=false")
            self._until("controllers run", lambda: self.request(
                "GET", "/api/v1/namespaces/default/serviceaccounts/default"), self._processes)
        self._say(f"ready in {time.monotonic() - started:.1f} s")

    def stop(self) -> None:
        """Ends every program and removes everything. The data is thrown away, so nothing need end gently."""
        for _, process in reversed(self._processes):
            process.kill()
            process.wait()
        self._processes.clear()
        if self._address:
            self._address.close()
            self._address = None
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = None

    # -- use ----------------------------------------------------------------------------------------

    @property
    def host_address(self) -> str:
        """An address of this host that an EndpointSlice may name."""
        return self._address.text

    # -- inside -------------------------------------------------------------------------------------

    def _write_identities(self) -> None:
        pki = self.directory / "pki"
        pki.mkdir()
        for command in (["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sa.key"],
                        ["ec", "-in", "sa.key", "-pubout", "-out", "sa.pub"]):
            subprocess.run(["openssl", *command], cwd=pki, check=True, capture_output=True)
        (self.directory / "audit.json").write_text(json.dumps({
            "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
            "rules": [{"level": "Metadata", "verbs": ["create", "update", "patch"]}, {"level": "None"}]}))
        self.administrator_token, controllers_token = os.urandom(16).hex(), os.urandom(16).hex()
        (self.directory / "tokens.csv").write_text(
            f'{self.administrator_token},admin,admin,"system:masters"\n'
            f"{controllers_token},system:kube-controller-manager,controllers\n")
        for name, token in (("admin", self.administrator_token), ("controllers", controllers_token)):
            self.write_kubeconfig(name, {"token": token})

    def _run(self, program: str, *flags: str) -> None:
        with open(self.directory / f"{program}.log", "w") as log:
            process = subprocess.Popen([str(self.programs / program), *flags], cwd=self.directory,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       preexec_fn=die_with_parent, start_new_session=True)
        self._processes.append((program, process))


def free_ports(count: int) -> list[int]:
    """Distinct TCP ports of 127.0.0.1 that nothing listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def die_with_parent() -> None:
    """For preexec_fn: the kernel kills the child when the thread that started it ends, however it ends."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


# -- by hand ----------------------------------------------------------------------------------------


def _run() -> int:
    cluster = ControlPlane(say=print)

    def tell():
        text = (f"export KUBECONFIG={cluster.kubeconfig}\nexport PATH={cluster.programs}:$PATH\n"
                f"# webhook endpoints may use {cluster.host_address}")
        return text, {"programs": str(cluster.programs), "kubeconfig": str(cluster.kubeconfig)}

    return BACKGROUND.run(cluster, tell)


def _up() -> int:
    assets.find()
    return BACKGROUND.up()


def _kubectl(words: list[str]) -> int:
    state = BACKGROUND.state()
    if not state:
        print("not up; see: control_plane.py up", file=sys.stderr)
        return 1
    os.environ["KUBECONFIG"] = state["kubeconfig"]
    os.execv(f"{state['programs']}/kubectl", ["kubectl", *words])


def main() -> int:
    if sys.argv[1:2] == ["kubectl"]:
        return _kubectl(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["up", "down", "run", "build", "kubectl"])
    command = parser.parse_args().command
    try:
        if command == "build":
            print(assets.find())
            return 0
        return {"up": _up, "down": BACKGROUND.down, "run": _run}[command]()
    except (assets.Unavailable, TimeoutError, RuntimeError, OSError) as error:
        print(f"control_plane.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
