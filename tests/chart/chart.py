"""The chart as tests look at it: rendered by the real helm, and taken apart."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import yaml

SOURCES = Path(os.environ.get("BELAY_SOURCE_DIR") or Path(__file__).resolve().parents[2])
CHART = SOURCES / "charts/belay"
SETTINGS = sorted((CHART / "ci").glob("*-values.yaml"))
NAMESPACE, RELEASE = "belay-system", "belay"
KUBERNETES = "1.36.3"  # a helm that was built from its module has no version of Kubernetes in mind


class Refused(Exception):
    """helm did not do it; the text is what it said."""


class Helm:
    """The program. `environment` says which cluster it talks to, if any."""

    def __init__(self, program: Path, environment: dict | None = None) -> None:
        self._program, self._environment = program, environment

    def run(self, *words: str, values: dict | None = None) -> str:
        """What it prints. `values` come in through standard input. Raises Refused."""
        given = [] if values is None else ["--values", "-"]
        done = subprocess.run([str(self._program), "--namespace", NAMESPACE, *words, *given],
                              input=None if values is None else yaml.safe_dump(values), text=True,
                              capture_output=True, env=self._environment, timeout=120)
        if done.returncode:
            raise Refused(done.stderr + done.stdout)
        return done.stdout

    def text(self, values: dict | None = None, *words: str) -> str:
        """All manifests of a release of that name with these values."""
        return self.run("template", RELEASE, str(CHART), "--kube-version", KUBERNETES, *words, values=values)

    def objects(self, values: dict | None = None, *words: str) -> list[dict]:
        return [one for one in yaml.safe_load_all(self.text(values, *words)) if one]


def only(objects: list[dict], kind: str, name: str | None = None) -> dict:
    """The one object of that kind (and name)."""
    found = [one for one in objects if one["kind"] == kind and name in (None, one["metadata"]["name"])]
    assert len(found) == 1, [one["metadata"]["name"] for one in found]
    return found[0]


def settings_of(file: Path) -> dict:
    return yaml.safe_load(file.read_text()) or {}


def nested(path: str, value) -> dict:
    """{"a": {"b": value}} of "a.b"."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def merged(one: dict, other: dict) -> dict:
    """`other` laid over `one`, as helm lays values over values."""
    result = dict(one)
    for key, value in other.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result
