"""Runs every command of README.md as a reader would type it, from the top of the tree.

A block marked `console` holds commands behind `$ `. Each must end with a status that the table
below allows; output that follows a command in the block must come out to the letter.
"""

import functools
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
NOT_RUN_HERE = {"test", "test-cluster", "test-sanitizers", "test-all", "image", "cluster"}
# Commands that begin so need a cluster with nodes: tests/node/test_life.py runs these, word by word.
NEED_A_NODE = ("helm ", "kubectl ")
# kind isn't here: tests/image proves that `make image` writes the archive that it is told to load.
NEED_KIND = ("kind ",)
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
            if not command.startswith(NEED_A_NODE + NEED_KIND + NEED_A_REGISTRY):
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
    target = command.split()[1] if command.startswith("make ") else ""
    if target in NOT_RUN_HERE:
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
    rules = re.findall(r"ROW\(k\w+, (\w+)\)", (TOP / "policy/rules/rule_id.h").read_text())
    assert len(rules) > 10
    for name in (rule.replace("_", "-") for rule in rules):
        assert f"| `{name}` |" in text, f"README.md's table lacks the rule {name}"


def test_the_second_command_of_the_readme_runs_the_tests():
    found = [command for command, _ in commands()]
    assert found[:2] == ["make demo", "make test"]


def test_readme_tells_every_group_of_tests():
    targets = re.findall(r"^(unit|test[a-z-]*):", (TOP / "Makefile").read_text(), flags=re.M)
    text = (TOP / "README.md").read_text()
    assert len(targets) > 4
    for target in targets:
        assert f"| `make {target}` |" in text, f"README.md's table lacks make {target}"


def anchors(page):
    """The names that headings get, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", sorted([*TOP.glob("*.md"), *TOP.glob("docs/**/*.md"), *TOP.glob("charts/**/*.md")]),
                         ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        to = page.parent / path if path else page
        assert to.exists(), f"{page.name} links to {target}, which is not there"
        assert not anchor or anchor in anchors(to), f"{page.name} links to {target}: no such heading"


def test_the_picture_is_drawn_from_what_kubectl_printed(tmp_path):
    drawn = tmp_path / "denial.svg"
    command = [sys.executable, TOP / "scripts/terminal_picture.py", TOP / "docs/images/denial.txt", drawn]
    subprocess.run(command, check=True)
    assert drawn.read_text() == (TOP / "docs/images/denial.svg").read_text()


# -- docs/troubleshooting.md ---------------------------------------------------------------------


@functools.cache
def texts_of_the_program():
    """Everything that stands between quotes in the sources, one text a line; parts in a row joined."""
    found = []
    for file in [*TOP.glob("policy/**/*.cpp"), *TOP.glob("webhook/**/*.cpp"), *TOP.glob("policy/**/*.h"),
                 *TOP.glob("webhook/**/*.h"), *TOP.glob("scripts/*")]:
        source = re.sub(r"^\s*//.*$", "", file.read_text(), flags=re.M)
        for joined in re.findall(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*', source):
            found.append(re.sub(r'"\s*"', "", joined)[1:-1].replace('\\"', '"'))
    return "\n".join(found)


def quoted_errors():
    """What the page says that belay prints: the first cell of its tables, without what varies."""
    text = (TOP / "docs/troubleshooting.md").read_text()
    text = re.sub(r"^## The API server cannot.*?(?=^## )", "", text, flags=re.M | re.S)  # not belay's words
    for cell in re.findall(r"^\| (`[^|]*) \|", text, flags=re.M):
        for span in re.findall(r"`([^`]+)`", cell):
            span = re.sub(r"^(\[[-+]\][a-z]+ failed: |note  |belay probe: |[a-z]+(-[a-z]+)+ )", "", span)
            for part in re.split(r'"[^"]*"|…|, |\bFILE\b|N(?= more)|belay\.invalid\S+|(?<=\w): ', span):
                if len(part.strip(' :')) > 5:
                    yield part.strip(' :')


@pytest.mark.parametrize("text", sorted(set(quoted_errors())))
def test_the_troubleshooting_page_quotes_what_the_program_says(text):
    if text not in texts_of_the_program():
        pytest.fail(f"belay does not say {text!r} (any more)")


# -- docs/threats.md -----------------------------------------------------------------------------


def test_every_row_of_the_threats_has_a_test_and_every_test_its_row():
    rows = set(re.findall(r"^\| ([AB][0-9]+) \|", (TOP / "docs/threats.md").read_text(), flags=re.M))
    named = set()
    for file in [*TOP.glob("tests/**/*_test.cpp"), *TOP.glob("tests/**/test_*.py")]:
        # At the begin of a name: `"B22: …`, `test_B22_…`, `"A13/A14: …`.
        for start in re.findall(r'(?:"|def test_)((?:[AB][0-9]+[:/_ ])+)', file.read_text()):
            named |= set(re.findall(r"[AB][0-9]+", start))
    assert named == rows


# -- docs/architecture.md, CONTRIBUTING.md ---------------------------------------------------------


def test_the_architecture_page_tells_every_room():
    has = set(re.findall(r"^belay_room\((\w+)", (TOP / "CMakeLists.txt").read_text(), flags=re.M))
    told = set(re.findall(r"^\| `(\w+)` \|", (TOP / "docs/architecture.md").read_text(), flags=re.M))
    assert len(has) > 10 and told == has


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md", "docs/operations.md", "docs/security.md"])
def test_files_that_a_page_names_are_there(page):
    for path in re.findall(r"`((?:policy|certs|webhook|tests|scripts|charts|docs)/[\w./-]*)", (TOP / page).read_text()):
        assert (TOP / path).exists(), f"{page} names {path}, which is not there"
