"""What the programs of the test node are told: files and flags. node.py starts and stops them."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

BRIDGE = "pods0"
PODS, POD_GATEWAY = "10.250.0.0/24", "10.250.0.1"
SERVICES = "10.97.0.0/16"
KERNEL_SETTINGS = {  # as the kubelet wants them
    "vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000, "kernel/keys/root_maxbytes": 25000000}
CLIENTS = {  # name -> user, groups
    "controllers": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
    "kubelet": ("system:node:node", "system:nodes"),
}
CGROUPS = Path("/sys/fs/cgroup")


def write(node) -> None:
    """Keys, kubeconfigs and configuration files into the node's directory."""
    directory = node.directory
    pki = directory / "pki"
    for folder in (pki, directory / "cni", directory / "kubelet", directory / "etcd"):
        folder.mkdir()
    _write_keys(pki)
    tokens = {name: os.urandom(16).hex() for name in CLIENTS}
    (directory / "tokens.csv").touch(mode=0o600)
    (directory / "tokens.csv").write_text(f'{node.administrator_token},admin,admin,"system:masters"\n' + "".join(
        f'{tokens[name]},{user},{name},"{groups}"\n' for name, (user, groups) in CLIENTS.items()))
    node.write_kubeconfig("admin", {"token": node.administrator_token})
    for name, token in tokens.items():
        node.write_kubeconfig(name, {"token": token})
    (directory / "resolv.conf").write_text("")
    (directory / "audit.json").write_text(json.dumps({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts:belay-system"]}, {"level": "None"}]}))
    (directory / "cni/pods.conflist").write_text(json.dumps({
        "cniVersion": "1.0.0", "name": "pods", "plugins": [
            {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipMasq": False, "hairpinMode": True,
             "ipam": {"type": "host-local", "ranges": [[{"subnet": PODS, "gateway": POD_GATEWAY}]],
                      "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/run/ipam"}},
            {"type": "portmap", "capabilities": {"portMappings": True}}]}))
    (directory / "kubelet.json").write_text(json.dumps(_kubelet(node)))
    (directory / "proxy.json").write_text(json.dumps({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "nftables",
        "clusterCIDR": PODS, "detectLocalMode": "ClusterCIDR", "hostnameOverride": node.name,
        "clientConnection": {"kubeconfig": str(directory / "proxy.kubeconfig")},
        # left as they are: they belong to the machine
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}}))
    (directory / "containerd.toml").write_text(_containerd(directory))


def first_programs(node) -> list[tuple[str, list[str]]]:
    """What needs no API server."""
    at = node.directory
    etcd, peers = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    return [
        ("etcd", [f"--data-dir={at}/etcd", f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
                  f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}",
                  f"--initial-cluster=default={peers}", "--unsafe-no-fsync", "--log-level=warn"]),
        ("kube-apiserver", [
            f"--etcd-servers={etcd}", "--bind-address=0.0.0.0", f"--secure-port={node.port}",
            f"--advertise-address={node.host}", f"--cert-dir={at}/pki", f"--token-auth-file={at}/tokens.csv",
            "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
            f"--service-cluster-ip-range={SERVICES}", "--allow-privileged=true",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={at}/pki/sa.pub", f"--service-account-signing-key-file={at}/pki/sa.key",
            f"--kubelet-client-certificate={at}/pki/client.crt", f"--kubelet-client-key={at}/pki/client.key",
            "--kubelet-preferred-address-types=InternalIP",
            f"--audit-policy-file={at}/audit.json", f"--audit-log-path={at}/audit.log"]),
        ("containerd", ["--config", f"{at}/containerd.toml"]),
    ]


def further_programs(node) -> list[tuple[str, list[str]]]:
    at = node.directory

    def as_client(name: str) -> list[str]:
        return [f"--{use}kubeconfig={at}/{name}.kubeconfig" for use in ("", "authentication-", "authorization-")]

    return [
        ("kube-controller-manager", [
            *as_client("controllers"), "--bind-address=127.0.0.1", f"--cert-dir={at}/pki", "--leader-elect=false",
            "--use-service-account-credentials=true", f"--service-account-private-key-file={at}/pki/sa.key",
            f"--root-ca-file={node.authority}"]),
        ("kube-scheduler", [*as_client("scheduler"), "--bind-address=127.0.0.1", f"--cert-dir={at}/pki",
                            "--leader-elect=false"]),
        ("kubelet", [f"--config={at}/kubelet.json", f"--kubeconfig={at}/kubelet.kubeconfig",
                     f"--root-dir={at}/kubelet", f"--cert-dir={at}/pki", f"--hostname-override={node.name}",
                     f"--node-ip={node.host}"]),
        ("kube-proxy", [f"--config={at}/proxy.json"]),
    ]


def make_cgroups(name: str) -> None:
    """The cgroup under which pods have theirs; with v1, a directory in each hierarchy."""
    if (CGROUPS / "cgroup.controllers").exists():
        roots = [CGROUPS]
        for controller in (CGROUPS / "cgroup.controllers").read_text().split():
            try:
                (CGROUPS / "cgroup.subtree_control").write_text(f"+{controller}")
            except OSError:
                pass  # the kubelet names what it misses
    else:
        roots = sorted(one for one in CGROUPS.iterdir() if (one / "tasks").exists())
    for root in roots:
        (root / name).mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):  # of v1: empty in a new cgroup, which then takes no process
            if (root / "tasks").exists() and (root / file).exists():
                (root / name / file).write_text((root / file).read_text())


def remove_cgroups(name: str) -> None:
    for directory in [CGROUPS / name, *CGROUPS.glob(f"*/{name}")]:
        for _ in range(50):  # killed processes leave in their own time
            for folder, _, _ in os.walk(directory, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass
            if not directory.exists():
                break
            time.sleep(0.1)


def _write_keys(pki: Path) -> None:
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for command in (
            ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sa.key"],
            ["ec", "-in", "sa.key", "-pubout", "-out", "sa.pub"],
            # how the kubelet knows the API server: logs, exec, port-forward
            ["req", "-x509", *curve, "-subj", "/CN=node", "-days", "30", "-keyout", "ca.key", "-out", "ca.crt"],
            ["req", *curve, "-subj", "/O=system:masters/CN=kube-apiserver", "-keyout", "client.key", "-out", "client.csr"],
            ["x509", "-req", "-in", "client.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
             "-out", "client.crt"]):
        subprocess.run(["openssl", *command], cwd=pki, check=True, capture_output=True)


def _kubelet(node) -> dict:
    at = node.directory
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "failCgroupV1": False,
        "failSwapOn": False, "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{node.cgroup}",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock", "resolvConf": str(at / "resolv.conf"),
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                           "x509": {"clientCAFile": str(at / "pki/ca.crt")}},
        "authorization": {"mode": "Webhook"},
        # the machine is shared: how full its disk is says nothing of this node
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "nodeStatusUpdateFrequency": "4s", "serializeImagePulls": False}


def _containerd(directory: Path) -> str:
    from cluster import pause
    from cluster.node import CNI_PLUGINS
    return f"""version = 3
root = "{directory}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs",
  "io.containerd.image-verifier.v1.bindir"]
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{pause.NAME}"
[plugins."io.containerd.cri.v1.runtime"]
  # without CAP_SYS_RESOURCE it cannot be lowered, and no sandbox would start
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{CNI_PLUGINS}"]
    conf_dir = "{directory}/cni"
"""
