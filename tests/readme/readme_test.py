"""Runs every command of README.md as a reader would type it, from the top of the tree.

A block marked `console` holds commands behind `$ `. Each must end with a status that the table
below allows; output that follows a command in the block must come out to the letter.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ["BELAY_PROGRAM"])

# Commands that find something exit with 1; everything else must exit with 0.
EXIT_STATUS = {"belay check": 1, "belay pin --check": 1}
# These take too long here, or run this test: that the Makefile has them is checked instead.
NOT_RUN_HERE = {"make test", "make test-cluster", "make test-sanitizers", "make test-all", "make image", "make cluster"}
# Commands that begin so need a cluster with nodes: tests/node/test_life.py runs these, word by word.
NEED_A_NODE = ("helm ", "kubectl ")
# Commands that begin so ask a registry: tests/readme/registry_test.py runs these against one of its own.
NEED_A_REGISTRY = ("belay pin --registries", "belay check --resolve")


def console_blocks():
    text = (TOP / "README.md").read_text()
    return re.findall(r"```console\n(.*?)```", text, flags=re.S)


def commands():
    """(command, output) of all that can be run here."""
    found = []
    for block in console_blocks():
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            if not command.startswith(NEED_A_NODE + NEED_A_REGISTRY):
                found.append((command.strip(), output))
    return found


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of what the commands look at, so that what they write stays out of the tree."""
    place = tmp_path_factory.mktemp("readme")
    shutil.copytree(TOP / "docs", place / "docs")
    return place


@pytest.mark.parametrize("command,output", commands(), ids=[c for c, _ in commands()])
def test_readme_command_works_as_printed(command, output, tree):
    if command in NOT_RUN_HERE:
        target = command.removeprefix("make ")
        assert re.search(rf"^{target}:.*## ", (TOP / "Makefile").read_text(), flags=re.M)
        return
    place = TOP if command.startswith("make ") else tree
    environment = dict(os.environ, PATH=f"{PROGRAM.parent}:{os.environ['PATH']}", NO_COLOR="1")
    done = subprocess.run(
        command, shell=True, cwd=place, env=environment, text=True, capture_output=True, timeout=600
    )
    expected = next((s for c, s in EXIT_STATUS.items() if command.startswith(c)), 0)
    assert done.returncode == expected, done.stdout + done.stderr
    if output.strip():
        assert done.stdout == output


def test_readme_names_every_rule_with_its_id():
    text = (TOP / "README.md").read_text()
    rules = [p for p in (TOP / "policy/rules").glob("*.cpp") if ".judge = judge" in p.read_text()]
    assert rules
    for name in sorted(p.stem.replace("_", "-") for p in rules):
        assert f"| `{name}` |" in text, f"README.md's table lacks the rule {name}"


def test_readme_links_lead_somewhere():
    text = (TOP / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (TOP / target).exists(), f"README.md links to {target}, which is not there"


def test_the_picture_is_drawn_from_what_kubectl_printed(tmp_path):
    drawn = tmp_path / "denial.svg"
    command = [sys.executable, TOP / "scripts/terminal_picture.py", TOP / "docs/images/denial.txt", drawn]
    subprocess.run(command, check=True)
    assert drawn.read_text() == (TOP / "docs/images/denial.svg").read_text()
