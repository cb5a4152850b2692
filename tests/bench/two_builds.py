"""Two builds of belay compared, burst by burst: is this one as fast as that one?

usage: two_builds.py PROGRAM OTHER [--rounds N] [--seconds S]

Both serve at the same time and are loaded in turn, so that a machine whose speed changes slows both.
Prints the median of PROGRAM ÷ OTHER for each size of review: more throughput is better, less CPU is.
"""

import argparse
import pathlib
import statistics
import tempfile

import reviews
import servers
from side_by_side import make_certificate, wrk

SIZES = ("4k", "20k", "1m")


def measure(programs, work, rounds, seconds):
    """(size, program) -> its bursts, the same number of each."""
    make_certificate(work, "tls", names=["IP:127.0.0.1"])
    bodies = reviews.write_all(work)
    running = []
    taken = {}
    try:
        for program in programs:
            running.append(servers.start_belay(pathlib.Path(program).resolve(), work))
            wrk(running[-1], bodies["4k"], 8, 1)
        for number in range(rounds):
            order = list(zip(programs, running))
            for program, server in order[:: -1 if number % 2 else 1]:
                for size in SIZES:
                    load = wrk(server, bodies[size], 8, seconds)
                    if load.errors:
                        raise SystemExit(f"{program}: {load.errors} requests of {size} failed")
                    taken.setdefault((size, program), []).append(load)
    finally:
        for server in running:
            server.stop()
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("other")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=1, help="of one burst of load")
    options = parser.parse_args()
    programs = (options.program, options.other)
    if programs[0] == programs[1]:
        parser.error("give two different programs")
    with tempfile.TemporaryDirectory(prefix="belay-bench-") as folder:
        taken = measure(programs, pathlib.Path(folder), options.rounds, options.seconds)
    for size in SIZES:
        pairs = list(zip(taken[size, programs[0]], taken[size, programs[1]]))
        throughput = statistics.median(a.per_second / b.per_second for a, b in pairs)
        cpu = statistics.median(a.cpu_us / b.cpu_us for a, b in pairs)
        print(f"{size:>4}: throughput × {throughput:.2f}, CPU of a request × {cpu:.2f}")


if __name__ == "__main__":
    main()
