"""The rules of the house (docs/architecture.md), held against the sources and the link lines.

Every failure names the lines that break the rule.
"""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(os.environ.get("BELAY_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
MAX_LINES = 400
LOOSE = ["webhook/main.cpp"]  # the one file that stands in no room


def read_rooms():
    """name -> (folder, rooms it may use), in the order of CMakeLists.txt: from the ground up."""
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    rooms = {}
    for name, folder, rest in re.findall(r"^belay_room\((\w+) ([^\s)]+)([^)]*)\)", text, re.MULTILINE):
        used = re.search(r"\bROOMS\s+((?:[a-z_]+\s*)+)", rest)
        rooms[name] = (folder, used[1].split() if used else [])
    return rooms


ROOMS = read_rooms()
FOLDERS = {folder: name for name, (folder, _) in ROOMS.items()}


def room_of(path):
    """The room that a file stands in, or None."""
    parts = path.split("/")
    return FOLDERS.get("/".join(parts[:2])) or FOLDERS.get(parts[0])


# header of a library -> where it may be included (path prefixes)
LIBRARY_ROOMS = {
    "httplib.h": ["webhook/http/"],
    "rapidjson/": ["webhook/admission/"],
    "openssl/": ["certs/", "webhook/http/"],
    "curl/": ["webhook/http_client/"],
    "yaml.h": ["policy/document.cpp"],
    "re2/": ["policy/"],
    "nlohmann/": ["policy/", "webhook/"],
    "spdlog/": ["webhook/serve/"],
    "fmt/": ["webhook/"],
    "prometheus/": ["webhook/serve/"],
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


def sources(*folders):
    for folder in folders or ["policy", "certs", "webhook"]:
        for path in sorted((ROOT / folder).rglob("*")):
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


def test_every_source_stands_in_a_room():
    for name, (folder, _) in ROOMS.items():
        assert list(sources(folder)), f"no sources in {folder}/ ({name})"
    fail_with(
        f"{name}: stands in no room"
        for name, _ in sources()
        if room_of(name) is None and name not in LOOSE
    )


def declared(text, unnamed):
    """Names at the top level of a file, in its unnamed namespaces or outside, as clang-format lays them out."""
    inside = False
    for line in text.splitlines():
        if line == "namespace {":
            inside = True
        elif line.startswith("}  // namespace"):
            inside = False
        elif inside == unnamed and line[:1].isalpha() and not line.startswith(("using ", "namespace ")):
            found = re.match(r"(?:struct|class|enum(?: class)?) (\w+)", line) or re.match(
                r"[^=({]*?(?<!::)\b(\w+)\s*[(={\[;]", line
            )
            if found:
                yield found[1]


def test_names_in_unnamed_namespaces_are_unique_in_a_room():
    """The release build compiles the files of a room together: two helpers of one name would collide,
    or, worse, become overloads of each other. Rules are compiled alone, so all have their evaluate()."""
    seen = {
        (room_of(name), found): name
        for name, text in sources()
        if name.endswith(".h")
        for found in declared(text, unnamed=False)
    }
    problems = []
    for name, text in sources():
        if not name.endswith(".cpp") or name.startswith("policy/rules/"):
            continue
        for found in set(declared(text, unnamed=True)):
            first = seen.setdefault((room_of(name), found), name)
            if first not in (name, name.removesuffix(".cpp") + ".h"):
                problems.append(f"{name}: {found} is also declared in {first}: rename one of the two")
    fail_with(problems)


def test_rooms_use_only_rooms_that_stand_below_them():
    """Each room may use those above it in CMakeLists.txt, which are built first: so there is no ring."""
    seen, problems = [], []
    for name, (_, used) in ROOMS.items():
        problems += [
            f"CMakeLists.txt: {name} uses {other}, which does not stand above it"
            for other in used
            if other not in seen
        ]
        seen.append(name)
    assert ROOMS["policy"][1] == [] and ROOMS["certs"][1] == [], "policy and certs know no other room"
    fail_with(problems)


def test_sources_include_only_the_rooms_that_their_own_may_use():
    problems = []
    for name, number, sign, header in includes():
        room, target = room_of(name), room_of(header)
        if target is None and sign == '"' and header != "build_info.h":
            problems.append(f'{name}:{number}: own headers are included from the root ("{header}")')
        if target and room and target != room and target not in ROOMS[room][1]:
            problems.append(f"{name}:{number}: {room} must not know {target} ({header})")
    fail_with(problems)


def test_a_room_names_no_room_that_it_does_not_use():
    used = {room: set() for room in ROOMS}
    for name, _, _, header in includes():
        if room_of(name) and room_of(header):
            used[room_of(name)].add(room_of(header))
    fail_with(
        f"CMakeLists.txt: {room} names {other} and includes nothing of it"
        for room, (_, named) in ROOMS.items()
        for other in named
        if other not in used[room]
    )


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


def test_targets_link_only_what_their_room_may_use(tmp_path):
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
    targets = {f"belay_{room}" for room in ROOMS}
    linked = {edge for edge in edges if set(edge) <= targets}
    assert linked == {
        (f"belay_{room}", f"belay_{other}") for room, (_, used) in ROOMS.items() for other in used
    }
    owners = {"OpenSSL": "certs http", "httplib": "http", "rapidjson": "admission",
              "spdlog": "serve", "prometheus": "serve", "CLI11": "command", "libyaml": "policy",
              "re2": "policy"}
    fail_with(
        f"CMakeLists.txt: {user} links {library}"
        for user, library in sorted(edges)
        for word, rooms in owners.items()
        if word in library and user in targets and user.removeprefix("belay_") not in rooms.split()
    )
