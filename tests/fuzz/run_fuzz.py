"""Runs one libFuzzer target for $FUZZ_SECONDS seconds (default 60) of the processor.

usage: run_fuzz.py TARGET CORPUS WORK

Seeds come from CORPUS; what the run discovers stays in WORK/corpus and is built upon next time. An
input that crashes is copied into CORPUS, where the replay tests see it from then on, and printed.
"""

import base64
import math
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys

# Seconds of the clock, and it may run beside others at idle priority.
LIMITS = ["-timeout=30", "-rss_limit_mb=2048", "-print_final_stats=1"]


def main(target, corpus, work):
    name = pathlib.Path(target).name.removesuffix("_fuzz")
    seconds = int(os.environ.get("FUZZ_SECONDS", "60"))
    corpus = pathlib.Path(corpus)
    found = pathlib.Path(work) / "corpus" / name
    crashes = pathlib.Path(work) / "crashes" / name
    found.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(crashes, ignore_errors=True)
    crashes.mkdir(parents=True)
    if not corpus.is_dir():
        sys.exit(f"{name}: no seeds in {corpus}")

    command = [target, *LIMITS, f"-artifact_prefix={crashes}/"]
    dictionary = corpus.parent.parent / f"{name}.dict"
    if dictionary.exists():
        command.append(f"-dict={dictionary}")
    command += [str(found), str(corpus)]
    runs, left = 0, float(seconds)
    while left >= 1:  # libFuzzer counts seconds of the clock
        run = subprocess.run([*command, f"-max_total_time={math.ceil(left)}"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, check=False)
        output = run.stdout.decode("utf-8", "replace")
        if run.returncode:
            break
        runs += int(re.search(r"stat::number_of_executed_units:\s+(\d+)", output)[1])
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        left = seconds - used.ru_utime - used.ru_stime
    else:
        print(f"{name}: {runs:,} runs in {seconds} s of the processor, no crash")
        return
    print(output[-20000:])
    for crash in sorted(crashes.iterdir()):
        kept = corpus / crash.name
        shutil.copy(crash, kept)
        print(f"{name}: crashing input kept as {kept}")
        if crash.stat().st_size <= 4096:
            print(f"  as base64: {base64.b64encode(crash.read_bytes()).decode()}")
    sys.exit(f"{name}: failed (exit status {run.returncode})")


if __name__ == "__main__":
    main(*sys.argv[1:])
