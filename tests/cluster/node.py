#!/usr/bin/env python3
"""A whole Kubernetes node for the tests: control plane, scheduler, kubelet, kube-proxy, containerd, runc.

    tests/cluster/node.py up           start one in the background, print how to reach it
    tests/cluster/node.py down         stop it and remove everything it made
    tests/cluster/node.py kubectl get pods -A
    tests/cluster/node.py load FILE…   import image archives
    tests/cluster/node.py belay        the same with belay: builds its image, installs its chart or upgrades it
    tests/cluster/node.py run          the same as up in the foreground, until Ctrl-C

The node lives in namespaces of its own for processes, mounts and network, as a container would. So it
listens on its usual ports, has its own /run, /var/lib and packet filter, and ends as a machine does when
its power is cut: the kernel takes processes, mounts, links and tables away with the namespaces. On the
host there are one temporary directory, one veth link and one cgroup, and they go too. It needs root.

As a fixture: `with Node() as node: node.load(archive); node.kubectl("get", "pods")`.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cluster import assets, image, node_settings, pause
from cluster.address import reserve
from cluster.api_server import ApiServer
from cluster.assets import Unavailable
from cluster.background import Background
from cluster.control_plane import die_with_parent
from cluster.privileges import require, search_path

BACKGROUND = Background(__file__, "belay-node")
# The first process of the node's namespace. The kernel buries whom it adopts.
INIT = "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwhile True: signal.pause()"
NEEDED = {"runc": "runc", "nft": "nftables", "conntrack": "conntrack", "unshare": "util-linux", "ip": "iproute2",
          "openssl": "openssl", "gcc": "gcc"}  # program -> Debian package
CNI_PLUGINS = Path("/usr/lib/cni")


class Node(ApiServer):
    """One node. Two of them don't meet: all they could share is numbered."""

    port = 6443
    name = "node"

    def __init__(self, say=None) -> None:
        self._say = say or (lambda line: None)
        self._processes: list[tuple[str, subprocess.Popen]] = []
        self._init: subprocess.Popen | None = None
        self._number = None
        self._powered_on = None

    # -- life ---------------------------------------------------------------------------------------

    def __enter__(self) -> Node:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when the node is Ready. Raises Unavailable where it cannot run."""
        self._require()
        self.programs = assets.find()
        if not (self.programs / "kubelet").exists():
            raise Unavailable(f"{self.programs} has no kubelet")
        self._container_programs = assets.find("containerd")
        self._number, self._lock = reserve("belay-node-", range(1, 64))
        self.host, self._gateway = f"10.223.{self._number}.2", f"10.223.{self._number}.1"
        self.directory = Path(tempfile.mkdtemp(prefix="belay-node-"))
        self.directory.chmod(0o711)  # containers of other users find their way to their volumes
        self.authority = self.directory / "pki/apiserver.crt"  # made by the API server at its start
        self.administrator_token = os.urandom(16).hex()
        self.cgroup, self._link = f"belay-node-{self._number}", f"belay-node{self._number}"
        node_settings.write(self)
        self.power_on()
        self.load(pause.archive(self.directory))

    def power_on(self) -> None:
        """Starts the machine; returns when the node is Ready and controllers run."""
        started = time.monotonic()
        self._powered_on = datetime.datetime.now(datetime.timezone.utc)
        node_settings.make_cgroups(self.cgroup)
        self._init = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--net", "--ipc", "--mount-proc",
             sys.executable, "-c", INIT], env=_environment(), preexec_fn=die_with_parent, stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)  
        self._target = self._first_process()
        self._mount()
        self._connect()
        for program, flags in node_settings.first_programs(self):
            self._run(program, *flags)
        self._until("the API server is ready", self._ready, self._processes)
        self._until("containerd answers", lambda: self.inside("ctr", "version"), self._processes)
        for program, flags in node_settings.further_programs(self):
            self._run(program, *flags)
        self._until("the node is Ready", self._node_ready, self._processes)
        self._until("controllers run", lambda: self.request(
            "GET", "/api/v1/namespaces/default/serviceaccounts/default"), self._processes)
        self._say(f"node ready in {time.monotonic() - started:.1f} s")

    def power_off(self) -> None:
        """Cuts the power: every process of the node is killed at once. What is on disk stays."""
        if self._init:
            try:
                os.kill(self._target, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self._init.wait()
            self._init = None
        for _, process in self._processes:
            process.wait()
        self._processes.clear()
        if self._number is not None:
            # the kernel takes it away with the namespace, but in its own time
            subprocess.run(["ip", "link", "del", self._link], env=_environment(), capture_output=True)
            # they are in memory on a real machine, and the kubelet would look after what was in them
            node_settings.remove_cgroups(self.cgroup)

    def stop(self) -> None:
        """Ends the node and removes everything it made."""
        self.power_off()
        if self._number is not None:
            self._lock.close()
            self._number = None
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = None

    # -- use ----------------------------------------------------------------------------------------

    def load(self, archive: Path) -> None:
        """Imports an image archive; pods then use it with imagePullPolicy IfNotPresent."""
        self.inside("ctr", "--namespace", "k8s.io", "images", "import", str(archive))

    def inside(self, *words: str, timeout: float = 120) -> str:
        """Runs a command on the node. Gives its standard output, or raises OSError with what it said."""
        done = subprocess.run([*self._enter(), *words], env=_environment(self._container_programs, self.programs),
                              text=True, capture_output=True, timeout=timeout)
        if done.returncode:
            raise OSError(f"{words[0]} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    # -- inside -------------------------------------------------------------------------------------

    @staticmethod
    def _require() -> None:
        require(NEEDED, Path(tempfile.gettempdir()))
        if not (CNI_PLUGINS / "bridge").exists():
            raise Unavailable("missing Debian package: containernetworking-plugins (scripts/setup node installs it)")

    def _first_process(self) -> int:
        children = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children")
        while True:
            if self._init.poll() is not None:
                raise RuntimeError(f"unshare ended with {self._init.returncode}")
            for child in children.read_text().split():
                if Path(f"/proc/{child}/cmdline").read_bytes().startswith(sys.executable.encode()):
                    return int(child)
            time.sleep(0.01)

    def _enter(self) -> list[str]:
        return ["nsenter", "--target", str(self._target), "--mount", "--net", "--pid", "--ipc", "--"]

    def _mount(self) -> None:
        script = "set -e\n" + "".join(f"mount -t tmpfs tmpfs {place}\n" for place in ("/run", "/var/lib", "/var/log"))
        # The kubelet sets these for the whole machine; here it finds them set, in files of its own.
        script += "mkdir /run/sysctl /run/lock\n" + "".join(
            f"echo {value} > /run/sysctl/{Path(file).name}\n"
            f"if [ -e /proc/sys/{file} ]; then mount --bind /run/sysctl/{Path(file).name} /proc/sys/{file}; fi\n"
            for file, value in node_settings.KERNEL_SETTINGS.items())
        self.inside("sh", "-c", script)

    def _connect(self) -> None:
        """A cable between host and node, and the bridge of the node's pods."""
        link = self._link
        script = (f"ip link add {link} type veth peer name eth0 netns {self._target}\n"
                  f"ip addr add {self._gateway}/30 dev {link}\nip link set {link} up\n")
        subprocess.run(["sh", "-ec", script], env=_environment(), check=True, capture_output=True)
        bridge = node_settings.BRIDGE
        # With the route, a Service's address has a way out before the packet filter turns it to a pod.
        self.inside("sh", "-ec", f"""
            ip link set lo up
            ip addr add {self.host}/30 dev eth0; ip link set eth0 up
            ip link add {bridge} type bridge
            ip addr add {node_settings.POD_GATEWAY}/24 dev {bridge}; ip link set {bridge} up
            ip route add {node_settings.SERVICES} dev {bridge} src {node_settings.POD_GATEWAY}
            echo 1 > /proc/sys/net/ipv4/ip_forward""")

    def _run(self, program: str, *flags: str) -> None:
        with open(self.directory / f"{program}.log", "a") as log:
            process = subprocess.Popen([*self._enter(), program, *flags], stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, preexec_fn=die_with_parent, start_new_session=True,
                                       env=_environment(self._container_programs, self.programs))
        self._processes.append((program, process))

    def _node_ready(self) -> None:
        node = self.request("GET", f"/api/v1/nodes/{self.name}")
        ready = any(condition["type"] == "Ready" and condition["status"] == "True"
                    for condition in node["status"].get("conditions", []))
        lease = self.request("GET", f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{self.name}")
        renewed = datetime.datetime.fromisoformat(lease["spec"]["renewTime"].replace("Z", "+00:00"))
        if not ready or renewed < self._powered_on:  # else it may have been Ready before the power was cut
            raise ValueError("the node is not Ready")


def _environment(*programs: Path) -> dict:
    return {**os.environ, "PATH": search_path(*programs)}


# -- by hand ----------------------------------------------------------------------------------------


def _run() -> int:
    node = Node(say=print)

    def tell():
        text = (f"export KUBECONFIG={node.kubeconfig}\nexport PATH={node.programs}:{assets.find('helm')}:$PATH\n"
                "# stop it: tests/cluster/node.py down")
        return text, {"target": node._target, "kubeconfig": str(node.kubeconfig),
                      "programs": [str(node._container_programs), str(node.programs)]}

    return BACKGROUND.run(node, tell)


def _up(quietly: bool = False) -> int:
    Node._require()
    for one in ("control plane", "containerd", "helm"):
        assets.find(one)
    return BACKGROUND.up(quietly)


def _kubectl(words: list[str]) -> int:
    state = _state()
    os.environ["KUBECONFIG"] = state["kubeconfig"]
    os.execv(f"{state['programs'][1]}/kubectl", ["kubectl", *words])


def _load(archives: list[Path]) -> int:
    state = _state()
    node = Node()
    node._target = state["target"]
    node._container_programs, node.programs = map(Path, state["programs"])
    for archive in archives:
        node.load(archive)
    return 0


def _belay(words: list[str]) -> int:
    """A node with belay on it. What is said last is how to reach it."""
    if status := _up(quietly=True):
        return status
    archive = image.archive()
    _load([archive])
    state = _state()
    os.environ["KUBECONFIG"] = state["kubeconfig"]
    installed = subprocess.run([
        assets.find("helm") / "helm", "upgrade", "--install", "belay", str(image.SOURCES / "charts/belay"),
        "--namespace=belay-system", "--create-namespace", f"--set=image.repository={image.NAME}",
        f"--set-string=image.tag={image.tag(archive)}", "--wait", "--timeout=3m", *words])
    if installed.returncode == 0:
        print(f"\nThe cluster is up. To reach it:\n\n{state['text']}\n\nSee a denial:\n\n"
              "kubectl create deployment first-denial --image=nginx:latest --dry-run=server")
    return installed.returncode


def _state() -> dict:
    if state := BACKGROUND.state():
        return state
    raise RuntimeError("not up; see: node.py up")


def main() -> int:
    try:
        words = sys.argv[2:]
        match sys.argv[1:2]:
            case ["kubectl"]:
                return _kubectl(words)
            case ["load"]:
                return _load([Path(word).resolve() for word in words])
            case ["belay"]:
                return _belay(words)
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("command", choices=["up", "down", "run", "kubectl", "load", "belay"])
        return {"up": _up, "down": BACKGROUND.down, "run": _run}[parser.parse_args().command]()
    except (Unavailable, TimeoutError, RuntimeError, OSError) as error:
        print(f"node.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
