"""Programs of the test clusters: where they are, and how they are built.

`find("control plane")` answers with a directory that holds etcd, kube-apiserver, kubectl and mostly the
other programs of Kubernetes too; `find("containerd")` and `find("helm")` with theirs:

1. for the control plane, the directory that KUBEBUILDER_ASSETS names, as is usual in the ecosystem;
2. else one of our own below ${XDG_CACHE_HOME:-~/.cache}/belay, built from the Go modules beside this
   file. Its name holds a hash of everything that decides what is built, so that a change of version
   builds anew and two checkouts share one build.

The first build takes some 11 minutes on two cores and says how far it is; afterwards it costs nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
KUBERNETES_VERSION, CONTAINERD_VERSION, HELM_VERSION = "v1.36.3", "v2.4.2", "v3.21.4"
REQUIRED = ("etcd", "kube-apiserver", "kubectl")  # of KUBEBUILDER_ASSETS


@dataclass(frozen=True)
class Program:
    """One `go build` in the Go module tests/cluster/<module>."""

    module: str
    name: str
    package: str = "."
    symbols: tuple[str, ...] = ()  # of the linker's -X
    tags: str = ""
    links: tuple[str, ...] = ()  # other names it is called by, and acts by
    environment: dict = field(default_factory=dict)


_CONTAINERD = "github.com/containerd/containerd/v2"
_CONTAINERD_TAGS = "urfave_cli_no_docs,no_btrfs,no_zfs,no_devmapper,no_aufs,no_tracing"
_CONTAINERD_SYMBOLS = (f"{_CONTAINERD}/version.Version={CONTAINERD_VERSION}",)

SETS = {
    "control plane": (
        Program("kubernetes", "kube-apiserver",
                symbols=(f"k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}",),
                links=("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")),
        Program("etcd", "etcd"),
    ),
    "containerd": (
        Program("containerd", "containerd", f"{_CONTAINERD}/cmd/containerd", _CONTAINERD_SYMBOLS, _CONTAINERD_TAGS),
        Program("containerd", "ctr", f"{_CONTAINERD}/cmd/ctr", _CONTAINERD_SYMBOLS, _CONTAINERD_TAGS),
        Program("containerd", "containerd-shim-runc-v2", f"{_CONTAINERD}/cmd/containerd-shim-runc-v2",
                _CONTAINERD_SYMBOLS, _CONTAINERD_TAGS + ",no_grpc", environment={"CGO_ENABLED": "0"}),
    ),
    "helm": (
        Program("helm", "helm", "helm.sh/helm/v3/cmd/helm",
                (f"helm.sh/helm/v3/internal/version.version={HELM_VERSION}",)),
    ),
}
VERSIONS = {"control plane": f"kubernetes-{KUBERNETES_VERSION}", "containerd": f"containerd-{CONTAINERD_VERSION}",
            "helm": f"helm-{HELM_VERSION}"}


class Unavailable(Exception):
    """Something is not here and cannot be had; the text says why. Tests skip with it."""


def find(which: str = "control plane", say=None) -> Path:
    """Directory of a set's programs, built if need be. `say` takes lines of progress (default stderr)."""
    named = os.environ.get("KUBEBUILDER_ASSETS") if which == "control plane" else None
    if named:
        missing = [name for name in REQUIRED if not os.access(Path(named) / name, os.X_OK)]
        if missing:
            raise Unavailable(f"KUBEBUILDER_ASSETS={named} lacks {', '.join(missing)}")
        return Path(named)
    directory = cache_directory(which)
    if not _complete(which, directory):
        _build(which, directory, say or _say)
    return directory


def cache() -> Path:
    """Where everything is kept that is expensive to make."""
    directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "belay"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def cache_directory(which: str = "control plane") -> Path:
    """Where our own build is or will be."""
    digest = hashlib.sha256()
    for program in SETS[which]:
        digest.update(repr(program).encode())
        for file in ("go.mod", "go.sum", "main.go"):
            if (path := HERE / program.module / file).exists():
                digest.update(path.read_bytes())
    return cache() / f"{VERSIONS[which]}-{digest.hexdigest()[:12]}"


def _complete(which: str, directory: Path) -> bool:
    return all((directory / name).exists() for program in SETS[which] for name in (program.name, *program.links))


def _build(which: str, directory: Path, say) -> None:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if not go:
        raise Unavailable("no Go compiler: install golang, or set KUBEBUILDER_ASSETS to a directory with "
                          + ", ".join(REQUIRED))
    with open(directory.parent / (directory.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second run waits for the first one's build
        if _complete(which, directory):
            return
        started = time.monotonic()
        say(f"building {VERSIONS[which]} for the tests into {directory} (once, then kept)")
        with tempfile.TemporaryDirectory(dir=directory.parent) as fresh:
            for program in SETS[which]:
                _go_build(go, program, Path(fresh) / program.name, say)
                for name in program.links:
                    os.symlink(program.name, Path(fresh) / name)
            os.chmod(fresh, 0o755)
            shutil.rmtree(directory, ignore_errors=True)
            shutil.copytree(fresh, directory, symlinks=True, copy_function=shutil.move)
        say(f"built in {time.monotonic() - started:.0f} s")


def _go_build(go: str, program: Program, output: Path, say) -> None:
    # auto: an older Go fetches the toolchain that go.mod names (Debian's default is local).
    environment = {"GOTOOLCHAIN": "auto", **os.environ, **program.environment}
    folder = HERE / program.module
    selected = ["-tags", program.tags, program.package]
    listing = subprocess.run([go, "list", "-deps", *selected], cwd=folder, env=environment, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if listing.returncode:
        raise Unavailable(f"go cannot load module tests/cluster/{program.module}: {_last_lines(listing.stderr)}")
    total = len(listing.stdout.splitlines())
    # -v names each package that is compiled; what the cache has is not named.
    symbols = " ".join(["-s -w", *(f"-X {symbol}" for symbol in program.symbols)])
    process = subprocess.Popen([go, "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", symbols,
                                "-o", str(output), *selected], cwd=folder, env=environment, text=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    compiled, told, lines = 0, time.monotonic(), []
    for line in process.stderr:
        if re.fullmatch(r"[\w.~-]+(/[\w.~-]+)*\n", line):
            compiled += 1
        elif not line.startswith("go: downloading"):
            lines.append(line)
        if time.monotonic() - told > 10:
            told = time.monotonic()
            say(f"  {program.name}: {compiled} of at most {total} packages compiled")
    if process.wait():
        raise Unavailable(f"go build of {program.name} failed: {_last_lines(''.join(lines))}")


def _last_lines(text: str) -> str:
    return " | ".join(text.strip().splitlines()[-3:])


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":  # builds what is named, or everything
    try:
        for one in sys.argv[1:] or SETS:
            print(find(one))
    except Unavailable as error:
        sys.exit(f"assets.py: {error}")
