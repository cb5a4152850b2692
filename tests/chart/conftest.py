"""Fixtures: the real helm, and a control plane that takes what it renders.

Where these programs can neither be found nor built, the tests that need them are skipped by name, and
a run in which nothing but skips happened ends with status 77.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

from chart import SOURCES, Helm  # noqa: E402
from cluster import assets  # noqa: E402
from cluster.control_plane import ControlPlane  # noqa: E402
from support.pytest_parts import program, pytest_sessionfinish  # noqa: E402, F401


@pytest.fixture(scope="session")
def helm_program() -> Path:
    try:
        return assets.find("helm") / "helm"
    except assets.Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def helm(helm_program) -> Helm:
    """helm that talks to no cluster."""
    return Helm(helm_program, {**os.environ, "KUBECONFIG": os.devnull})


@pytest.fixture(scope="session")
def rendered(helm) -> list[dict]:
    """What `helm install` without values makes."""
    return helm.objects()


@pytest.fixture(scope="module")
def cluster() -> ControlPlane:
    try:
        with ControlPlane() as control_plane:
            yield control_plane
    except assets.Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def apply(cluster):
    """apply(object, *words): kubectl's answer; the object may be several, in a list."""
    def run(one, *words: str):
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": one} if isinstance(one, list) else one)
        return cluster.kubectl("apply", "-f", "-", *words, input=text)
    return run
