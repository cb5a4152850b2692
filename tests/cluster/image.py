#!/usr/bin/env python3
"""The image of belay, built from the Dockerfile with buildah and kept by the hash of what it is made of.

    tests/cluster/image.py        builds it if need be, prints the archive's path
    tests/cluster/image.py --name NAME:TAG --version V --revision R --output FILE
                                  the same for scripts/image, where no base image can be pulled

The Dockerfile's base comes from a registry, which tests cannot count on. So they make a base of their
own with debootstrap, from the package sources that this machine uses. Base, packages and archives are
kept below ${XDG_CACHE_HOME:-~/.cache}/belay: a change of sources compiles (through ccache), a change of
nothing costs nothing.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cluster import assets
from cluster.assets import Unavailable
from cluster.privileges import require, search_path

SOURCES = Path(__file__).resolve().parents[2]
NAME, VERSION = "localhost/belay", "0.1.0-test"
RELEASE = "trixie"
BASE_RECIPE = 1  # counts changes of _make_base()
KEPT_ARCHIVES = 3
NEEDED = {"buildah": "buildah", "debootstrap": "debootstrap", "nft": "nftables", "ip": "iproute2"}  # with Debian package
COPIED = ("Dockerfile", ".dockerignore", "CMakeLists.txt", "CMakePresets.json", "certs", "cmake", "policy",
          "scripts/image_root", "scripts/packages.txt", "webhook")


def tag(archive: Path) -> str:
    """Tag of NAME in an archive: the hash of what the image was made of."""
    return archive.stem.removeprefix("image-")


def archive(say=None) -> Path:
    """The image as an archive that `ctr images import` and `buildah pull docker-archive:` read.
    Raises Unavailable where it cannot be built."""
    say = say or _say
    path = assets.cache() / f"image-{_key()}.tar"  # the hash is taken once: sources may change meanwhile
    if path.exists():
        path.touch()
        return path
    require(NEEDED, assets.cache())
    with open(assets.cache() / "image.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            started = time.monotonic()
            _build(path, f"{NAME}:{tag(path)}", VERSION, tag(path), say)
            say(f"{path}: {path.stat().st_size / 1e6:.1f} MB, built in {time.monotonic() - started:.0f} s")
    for old in sorted(assets.cache().glob("image-*.tar"), key=lambda file: file.stat().st_mtime)[:-KEPT_ARCHIVES]:
        old.unlink(missing_ok=True)
    return path


def build(path: Path, name: str, version: str, revision: str) -> None:
    """The image under any name, as an archive at any place."""
    require(NEEDED, assets.cache())
    with open(assets.cache() / "image.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _build(path, name, version, revision, _say)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def buildah(*words: str, input: str | None = None) -> subprocess.CompletedProcess:
    """buildah on the tests' own storage; the caller looks at returncode."""
    storage = assets.cache() / "containers"
    return subprocess.run(
        ["buildah", "--root", str(storage), "--runroot", f"{tempfile.gettempdir()}/belay-containers-{os.getuid()}",
         "--storage-driver", "overlay", *words],
        env={**os.environ, "PATH": search_path(), "BUILDAH_ISOLATION": "chroot"}, input=input, text=True, capture_output=True)


def _key() -> str:
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *COPIED], cwd=SOURCES,
                            text=True, capture_output=True, check=True).stdout.split("\n")
    digest = hashlib.sha256(f"{BASE_RECIPE} {VERSION}".encode())
    for name in sorted(filter(None, listed)):
        if (SOURCES / name).is_file():
            digest.update(f"{name}\0{os.access(SOURCES / name, os.X_OK)}\0".encode())
            digest.update((SOURCES / name).read_bytes())
    return digest.hexdigest()[:12]


