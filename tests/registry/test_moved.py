"""The rule tag-moved outside a cluster: belay remembers in a file what each tag pointed to."""

from __future__ import annotations

import subprocess

import pytest

from support import images
from support.waiting import until
from webhook import pod, policy

WEB = "open.test/shop/moving"
POLICIES = [policy("moved", "shop", {"tagMoved": {}}), policy("free", "free")]


@pytest.fixture
def world(open_registry, start_belay, at, directory, request):
    """A memory of its own, and belay as often as it is started."""
    memory = directory / f"tag-history-{request.node.name}"

    def start():
        return start_belay(POLICIES, [at("open.test", open_registry.address)], flags=["--tag-history", memory])
    return start, memory


def test_a_tag_that_points_elsewhere_is_refused_with_both_digests(world, open_registry):
    start, memory = world
    first = open_registry.push(images.Image("first"), "shop/moving", "v1")
    belay = start()
    assert belay.validate(pod(f"{WEB}:v1")).allowed
    until(lambda: memory.exists() and f"{WEB}:v1 {first} " in memory.read_text())
    then = open_registry.push(images.Image("second"), "shop/moving", "v1")

    later = start()  # another process, with an empty cache and the same memory
    answer = later.validate(pod(f"{WEB}:v1"))
    assert not answer.allowed and "tag-moved" in answer.message
    assert first in answer.message and then in answer.message
    assert memory.read_text().split(f"{WEB}:v1 {first} ")[1][:10] in answer.message, "the day it was first seen"
    assert later.validate(pod(f"{WEB}:v1@{first}")).allowed
    assert not later.validate(pod(f"{WEB}:v1@{then}")).allowed, "a digest beside a tag claims what the tag points to"


def test_only_what_is_admitted_is_remembered(world, open_registry):
    start, memory = world
    digest = open_registry.push(images.Image("seen"), "shop/moving", "v2")
    belay = start()
    belay.validate(pod(f"{WEB}:v2"), dry_run=True)
    belay.validate(pod(f"{WEB}:v2"), "free")
    belay.mutate(pod(f"{WEB}:v2"))
    belay.validate(pod(f"{WEB}:v2", "no tag here!"))
    open_registry.push(images.Image("marker"), "shop/moving", "marker")
    assert belay.validate(pod(f"{WEB}:marker")).allowed
    until(lambda: memory.exists() and f"{WEB}:marker" in memory.read_text())
    assert f"{WEB}:v2" not in memory.read_text()
    assert belay.validate(pod(f"{WEB}:v2")).allowed
    until(lambda: f"{WEB}:v2 {digest}" in memory.read_text())


def test_belay_tags_lists_and_clears_what_is_remembered(world, open_registry, program):
    start, memory = world
    digest = open_registry.push(images.Image("listed"), "shop/moving", "v3")
    belay = start()
    assert belay.validate(pod(f"{WEB}:v3")).allowed
    until(lambda: memory.exists() and digest in memory.read_text())

    def tags(*words):
        return subprocess.run([program, "tag-history", *words, "--tag-history", memory], text=True, capture_output=True, timeout=20)
    listed = tags("list")
    assert listed.returncode == 0 and f"{WEB}:v3" in listed.stdout and digest[:19] in listed.stdout, listed.stderr
    cleared = tags("clear", f"{WEB}:v3")
    assert cleared.returncode == 0, cleared.stderr + cleared.stdout
    assert f"{WEB}:v3" not in memory.read_text()
    open_registry.push(images.Image("other"), "shop/moving", "v3")
    until(lambda: start().validate(pod(f"{WEB}:v3")).allowed)


def test_a_registry_that_is_down_refuses_by_default(start_belay, at, directory):
    from support.hostile_registry import closed_port
    belay = start_belay([policy("moved", "shop", {"tagMoved": {}}),
                         policy("loose", "loose", {"tagMoved": {"onRegistryError": "allow"}})],
                        [at("down.test", closed_port())], flags=["--tag-history", directory / "tag-history-down"])
    answer = belay.validate(pod("down.test/shop/web:v1"))
    assert not answer.allowed and "tag-moved" in answer.message
    answer = belay.validate(pod("down.test/shop/web:v1"), "loose")
    assert answer.allowed and answer.warnings
