"""Instructions of one decision, counted by callgrind: the same on every run, unlike time.

usage: instructions.py DECISION_LOOP [--record]

Compares with instructions.json and fails on a rise above 3 %. Counts hold for one set of compiler
and libraries; under another set they are printed only. --record writes the counts of this machine.
"""

import argparse
import json
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

import reviews

RECORD = pathlib.Path(__file__).with_name("instructions.json")
RISE = 0.03
FEW, MANY = 20, 120  # turns; the difference leaves start-up out


def environment():
    """What the counts depend on beside our own sources."""
    packages = ["g++", "libc6", "libstdc++6", "rapidjson-dev", "libre2-dev", "valgrind"]
    run = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *packages],
        check=True, capture_output=True, text=True,
    )
    return f"{platform.machine()} " + " ".join(sorted(run.stdout.split("\n"))).strip()


def count(program, review, turns, folder):
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", program, review,
         str(turns)],
        capture_output=True, text=True, check=False,
    )
    if run.returncode != 0:
        sys.exit(f"callgrind failed:\n{run.stderr[-2000:]}")
    return int(re.search(r"Collected : (\d+)", run.stderr)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="belay-instructions-") as folder:
        counts = {}
        for size, path in reviews.write_all(folder).items():
            many = count(options.program, path, MANY, folder)
            counts[size] = (many - count(options.program, path, FEW, folder)) // (MANY - FEW)

    known = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    here = environment()
    before = known.get(here)
    for size, instructions in counts.items():
        change = f" ({instructions / before[size] - 1:+.1%})" if before else ""
        print(f"{size:>4}: {instructions:12,} instructions a decision{change}")
    if options.record:
        known[here] = counts
        RECORD.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        print(f"recorded for: {here}")
    elif before is None:
        print(f"nothing recorded for these libraries, so nothing to compare with: {here}")
    elif any(counts[size] > before[size] * (1 + RISE) for size in counts):
        sys.exit(f"a decision costs more than {RISE:.0%} more instructions than recorded; "
                 "mend it, or record with --record and say why in the commit")


if __name__ == "__main__":
    main()
