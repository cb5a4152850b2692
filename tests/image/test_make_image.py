"""scripts/image: which engine it takes, what it tells it, and what it prints for kind, minikube and helm."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(os.environ.get("BELAY_SOURCE_DIR") or Path(__file__).resolve().parents[2])
# Writes its words down; makes the archive that is asked for; `info` ends with the status it was made with.
ENGINE = """#!/bin/sh
echo "{name} $*" >>"$TOLD"
[ "$1" != info ] || exit {status}
for word; do case $word in docker-archive:*) word=${{word#docker-archive:}}; : >"${{word%%:*}}" ;; esac; done
while [ $# -gt 1 ]; do [ "$1" != --output ] || : >"$2"; shift; done
"""


@pytest.fixture
def tree(tmp_path):
    """What the script looks at of our sources."""
    for name in ("scripts/image", "Dockerfile", "CMakeLists.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(SOURCES / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def make_image(tree):
    """make_image({engine: whether it works}, NAME) -> (status, what it printed, what the engines were told)"""
    def run(engines: dict[str, bool], *words: str, **environment: str):
        programs = tree / "programs"
        programs.mkdir()
        for tool in ("bash", "sh", "cut", "dirname", "du", "mkdir", "rm", "sed", "timeout"):
            (programs / tool).symlink_to(shutil.which(tool))
        for name, works in engines.items():
            (programs / name).write_text(ENGINE.format(name=name, status=0 if works else 1))
            (programs / name).chmod(0o755)
        told = tree / "told"
        told.touch()
        done = subprocess.run([tree / "scripts/image", *words], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env={"PATH": str(programs), "TOLD": str(told), **environment})
        return done.returncode, done.stdout, told.read_text()
    return run


def test_docker_is_taken_where_its_daemon_answers(make_image):
    status, said, told = make_image({"docker": True, "podman": True, "buildah": True})
    assert status == 0, said
    assert "docker build" in told and "docker save --output build/image/belay.tar" in told
    assert "podman" not in told and "buildah" not in told


def test_podman_is_taken_where_docker_has_no_daemon(make_image):
    status, said, told = make_image({"docker": False, "podman": True})
    assert status == 0, said
    assert "docker build" not in told
    assert "podman save --format docker-archive --output build/image/belay.tar docker.io/library/belay:" in told


def test_buildah_alone_is_enough(make_image):
    status, said, told = make_image({"buildah": True})
    assert status == 0, said
    assert re.search(r"buildah push .*docker-archive:build/image/belay.tar:docker.io/library/belay:", told)


def test_an_engine_can_be_named(make_image):
    _, _, told = make_image({"docker": True, "podman": True}, ENGINE="podman")
    assert "podman build" in told
    assert not told.startswith("docker ") and "\ndocker " not in told


def test_without_an_engine_it_says_what_to_install(make_image):
    status, said, _ = make_image({})
    assert status == 1
    assert "no working docker, podman or buildah here; try: apt-get install podman" in said


def test_the_commands_it_prints_name_the_image_that_it_built(make_image):
    _, said, told = make_image({"docker": True}, "belay:1.2.3")
    assert "--tag docker.io/library/belay:1.2.3" in told
    assert "kind load image-archive build/image/belay.tar" in said
    assert "minikube image load build/image/belay.tar" in said
    assert said.splitlines()[-1].endswith("--create-namespace --set image.tag=1.2.3")


def test_a_name_with_a_registry_becomes_the_charts_values(make_image):
    _, said, told = make_image({"docker": True}, "registry.example:5000/team/belay:1.2.3")
    assert "--tag registry.example:5000/team/belay:1.2.3" in told
    assert "skopeo copy docker-archive:build/image/belay.tar docker://registry.example:5000/team/belay:1.2.3" in said
    assert said.splitlines()[-1].endswith(
        "--set image.tag=1.2.3 --set image.repository=team/belay --set image.registry=registry.example:5000")


def test_a_name_without_a_tag_is_an_error(make_image):
    status, said, told = make_image({"docker": True}, "registry.example:5000/belay")
    assert status == 2 and "has no tag" in said and not told
