"""Whether this machine lets us do what images and nodes take: found out by doing it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from cluster.assets import Unavailable

TRIAL = """
mount -t tmpfs tmpfs /run
ip link add trial type bridge
nft add table ip trial
mkdir lower upper work merged
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
"""


def search_path(*more: Path) -> str:
    """PATH with the system's programs, which a user's may lack."""
    return ":".join([*map(str, more), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def require(packages: dict[str, str], directory: Path) -> None:
    """Raises Unavailable unless we are root, the programs are here (program -> Debian package), and namespaces,
    a packet filter and an overlay in `directory` can be made."""
    if os.geteuid() != 0:
        raise Unavailable("this needs root")
    missing = sorted({package for program, package in packages.items() if not shutil.which(program, path=search_path())})
    if missing:
        raise Unavailable(f"missing Debian packages: {', '.join(missing)} (scripts/setup node installs them)")
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        trial = subprocess.run(["unshare", "--pid", "--fork", "--mount", "--net", "--mount-proc", "sh", "-ec", TRIAL],
                               cwd=folder, env={**os.environ, "PATH": search_path()}, text=True, capture_output=True)
    if trial.returncode:
        raise Unavailable(f"no privileges for this here: {trial.stderr.strip()}")
