"""Runs the commands of README.md that ask a registry, against Debian's docker-registry on loopback.

The reader's registries.yaml stands in README.md; here each of its hosts is reached at the registry
of the test.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from readme_test import NEED_A_REGISTRY, PROGRAM, TOP, console_blocks

sys.path.insert(0, str(TOP / "tests"))

from support import images, registry  # noqa: E402
from support.certificates import make_certificate  # noqa: E402


def commands():
    return [line for block in console_blocks() for line in re.findall(r"^\$ (.*)$", block, flags=re.M)
            if line.startswith(NEED_A_REGISTRY)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the examples and registries.yaml, and a registry with their images."""
    if registry.missing():
        pytest.fail(f"not here: {', '.join(registry.missing())}; scripts/packages.txt names the packages")
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(TOP / "docs", folder / "docs")
    authority = make_certificate(str(folder), "authority")
    running = registry.Registry(folder / "registry", authority)
    hosts = re.findall(r"^  - host: (\S+)", (TOP / "README.md").read_text(), flags=re.M)
    assert hosts
    (folder / "registries.yaml").write_text(json.dumps({
        "apiVersion": "belay.dev/v1alpha1", "kind": "Registries",
        "registries": [{"host": host, "endpoint": f"https://{running.address}", "allowPrivate": True,
                        "ca": authority[0]} for host in hosts]}))
    for manifest in (folder / "docs/examples/manifests").glob("*.yaml"):
        for name, tag in re.findall(r"image: registry\.corp:5000/(\S+):(\S+)", manifest.read_text()):
            running.push(images.Image(tag), name, tag)
    yield folder
    running.stop()


def test_the_readme_has_commands_that_ask_a_registry():
    assert commands()


@pytest.mark.parametrize("command", commands())
def test_readme_command_that_asks_a_registry_works_as_printed(command, place):
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environment |= {"PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    done = subprocess.run(command, shell=True, cwd=place, env=environment, text=True, capture_output=True, timeout=60)
    assert done.returncode == (1 if command.startswith("belay check") else 0), done.stdout + done.stderr
    if "--write" in command:
        for manifest in pathlib.Path(place, "docs/examples/manifests").glob("*.yaml"):
            assert re.search(r"image: \S+:\S+@sha256:[0-9a-f]{64}", manifest.read_text())
    elif command.startswith("belay pin"):
        assert re.search(r"image: \S+:\S+@sha256:[0-9a-f]{64}", done.stdout)
