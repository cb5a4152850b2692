"""Lists the cases of a doctest executable as tests of ctest, one a case.

usage: discover.py EXECUTABLE PREFIX OUTPUT [PROPERTY VALUE]...

doctest's own CMake module breaks on names with semicolons. A name is a filter with wildcards, so
signs that mean something to the filter or to CMake become "?"; a filter that matches nothing fails.
"""

import re
import subprocess
import sys


def case_names(executable):
    listing = subprocess.run(
        [executable, "--list-test-cases", "--no-colors"], check=True, capture_output=True, text=True
    ).stdout
    lines = listing.splitlines()
    return [line for line in lines if line and not re.match(r"\[doctest\]|=+$", line)]


def main(executable, prefix, output, *further):
    properties = ['PROPERTIES LABELS unit TIMEOUT 300 FAIL_REGULAR_EXPRESSION "test cases: +0 "', *further]
    script = []
    for name in case_names(executable):
        pattern = re.sub(r'[,;\\"\[\]]', "?", name)
        test = f"[==[{prefix}{name}]==]"
        script.append(f"add_test({test} [==[{executable}]==] [==[--test-case={pattern}]==])\n")
        script.append(f"set_tests_properties({test} {' '.join(properties)})\n")
    with open(output, "w", encoding="utf-8") as file:
        file.writelines(script)


if __name__ == "__main__":
    main(*sys.argv[1:])
