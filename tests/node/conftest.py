"""Fixtures: the image's archive, and a node with belay installed by its chart.

Where an image cannot be built or a node cannot run, every test is skipped by name, and a run in which
nothing but skips happened ends with status 77.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

SOURCES = Path(os.environ.get("BELAY_SOURCE_DIR") or Path(__file__).resolve().parents[2])
sys.path[:0] = [str(SOURCES / "tests"), str(SOURCES / "tests/e2e"), str(Path(__file__).resolve().parent)]

from cluster import assets, image  # noqa: E402
from cluster.assets import Unavailable  # noqa: E402
from cluster.node import Node  # noqa: E402
from installed import NAMESPACE, Installed  # noqa: E402
from support.pytest_parts import pytest_sessionfinish  # noqa: E402, F401


@pytest.fixture(scope="session")
def archive() -> Path:
    """The image, built from the Dockerfile."""
    try:
        return image.archive()
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def fresh(archive):
    """A node that knows the image, and the chart that is not installed yet."""
    try:
        with Node() as node:
            node.load(archive)
            yield Installed(node, str(assets.find("helm") / "helm"), str(SOURCES / "charts/belay"), image.tag(archive))
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def belay(fresh):
    """The same, once it is installed: chapters after a failed installation have nothing to say."""
    if not fresh.node.kubectl("-n", NAMESPACE, "get", "deployment", "belay").returncode == 0:
        pytest.fail("belay is not installed")
    return fresh


@pytest.fixture
def record(capsys):
    """record(what, seconds, most): prints a measured figure, and fails above `most`."""
    def note(what: str, figure: float, most: float | None = None) -> None:
        with capsys.disabled():
            print(f"\n  {what}: {figure:.1f}" + (f" (at most {most})" if most is not None else ""))
        assert most is None or figure <= most, what
    return note
