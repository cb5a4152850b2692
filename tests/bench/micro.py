"""Runs the microbenchmarks, prints them, and holds what must not depend on the machine.

usage: micro.py DECISION_BENCH [--benchmark_… options]

Bars: 200 policies of which 5 apply cost at most 1.2 times 5 policies in the whole decision, whether
names or labels of namespaces tell them apart; time grows with the size of the object no faster than the size;
/mutate with every digest known costs little more than /validate. Here is no request around the two, so the bars are wider
than the 1.3 that side_by_side.py holds: a patch of three images is half as long as the 4 KB review it changes.

A figure is the fastest of nine short turns, the turns of all benchmarks mixed: what else the machine does makes a turn
slower, never faster, and mixed turns keep a slow minute from falling on one side of a ratio. Where one misses its bar, nine
more turns of all are taken, twice at most.
"""

import json
import os
import subprocess
import sys
import tempfile

import reviews

MANY_POLICIES = 1.2
LINEAR = 1.3
ATTEMPTS = 3
PINNING = {"4k": 1.5, "20k": 1.4, "1m": 1.2}


def measure(program, options, times, labels):
    """Nine turns of every benchmark; `times` keeps the fastest there was."""
    with tempfile.TemporaryDirectory(prefix="belay-micro-") as folder:
        reviews.write_all(folder)
        output = os.path.join(folder, "out.json")
        subprocess.run(
            [program, "--benchmark_min_time=0.1", "--benchmark_repetitions=9",
             "--benchmark_enable_random_interleaving=true", f"--benchmark_out={output}",
             "--benchmark_out_format=json", *options],
            check=True, env={**os.environ, "BELAY_BENCH_REVIEWS": folder}, stdout=subprocess.DEVNULL,
        )
        with open(output, encoding="utf-8") as file:
            runs = json.load(file)["benchmarks"]
    for run in runs:
        if run.get("error_occurred"):
            sys.exit(f"{run['name']}: {run['error_message']}")
        if run["run_type"] == "iteration":
            name = run["run_name"]
            times[name] = min(times.get(name, float("inf")), run["cpu_time"] / 1000)
            labels[name] = run.get("label", "")


def figures(times):
    """Rows (what, figure, bar)."""
    rest = times["decide/0"] - times["evaluate/by_name/1/1"]
    for how in ("name", "label"):
        many, few = (times[f"evaluate/by_{how}/5/{count}"] for count in (200, 5))
        yield (f"a decision with 200 policies of which 5 apply by {how} ÷ 5 policies",
               (rest + many) / (rest + few), MANY_POLICIES)
    yield ("1 MB ÷ 20 KB, by size",
           times["decide/2"] / times["decide/1"] / (reviews.SIZES["1m"][0] / reviews.SIZES["20k"][0]), LINEAR)
    for row, size in enumerate(("4k", "20k", "1m")):
        yield (f"/mutate with every digest known ÷ /validate, {size}",
               times[f"pin/{row}"] / times[f"decide/{row}"], PINNING[size])


def main(program, *options):
    times, labels = {}, {}
    for _ in range(ATTEMPTS):
        measure(program, options, times, labels)
        missed = [what for what, figure, bar in figures(times) if figure > bar]
        if not missed:
            break
    for name, time in sorted(times.items()):
        print(f"{name:24} {time:10.2f} µs  {labels[name]}")
    for what, figure, bar in figures(times):
        print(f"{what}: {figure:.2f} (bar {bar})")
    if missed:
        sys.exit(f"misses its bar: {', '.join(missed)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
