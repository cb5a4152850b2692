"""Runs the tests of the coverage tree and holds what they reached against the bars.

usage: coverage.py [--no-build]

Bars: lines >= 90 % of policy/, certs/ and webhook/ together; branches >= 95 % of policy/. Branches
that only an exception takes (every allocation has one) don't count. Pages: build/coverage/html.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
TREE = ROOT / "build" / "coverage"
ROOMS = ("policy/", "certs/", "webhook/")
LINES_BAR = 90.0
POLICY_BRANCHES_BAR = 95.0
GCOVR = [
    "gcovr", "--root", ROOT, "--object-directory", TREE, "--exclude-throw-branches",
    "--exclude-unreachable-branches", "--gcov-ignore-parse-errors", "-j", str(os.cpu_count()),
    *[word for room in ROOMS for word in ("--filter", f"{ROOT}/{room}")], TREE,
]


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def run_tests():
    for counter in TREE.rglob("*.gcda"):
        counter.unlink()
    jobs = os.environ.get("JOBS", str(os.cpu_count()))
    subprocess.run(
        ["ctest", "--test-dir", TREE, "--output-on-failure", "--no-tests=error", "-j", jobs],
        check=True,
    )


def summary(report):
    """Rows (file, lines covered, lines, branches covered, branches)."""
    for file in report["files"]:
        lines = [line for line in file["lines"] if not line.get("gcovr/noncode")]
        branches = [branch for line in lines for branch in line["branches"]]
        yield (
            file["file"],
            sum(1 for line in lines if line["count"] > 0), len(lines),
            sum(1 for branch in branches if branch["count"] > 0), len(branches),
        )


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--no-build", action="store_true", help="the tree is built already")
    if not arguments.parse_args().no_build:
        subprocess.run(["cmake", "--preset", "coverage", "--log-level=WARNING"], cwd=ROOT, check=True)
        subprocess.run(["cmake", "--build", "--preset", "coverage"], cwd=ROOT, check=True)
    run_tests()

    (TREE / "html").mkdir(exist_ok=True)
    output = TREE / "coverage.json"
    subprocess.run(
        [*GCOVR, "--json", output, "--html-details", TREE / "html" / "index.html"],
        cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
    )
    rows = sorted(summary(json.loads(output.read_text(encoding="utf-8"))))
    print(f"{'file':52} {'lines':>8} {'branches':>10}")
    for name, hit, lines, taken, branches in rows:
        print(f"{name:52} {percent(hit, lines):7.1f}% {percent(taken, branches):9.1f}%")

    total = percent(sum(row[1] for row in rows), sum(row[2] for row in rows))
    policy = [row for row in rows if row[0].startswith("policy/")]
    branches = percent(sum(row[3] for row in policy), sum(row[4] for row in policy))
    print(f"lines {total:.1f}% (bar {LINES_BAR}), branches of policy/ {branches:.1f}% "
          f"(bar {POLICY_BRANCHES_BAR})")
    if not rows or total < LINES_BAR or branches < POLICY_BRANCHES_BAR:
        sys.exit("coverage: below the bar")


if __name__ == "__main__":
    main()
