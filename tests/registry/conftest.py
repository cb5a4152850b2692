"""Fixtures: certificates, real registries with their images, hostile ones, and belay before them.

Where docker-registry or skopeo is missing, the tests that need them are skipped by name, and a run in
which nothing but skips happened ends with status 77.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import pytest

SOURCES = Path(os.environ.get("BELAY_SOURCE_DIR") or Path(__file__).resolve().parents[2])
sys.path[:0] = [str(SOURCES / "tests"), str(Path(__file__).resolve().parent)]

from support import registry as real  # noqa: E402
from support.certificates import make_certificate  # noqa: E402
from support.hostile_registry import Catcher, HostileRegistry  # noqa: E402
from webhook import Webhook  # noqa: E402
from support.pytest_parts import program, pytest_sessionfinish  # noqa: E402, F401

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def directory(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("registries")


@pytest.fixture(scope="session")
def authority(directory) -> tuple[str, str]:
    """The CA of every registry and token service here."""
    return make_certificate(directory, "authority")


@pytest.fixture(scope="module")
def open_registry(directory, authority):
    """A real registry that anybody may read and write. start() after stop() gives it another port."""
    if lacking := real.missing():
        pytest.skip(f"no {' and no '.join(lacking)} here: scripts/setup test installs them")
    registry = real.Registry(directory / f"open-{next(_numbers)}", authority)
    yield registry
    registry.stop()


@pytest.fixture
def hostile(directory, authority):
    """hostile(behaviour): a registry that misbehaves; `hostile.elsewhere` is where it leads to."""
    started = []
    catcher = Catcher()

    def start(behaviour: str) -> HostileRegistry:
        started.append(HostileRegistry(directory, authority, behaviour, catcher.address))
        return started[-1]

    start.elsewhere = catcher
    yield start
    for one in started:
        one.close()
    catcher.close()


@pytest.fixture(scope="module")
def start_belay(program, directory, authority):
    """start_belay(policies, registries, …): a Webhook, stopped in order at the end of the module."""
    serving = make_certificate(directory, "serving", issuer=authority)
    started = []

    def start(policies, registries, **more) -> Webhook:
        started.append(Webhook(program, directory / f"belay-{next(_numbers)}", serving, policies, registries, **more))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def at(authority):
    """at(host, address): the entry of --registries for a registry on loopback."""
    def entry(host: str, address: str, **more) -> dict:
        return {"host": host, "endpoint": f"https://{address}", "allowPrivate": True, "ca": authority[0], **more}
    return entry
