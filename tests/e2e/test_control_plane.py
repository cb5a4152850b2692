"""The tests' own control plane: by hand, and what is left of it when its owner is killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cluster import assets
from cluster.address import is_ours
from support.waiting import until

PROGRAM = Path(assets.__file__).with_name("control_plane.py")


@pytest.fixture
def by_hand(tmp_path):
    """Runs control_plane.py with a state of its own."""
    try:
        assets.find()
    except assets.Unavailable as error:
        pytest.skip(str(error))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}

    def run(*words):
        return subprocess.run([sys.executable, "-B", str(PROGRAM), *words], env=environment, text=True,
                              capture_output=True, timeout=120)

    yield run
    run("down")


def processes(directory: Path) -> list[str]:
    """Command lines of the programs that run below the directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(directory) in os.readlink(process / "cwd"):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            pass  # ended meanwhile, or not ours
    return found


def added_address(up: subprocess.CompletedProcess) -> str:
    address = up.stdout.split()[-1]
    if not address.startswith("10.222.1."):
        pytest.skip("no address may be added to this host")
    return address


def test_one_command_up_and_one_down(by_hand, tmp_path):
    up = by_hand("up")
    assert up.returncode == 0, up.stderr
    assert "export KUBECONFIG=" in up.stdout
    assert "already up" in by_hand("up").stdout
    namespaces = by_hand("kubectl", "get", "namespaces", "-o", "name")
    assert "namespace/kube-system" in namespaces.stdout, namespaces.stderr
    assert by_hand("down").stdout == "down\n"
    assert processes(tmp_path) == []
    assert list(tmp_path.glob("belay-control-plane-*")) == []
    assert not is_ours(added_address(up))


def test_a_killed_owner_leaves_no_process_and_its_address_is_used_again(by_hand, tmp_path):
    address = added_address(by_hand("up"))
    (state,) = tmp_path.glob("*/up.json")
    os.kill(json.loads(state.read_text())["pid"], signal.SIGKILL)
    until(lambda: not processes(tmp_path), what="all processes have ended")
    assert is_ours(address)
    assert added_address(by_hand("up")) == address
    assert by_hand("down").returncode == 0
    assert not is_ours(address)
