"""clang-tidy 19 over our own translation units, as the clang compiler of the fuzz tree sees them.

A unit whose preprocessed text passed before under the same configuration is not looked at again;
the record stands in $XDG_CACHE_HOME/belay/clang-tidy. Findings go to standard output.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
TREE = ROOT / "build" / "fuzz"
ROOMS = ("policy/", "certs/", "webhook/")
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
PASSED = CACHE / "belay" / "clang-tidy"


def units():
    """Our own entries of the compilation database."""
    subprocess.run(
        ["cmake", "--preset", "fuzz", "--log-level=WARNING"], cwd=ROOT, check=True,
        stdout=subprocess.DEVNULL,
    )
    for entry in json.loads((TREE / "compile_commands.json").read_text(encoding="utf-8")):
        if pathlib.Path(entry["file"]).relative_to(ROOT).as_posix().startswith(ROOMS):
            yield entry


def fingerprint(entry):
    """Of everything the verdict on a unit rests on."""
    words = shlex.split(entry["command"])
    command = words[words.index(next(w for w in words if w.endswith("clang++-19"))):]
    command = command[: command.index("-o")] + ["-E", "-P", entry["file"]]
    text = subprocess.run(
        command, cwd=entry["directory"], check=True, capture_output=True
    ).stdout
    config = (ROOT / ".clang-tidy").read_bytes()
    # Comments carry NOLINT; -E drops them, so the file itself counts too.
    source = pathlib.Path(entry["file"]).read_bytes()
    return hashlib.sha256(b"\0".join([config, source, text])).hexdigest()


def check(entry):
    stamp = PASSED / fingerprint(entry)
    if stamp.exists():
        return entry["file"], True, "", 0.0
    start = time.monotonic()
    run = subprocess.run(
        ["clang-tidy-19", "--quiet", "-p", TREE, entry["file"]], cwd=ROOT, check=False,
        capture_output=True, text=True,
    )
    if run.returncode == 0:
        stamp.touch()
    return entry["file"], run.returncode == 0, run.stdout, time.monotonic() - start


def main():
    PASSED.mkdir(parents=True, exist_ok=True)
    entries = list(units())
    if not entries:
        sys.exit("clang-tidy: nothing to look at")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (name, good, output, seconds) in enumerate(pool.map(check, entries), 1):
            name = os.path.relpath(name, ROOT)
            print(f"[{done}/{len(entries)}] {name} {seconds:.0f} s", file=sys.stderr, flush=True)
            if not good:
                failed += 1
                print(output)
    if failed:
        sys.exit(f"clang-tidy: objections to {failed} of {len(entries)} units")
    print(f"clang-tidy: {len(entries)} units, no objection")


if __name__ == "__main__":
    main()
