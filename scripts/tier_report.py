#!/usr/bin/env python3
"""Says what came of a tier of tests, from the JUnit file that ctest wrote.

usage: tier_report.py TIER RESULTS.xml [--seconds N] [--again COMMAND] [--next TEXT]
       tier_report.py sum TIER...     'N passed, N failed, N skipped' of tiers that have run

Shows the output of each failed test, the passed ones by kind, each skipped one with its reason, and what
to run next. Exit status 1 if a test failed, or if a tier has no results.
"""

import argparse
import collections
import pathlib
import re
import sys
import xml.etree.ElementTree

TIERS = pathlib.Path(__file__).resolve().parents[1] / "build" / "tiers"
SHOWN_LINES = 150  # of a failed test's output


class Case:
    """One test of ctest."""

    def __init__(self, element):
        self.name = element.get("name")
        self.output = element.findtext("system-out") or ""
        skipped = element.find("skipped")
        self.why_not = skipped.get("message", "") if skipped is not None else ""
        # "notrun" without a <skipped> is a program that isn't there: a failure.
        self.state = {"run": "passed", "disabled": "skipped"}.get(element.get("status"), "failed")
        if self.why_not.startswith("SKIP_"):
            self.state = "skipped"

    @property
    def kind(self):
        """`protocol` of `asan protocol: limits`, `policy` of `policy: a tag is …`."""
        return self.name.partition(":")[0]

    def skip_reasons(self):
        """Why the test, or parts of a test that passed, did not run."""
        # pytest -rs: "SKIPPED [2] e2e/conftest.py:190: no Go compiler"; our scripts: "skipped: no Go".
        found = re.findall(r"^SKIPPED \[(\d+)\] (?:\S+:\d+: )?(.*)$", self.output, re.M)
        reasons = [f"{text} ({count} of its cases)" if self.state == "passed" else text for count, text in found]
        reasons += re.findall(r"^skipped: (.*)$", self.output, re.M)
        return reasons or ([self.why_not or "disabled"] if self.state == "skipped" else [])


def read(path):
    if not path.is_file():
        sys.exit(f"no test ran: {path} is missing; build/logs has the output")
    return [Case(element) for element in xml.etree.ElementTree.parse(path).getroot().iter("testcase")]


def count(cases):
    states = collections.Counter(case.state for case in cases)
    return states["passed"], states["failed"], states["skipped"]


def say(passed, failed, skipped):
    return f"{passed} passed, {failed} failed, {skipped} skipped"


def duration(seconds):
    return f"{seconds} s" if seconds < 100 else f"{seconds // 60} min {seconds % 60:02d} s"


def report(arguments):
    cases = read(arguments.results)
    for case in cases:
        if case.state == "failed":
            lines = case.output.rstrip().splitlines()
            print(f"\n--- failed: {case.name}", *lines[-SHOWN_LINES:], sep="\n")
    kinds = collections.Counter(case.kind for case in cases if case.state == "passed")
    print(f"\n{arguments.tier}: {say(*count(cases))}" + (f" in {duration(arguments.seconds)}" if arguments.seconds else ""))
    for kind, number in sorted(kinds.items()):
        print(f"  passed   {number:5,}  {kind}")
    reasons = collections.defaultdict(list)
    for case in cases:
        for reason in case.skip_reasons():
            reasons[reason].append(case.name)
    for reason, names in sorted(reasons.items()):
        print(f"  skipped  {', '.join(names)}: {reason}")
    for case in cases:
        if case.state == "failed":
            print(f"  failed   {case.name}")
    if count(cases)[1]:
        print(f"again: {arguments.again}")
        return 1
    print(f"next: {arguments.next}")
    return 0


def total(tiers):
    numbers = []
    for tier in tiers:
        path = TIERS / f"{tier}.xml"
        if path.is_file():
            numbers.append(count(read(path)))
        else:  # its set-up failed: that is one failure, too
            print(f"{tier}: no test ran")
            numbers.append((0, 1, 0))
    print(say(*map(sum, zip(*numbers))))


def main():
    if sys.argv[1:2] == ["sum"]:
        return total(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tier")
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--again", default="")
    parser.add_argument("--next", default="")
    return report(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
