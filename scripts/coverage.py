"""Holds what a tree's tests have run against the bars.

usage: coverage.py all|clear|report [--tree coverage|asan]
  all      builds the tree, clears its counters, runs its tests, reports
  clear    forgets what was counted so far
  report   of what has been counted since then

The tree asan counts, too, so that `make test-sanitizers` runs the tests once for both.

Bars: lines >= 90 % of policy/, certs/ and webhook/ together; branches >= 95 % of policy/. A branch is a
condition of the sources, in each of its two values. Pages: build/coverage/html/index.html.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = ROOT / "build" / "coverage" / "html"
ROOMS = ("policy", "certs", "webhook")
LINES_BAR = 90.0
POLICY_BRANCHES_BAR = 95.0


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def run(*command):
    subprocess.run(command, cwd=ROOT, check=True)


def counters(tree):
    """The folder, as cmake/hardening.cmake says it."""
    return tree / "counters"


def llvm(*command):
    """What the command prints. It warns of inline functions that nobody calls, which is shown if it fails."""
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def clear(tree):
    shutil.rmtree(counters(tree), ignore_errors=True)


def test(tree):
    run("cmake", "--preset", tree.name, "--log-level=WARNING")
    run("cmake", "--build", "--preset", tree.name)
    clear(tree)
    jobs = os.environ.get("JOBS", str(os.cpu_count()))
    run("ctest", "--test-dir", tree, "--output-on-failure", "--no-tests=error", "-j", jobs)


def programs(tree):
    """Every program of the tree: each holds what of the sources was linked into it."""
    found = [path for path in [*tree.iterdir(), *tree.glob("tests/**/*")]
             if path.is_file() and not path.suffix and os.access(path, os.X_OK)]
    return [found[0], *(word for path in found[1:] for word in ("-object", path))]


def rows(exported):
    """Of an export of llvm-cov: file, lines covered, lines, branches covered, branches."""
    for file in exported["data"][0]["files"]:
        lines, branches = file["summary"]["lines"], file["summary"]["branches"]
        yield (os.path.relpath(file["filename"], ROOT), lines["covered"], lines["count"],
               branches["covered"], branches["count"])


def report(tree):
    counted = sorted(counters(tree).glob("*.profraw"))
    if not counted:
        sys.exit(f"coverage: nothing has been counted in {counters(tree)}; run the tests of this tree first")
    PAGES.mkdir(parents=True, exist_ok=True)
    merged = counters(tree) / "all.profdata"
    llvm("llvm-profdata-19", "merge", "-sparse", "-o", merged, *counted)
    what = [*programs(tree), f"-instr-profile={merged}", f"-compilation-dir={tree}",
            "-sources", *(ROOT / room for room in ROOMS)]
    llvm("llvm-cov-19", "show", "-format=html", f"-output-dir={PAGES}", "-show-branches=count", *what)
    files = sorted(rows(json.loads(llvm("llvm-cov-19", "export", "-summary-only", *what))))

    print(f"{'file':52} {'lines':>8} {'branches':>10}")
    for name, hit, lines, taken, branches in files:
        print(f"{name:52} {percent(hit, lines):7.1f}% {percent(taken, branches):9.1f}%")
    total = percent(sum(row[1] for row in files), sum(row[2] for row in files))
    policy = [row for row in files if row[0].startswith("policy/")]
    branches = percent(sum(row[3] for row in policy), sum(row[4] for row in policy))
    print(f"lines {total:.1f}% (bar {LINES_BAR}), branches of policy/ {branches:.1f}% "
          f"(bar {POLICY_BRANCHES_BAR})")
    if not policy or total < LINES_BAR or branches < POLICY_BRANCHES_BAR:
        sys.exit("coverage: below the bar")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("what", choices=("all", "clear", "report"))
    arguments.add_argument("--tree", choices=("coverage", "asan"), default="coverage")
    chosen = arguments.parse_args()
    tree = ROOT / "build" / chosen.tree
    if chosen.what == "clear":
        clear(tree)
        return
    if chosen.what == "all":
        test(tree)
    report(tree)


if __name__ == "__main__":
    main()
