"""The test node itself: pods run on it, two of them don't meet, and nothing is left of them."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest

from cluster import node_settings
from cluster.assets import Unavailable
from cluster.node import Node
from cluster.privileges import search_path


@pytest.fixture
def nodes():
    before = traces()
    try:
        with Node() as one, Node() as other:
            yield one, other
    except Unavailable as error:
        pytest.skip(str(error))
    # what another node on this machine has or takes away is its own
    left = {kind: [one for one in found if one not in before[kind]] for kind, found in traces().items()}
    assert not any(left.values()), left


def test_two_nodes_run_pods_side_by_side_and_leave_nothing_behind(nodes):
    for node in nodes:
        assert node.kubectl("create", "deployment", "sleeper", "--image=localhost/pause:1").returncode == 0
    for node in nodes:
        done = node.kubectl("wait", "deployment/sleeper", "--for=condition=Available", "--timeout=60s", timeout=70)
        assert done.returncode == 0, done.stderr + node.kubectl("describe", "pods").stdout
        assert len(node.kubectl("get", "pods", "-o", "name").stdout.split()) == 1


def said(*words: str) -> list[str]:
    return subprocess.run(words, env={"PATH": search_path()}, text=True, capture_output=True).stdout.splitlines()


def traces() -> dict:
    """What a node could leave on this machine."""
    links = said("ip", "-brief", "link")
    return {
        "links": [link.split("@")[0] for link in links if link.startswith(("belay-node", node_settings.BRIDGE))],
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if "belay-node" in line],
        "tables": [line for line in said("nft", "list", "tables") if "kube-proxy" in line],
        "cgroups": [path for path in node_settings.CGROUPS.glob("**/belay-node-*")],
        "settings": {file: Path(f"/proc/sys/{file}").read_text() for file in node_settings.KERNEL_SETTINGS
                     if Path(f"/proc/sys/{file}").exists()},
        "files": list(Path(tempfile.gettempdir()).glob("belay-node-*")),
    }
