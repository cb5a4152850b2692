"""Fixtures: registries on loopback, the file that lists them, and the program."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from counting_registry import CountingRegistry  # noqa: E402
from support import registry as real  # noqa: E402
from support.certificates import make_certificate  # noqa: E402

PROGRAM = os.environ["BELAY_PROGRAM"]


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return make_certificate(str(tmp_path_factory.mktemp("authority")), "authority")


def _start(tmp_path_factory, authority, **more):
    if real.missing():
        pytest.fail(f"not here: {', '.join(real.missing())}; scripts/packages.txt names the packages")
    return real.Registry(tmp_path_factory.mktemp("registry"), authority, **more)


@pytest.fixture(scope="session")
def registry(tmp_path_factory, authority):
    """docker-registry, open to all."""
    started = _start(tmp_path_factory, authority)
    yield started
    started.stop()


@pytest.fixture(scope="session")
def private_registry(tmp_path_factory, authority):
    """docker-registry that asks for a password: shop, s3cret-of-the-shop."""
    started = _start(tmp_path_factory, authority, users={"shop": "s3cret-of-the-shop"})
    yield started
    started.stop()


@pytest.fixture
def counting_registry(tmp_path, authority):
    started = CountingRegistry(tmp_path / "counting", authority)
    yield started
    started.stop()


@pytest.fixture
def listed(tmp_path, authority):
    """Writes a file of registries, host -> address it is reached at; returns its path."""

    def write(hosts):
        path = tmp_path / "registries.yaml"
        path.write_text(json.dumps({
            "apiVersion": "belay.dev/v1alpha1", "kind": "Registries",
            "registries": [{"host": host, "endpoint": f"https://{address}", "allowPrivate": True, "ca": authority[0]}
                           for host, address in hosts.items()]}))
        return str(path)

    return write


@pytest.fixture
def belay(tmp_path):
    """Runs the program in the test's folder, without anything of the user's home or proxies."""

    def run(*words, stdin=None):
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        environment |= {"HOME": str(tmp_path / "home"), "NO_COLOR": "1"}
        done = subprocess.run([PROGRAM, *map(str, words)], cwd=tmp_path, env=environment, timeout=120,
                              input=None if stdin is None else stdin.encode(), capture_output=True)
        # Decoded by hand: text mode would turn "\r\n" into "\n".
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        return done

    return run
