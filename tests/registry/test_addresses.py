"""Which addresses belay contacts, seen in a network namespace of its own: rows 3.9 to 3.11 of the fences.

namespace_world.py asks, with a name server of two faces, and captures every packet; here its findings are
held against what may be.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import namespace_world as world

IN_NAMESPACE = ["unshare", "--net", "--mount"]
TRIAL = "ip tuntap add trial mode tun; mount --make-rprivate /; mount --bind /dev/null /etc/hosts"
PUBLIC = [world.PUBLIC, 443]


@pytest.fixture(scope="module")
def found(program, tmp_path_factory):
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("unshare"):
        pytest.skip("this needs root, unshare and ip")
    trial = subprocess.run([*IN_NAMESPACE, "sh", "-ec", TRIAL], capture_output=True, text=True)
    if trial.returncode:
        pytest.skip(f"no namespaces here: {trial.stderr.strip()}")
    done = subprocess.run([*IN_NAMESPACE, sys.executable, "-B", str(Path(world.__file__)), str(program),
                           str(tmp_path_factory.mktemp("namespace"))], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def test_the_capture_sees_packets_to_addresses_that_are_refused(found):
    assert {tuple(one) for one in found["probes"]} >= {
        (world.METADATA, 443), ("127.0.0.1", 443), ("fd00:ec2::254", 443), ("64:ff9b::7f00:1", 443)}


def test_listed_registries_are_asked_so_the_others_could_have_been(found):
    public, private = found["results"]["public.test"], found["results"]["private.test"]
    assert public["pinned"] == [True] and {tuple(one) for one in public["packets"]} == {tuple(PUBLIC)}
    assert private["pinned"] == [True] and {tuple(one) for one in private["packets"]} == {(world.PRIVATE, 443)}


@pytest.mark.parametrize("image", [*world.UNLISTED, "private-unlisted.test/x"])
def test_a_name_that_nobody_listed_sends_no_packet_and_is_not_looked_up(found, image):
    """3.9"""
    one = found["results"][image]
    assert one["packets"] == [] and one["names"] == []
    assert one["allowed"] and one["pinned"] == [False]


@pytest.mark.parametrize("address", world.REFUSED)
def test_a_listed_name_that_leads_inside_sends_no_packet(found, address):
    """3.9"""
    one = found["results"][world.name_of(address, "to")]
    assert one["packets"] == [] and one["pinned"] == [False] and one["names"] != []
    assert one["warnings"][0] and address not in one["warnings"][0][0]


@pytest.mark.parametrize("address", world.NEVER)
def test_private_addresses_being_allowed_opens_no_way_to_metadata(found, address):
    one = found["results"][world.name_of(address, "never")]
    assert one["packets"] == [] and one["pinned"] == [False]


@pytest.mark.parametrize("name", [*world.TWO_FACED, *world.MIXED])
def test_a_name_with_two_faces_is_followed_to_its_public_one_only(found, name):
    """3.9, rebinding: the address that was checked is the one that is dialled."""
    one = found["results"][name]
    assert [to for to in one["packets"] if to != PUBLIC] == []
    assert one["names"] == [name]


def test_sixty_vectors_and_more_were_tried(found):
    assert len(found["results"]) >= 100


def test_the_log_names_no_address_that_a_name_led_to(found):
    for address in ("169.254.170.2", "172.31.255.254", "127.1.2.3", "64:ff9b::7f00:1"):  # names alone led there
        assert address not in found["log"]
