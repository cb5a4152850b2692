"""Fixtures: certificates, the server without decisions, and the program."""
import json
import os
import subprocess

import pytest

import harness


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("certificates"))
    authority = harness.make_certificate(folder, "authority")
    return {"folder": folder, "authority": authority,
            "server": harness.make_certificate(folder, "server"),
            "other": harness.make_certificate(folder, "other"),
            "client": harness.make_certificate(folder, "client", issuer=authority)}


@pytest.fixture
def echo(certificates, tmp_path):
    """Starts echo_server with flags; every server started is stopped at the end."""
    if not harness.ECHO_SERVER:
        pytest.skip("BELAY_ECHO_SERVER names no server")
    started = []

    def start(*flags, pair=None, within=()):
        command = [*within, harness.ECHO_SERVER, *(pair or certificates["server"]), "--echo",
                   *map(str, flags)]
        started.append(harness.Server(command, str(tmp_path / f"echo{len(started)}.log"), False))
        return started[-1]

    yield start
    for server in started:
        assert server.stop() == 0, server.log()


@pytest.fixture
def belay(certificates, tmp_path):
    """Starts `belay serve` with flags."""
    if not harness.PROGRAM:
        pytest.skip("BELAY_PROGRAM names no program")
    if subprocess.run([harness.PROGRAM, "serve", "--help"], capture_output=True,
                      check=False).returncode != 0:
        pytest.skip("the program has no serve")
    started = []

    def start(*flags, pair=None):
        crt, key = pair or certificates["server"]
        command = [harness.PROGRAM, "serve", "--listen", "127.0.0.1:0", "--admin-listen",
                   "127.0.0.1:0", "--shutdown-delay", "5", "--tls-cert", crt, "--tls-key", key,
                   *map(str, flags)]
        started.append(harness.Server(command, str(tmp_path / f"belay{len(started)}.log"), True))
        return started[-1]

    yield start
    for server in started:
        assert server.stop() == 0, server.log()


def review(image):
    """An AdmissionReview of a Pod with one container."""
    return {
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "shop", "operation": "CREATE",
            "userInfo": {"username": "system:admin", "groups": ["system:authenticated"]},
            "object": {"kind": "Pod", "apiVersion": "v1",
                       "metadata": {"name": "web", "namespace": "shop"},
                       "spec": {"containers": [{"name": "web", "image": image}]}},
            "oldObject": None, "dryRun": False}}


@pytest.fixture(scope="session")
def denied_review():
    """A review that the built-in policy denies: nothing made of it may be allowed."""
    return json.dumps(review("registry.corp/shop/web:latest"), separators=(",", ":"))


@pytest.fixture(scope="session")
def allowed_review():
    return json.dumps(review("registry.corp/shop/web:v1.4.2"), separators=(",", ":"))


def pytest_configure(config):
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
