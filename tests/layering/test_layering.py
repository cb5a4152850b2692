"""The rules of the house (docs/architecture.md), held against the sources and the link lines.

Every failure names the lines that break the rule.
"""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(os.environ.get("BELAY_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
ROOMS = ["policy", "certs", "webhook"]
MAX_LINES = 400

# room -> rooms it may include from
MAY_INCLUDE = {"policy": {"policy"}, "certs": {"certs"}, "webhook": {"policy", "certs", "webhook"}}

# header of a library -> where it may be included (path prefixes)
LIBRARY_ROOMS = {
    "httplib.h": ["webhook/http/"],
    "rapidjson/": ["webhook/admission/"],
    "openssl/": ["certs/", "webhook/http/"],
    "curl/": ["webhook/http/libcurl"],
    "yaml.h": ["policy/document.cpp"],
    "re2/": ["policy/"],
    "nlohmann/": ["policy/", "webhook/"],
    "spdlog/": ["webhook/"],
    "fmt/": ["webhook/"],
    "prometheus/": ["webhook/"],
    "CLI/": ["webhook/command/options.cpp", "webhook/command/help.cpp", "webhook/command/run.cpp"],
}

NOWHERE = {
    r"#include <regex>|\bstd::w?regex\b": "std::regex is not linear in its input; use RE2",
    r"#include <format>|\bstd::format\b": "g++ 12 has no std::format",
    r"\b(TODO|FIXME|XXX)\b": "unfinished",
}

# policy/ is pure: what it needs of the world is handed in.
IMPURE = {
    r"#include <(fstream|iostream|filesystem|thread|mutex|shared_mutex|condition_variable|future"
    r"|ctime|csignal|unistd\.h|fcntl\.h|sys/[a-z]+\.h|netinet/[a-z]+\.h)>": "I/O, threads or time",
    r"::now\(\)": "a clock",
    r"\bgetenv\b": "the environment",
    r"\b(fopen|printf|fprintf|puts)\b": "I/O",
}


def sources(*rooms):
    for room in rooms or ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def code_lines(text):
    """The lines of a file with comments blanked, so that words in prose break no rule."""
    for number, line in enumerate(text.splitlines(), 1):
        yield number, re.sub(r"//.*", "", line)


def fail_with(problems):
    problems = list(problems)
    if problems:
        pytest.fail("\n" + "\n".join(problems), pytrace=False)


def includes():
    for name, text in sources():
        for number, line in enumerate(text.splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if found:
                yield name, number, found[1], found[2]


def breaches(patterns, *rooms):
    return [
        f"{name}:{number}: {why}: {line.strip()}"
        for name, text in sources(*rooms)
        for number, line in code_lines(text)
        for pattern, why in patterns.items()
        if re.search(pattern, line)
    ]


def test_there_are_sources_to_look_at():
    for room in ROOMS:
        assert list(sources(room)), f"no sources in {room}/"


def test_rooms_include_only_in_the_direction_webhook_to_certs_and_policy():
    problems = []
    for name, number, sign, header in includes():
        room, target = name.split("/")[0], header.split("/")[0]
        if target in ROOMS and target not in MAY_INCLUDE[room]:
            problems.append(f"{name}:{number}: {room}/ must not know {target}/ ({header})")
        if sign == '"' and target not in ROOMS and header != "build_info.h":
            problems.append(f'{name}:{number}: own headers are included from the root ("{header}")')
    fail_with(problems)


def test_libraries_stay_in_their_rooms():
    fail_with(
        f"{name}:{number}: {header} belongs to {', '.join(rooms)}"
        for name, number, _, header in includes()
        for library, rooms in LIBRARY_ROOMS.items()
        if header.startswith(library) and not name.startswith(tuple(rooms))
    )


def test_forbidden_words_stand_nowhere():
    fail_with(breaches(NOWHERE))


def test_policy_is_pure():
    fail_with(breaches(IMPURE, "policy"))


def test_files_are_short_and_open_with_what_they_are():
    problems = []
    for name, text in sources():
        lines = text.count("\n")
        if lines > MAX_LINES:
            problems.append(f"{name}:{MAX_LINES}: {lines} lines; split it by idea")
        header = (ROOT / name).with_suffix(".h")  # which speaks for its .cpp
        if not text.startswith("//") and not (name.endswith(".cpp") and header.exists()):
            problems.append(f"{name}:1: no opening comment that says what this is")
    fail_with(problems)


def test_file_names_say_what_is_inside():
    vague = re.compile(r"manager|helper|util|impl|misc|common", re.IGNORECASE)
    fail_with(
        f"{name}: {vague.search(pathlib.Path(name).name)[0]} says nothing"
        for name, _ in sources()
        if vague.search(pathlib.Path(name).name)
    )


def test_targets_link_only_in_the_direction_webhook_to_certs_and_policy(tmp_path):
    graph = tmp_path / "graph.dot"
    subprocess.run(
        ["cmake", "-S", ROOT, "-B", tmp_path / "build", "-G", "Ninja", "-DBELAY_TESTS=OFF",
         f"--graphviz={graph}"],
        check=True, capture_output=True,
    )
    text = graph.read_text(encoding="utf-8")
    label = dict(re.findall(r'"(node\d+)" \[ label = "([^"\\]+)', text))
    edges = {
        (label[a], label[b])
        for a, b in re.findall(r'"(node\d+)" -> "(node\d+)"', text)
        if label[a].startswith("belay_")
    }
    rooms = {f"belay_{room}" for room in ROOMS}
    allowed = {("belay_webhook", "belay_policy"), ("belay_webhook", "belay_certs")}
    between_rooms = {edge for edge in edges if set(edge) <= rooms}
    assert between_rooms == allowed
    owner = {"OpenSSL": "belay_certs belay_webhook", "httplib": "belay_webhook",
             "rapidjson": "belay_webhook", "spdlog": "belay_webhook", "CLI11": "belay_webhook",
             "libyaml": "belay_policy", "re2": "belay_policy"}
    fail_with(
        f"CMakeLists.txt: {user} links {library}"
        for user, library in sorted(edges)
        for word, users in owner.items()
        if word in library and user in rooms and user not in users
    )