def _build(path: Path, name: str, version: str, revision: str, say) -> None:
    base = _base(say)
    compiled = assets.cache().parent / "ccache"
    compiled.mkdir(exist_ok=True)
    # The packages' layer carries a name of its own, so that pruning leaves it.
    packages = hashlib.sha256((SOURCES / "scripts/packages.txt").read_bytes()).hexdigest()[:12]
    common = ["build", "--layers", "--network=host", "--pull=never", "--build-arg", f"BASE={base}"]
    say("installing the packages that the Dockerfile asks for (once, then kept)")
    tools = f"localhost/belay-tools:{packages}"
    _run(*common, "--target=tools", "--tag", tools, str(SOURCES))
    say("compiling belay for the image")
    _run(*common, "--volume", f"{compiled}:/root/.cache/ccache", "--build-arg", f"VERSION={version}",
         "--build-arg", f"REVISION={revision}", "--tag", name, str(SOURCES))
    with tempfile.TemporaryDirectory(dir=path.parent) as fresh:
        _run("push", name, f"docker-archive:{fresh}/image.tar:{name}")
        os.replace(f"{fresh}/image.tar", path)
    for other in _run("images", "--format", "{{.Name}}:{{.Tag}}").split():
        if other == name or other.startswith("localhost/belay") and other not in (base, tools):
            buildah("rmi", other)  # in vain where a build that was cut short left a container on it
    buildah("rmi", "--prune")


def _base(say) -> str:
    """Name of the base image in our storage, made if need be."""
    sources = _package_sources()
    name = f"localhost/belay-base:{hashlib.sha256(f'{BASE_RECIPE} {sources}'.encode()).hexdigest()[:12]}"
    if buildah("inspect", "--type=image", name).returncode == 0:
        return name
    say(f"making a root file system of Debian {RELEASE} (once, then kept)")
    with tempfile.TemporaryDirectory(dir=assets.cache()) as fresh:
        _make_base(Path(fresh), sources)
        container = _run("from", "scratch").strip()
        try:
            mounted = _run("mount", container).strip()
            subprocess.run(["cp", "-a", f"{fresh}/.", mounted], check=True)
            _run("umount", container)
            _run("commit", container, name)
        finally:
            _run("rm", container)
    return name


def _make_base(root: Path, sources: str) -> None:
    mirror = sources.split()[1]
    answer = subprocess.run(["debootstrap", "--variant=minbase", "--include=ca-certificates,ccache", RELEASE, str(root), mirror],
                            env={**os.environ, "PATH": search_path()}, text=True, capture_output=True)
    if answer.returncode:
        raise Unavailable(f"debootstrap of {RELEASE} failed: {answer.stdout.strip().splitlines()[-1:]}")
    (root / "etc/apt/sources.list").write_text(sources)
    settings = subprocess.run(["apt-config", "dump"], text=True, capture_output=True, check=True).stdout
    taken = re.findall(r"^Acquire::(?:https?::Proxy|Check-\S+|Retries) .*;$", settings, re.M)
    (root / "etc/apt/apt.conf.d/99host").write_text("".join(line + "\n" for line in taken))
    shutil.rmtree(root / "var/cache/apt/archives")
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)


def _package_sources() -> str:
    """This machine's package sources, for our release: lines of sources.list."""
    own = subprocess.run(["sh", "-c", ". /etc/os-release; echo $ID $VERSION_CODENAME"], text=True, capture_output=True,
                         check=True).stdout.split()
    if own[:1] != ["debian"]:
        raise Unavailable("a Debian root file system can be made on Debian only")
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)"], text=True,
                            capture_output=True, check=True).stdout
    lines = {line.rstrip("\n") for line in listed.splitlines()}
    wanted = {own[1]: RELEASE, f"{own[1]}-security": f"{RELEASE}-security", f"{own[1]}-updates": f"{RELEASE}-updates"}
    found = [(place, wanted[suite]) for place, suite in (line.split() for line in sorted(lines, key=len) if " " in line)
             if suite in wanted]
    if not any(suite == RELEASE for _, suite in found):
        raise Unavailable(f"no package source of Debian {own[1]} is known here")
    found.sort(key=lambda one: one[1])  # the release itself first
    return "".join(f"deb {place} {suite} main\n" for place, suite in found)


def _run(*words: str) -> str:
    answer = buildah(*words)
    if answer.returncode:
        tail = "\n".join((answer.stdout + answer.stderr).strip().splitlines()[-25:])
        raise RuntimeError(f"buildah {words[0]} failed:\n{tail}")
    return answer.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--name", "--version", "--revision"):
        parser.add_argument(option)
    parser.add_argument("--output", type=Path)
    chosen = parser.parse_args()
    if chosen.output:
        build(chosen.output.resolve(), chosen.name, chosen.version, chosen.revision)
    else:
        print(archive())


if __name__ == "__main__":
    try:
        main()
    except Unavailable as error:
        sys.exit(f"image.py: {error}")
