"""scripts/tier_report.py, on JUnit files as ctest writes them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(os.environ.get("BELAY_SOURCE_DIR") or Path(__file__).resolve().parents[2])
PASSED = '<testcase name="protocol: tls" status="run"><system-out>3 passed</system-out></testcase>'
FAILED = ('<testcase name="asan webhook: a lease ends" status="fail"><failure message=""/>'
          "<system-out>lease.cpp:9: no</system-out></testcase>")
NOT_BUILT = '<testcase name="policy_tests" status="fail"><failure message="Unable to find executable"/></testcase>'
SKIPPED = ('<testcase name="node: itself" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/><system-out>'
           "SKIPPED [3] conftest.py:40: this takes root</system-out></testcase>")
SKIPPED_BY_SCRIPT = ('<testcase name="conformance: references" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>'
                     "<system-out>skipped: there is no go in PATH</system-out></testcase>")
PARTLY = ('<testcase name="chart: monitoring" status="run"><system-out>'
          "SKIPPED [2] test_monitoring.py:18: no promtool</system-out></testcase>")


@pytest.fixture
def report(tmp_path):
    """report(words, tier=[testcase...]) -> (status, what it printed)"""
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(SOURCES / "scripts/tier_report.py", tmp_path / "scripts")
    results = tmp_path / "build/tiers"
    results.mkdir(parents=True)

    def run(*words, **tiers):
        for name, cases in tiers.items():
            (results / f"{name}.xml").write_text(f"<testsuite>{''.join(cases)}</testsuite>")
        done = subprocess.run([sys.executable, script, *(str(word).replace("RESULTS", str(results)) for word in words)],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout
    return run


def test_what_passed_is_counted_by_kind_and_the_next_command_named(report):
    status, said = report("test", "RESULTS/test.xml", "--seconds", 75, "--next", "make test-cluster", test=[PASSED] * 3)
    assert status == 0
    assert said.splitlines()[1:] == ["test: 3 passed, 0 failed, 0 skipped in 75 s", "  passed       3  protocol",
                                     "next: make test-cluster"]


def test_a_failed_test_fails_the_tier_and_shows_its_output(report):
    status, said = report("test", "RESULTS/test.xml", "--again", "ctest --rerun-failed", test=[PASSED, FAILED])
    assert status == 1
    assert "--- failed: asan webhook: a lease ends\nlease.cpp:9: no\n" in said
    assert said.endswith("  failed   asan webhook: a lease ends\nagain: ctest --rerun-failed\n")


def test_a_program_that_was_not_built_is_a_failure(report):
    status, said = report("test", "RESULTS/test.xml", test=[NOT_BUILT])
    assert status == 1 and "0 passed, 1 failed, 0 skipped" in said


def test_a_skipped_test_is_named_with_its_reason(report):
    status, said = report("test", "RESULTS/test.xml", test=[PASSED, SKIPPED, SKIPPED_BY_SCRIPT])
    assert status == 0 and "1 passed, 0 failed, 2 skipped" in said
    assert "  skipped  node: itself: this takes root\n" in said
    assert "  skipped  conformance: references: there is no go in PATH\n" in said


def test_cases_left_out_of_a_file_that_passed_are_told(report):
    _, said = report("test", "RESULTS/test.xml", test=[PARTLY])
    assert "1 passed, 0 failed, 0 skipped" in said
    assert "  skipped  chart: monitoring: no promtool (2 of its cases)\n" in said


def test_the_sum_ends_with_one_line_of_the_whole(report):
    status, said = report("sum", "test", "cluster", test=[PASSED, SKIPPED], cluster=[PASSED, FAILED])
    assert status == 0 and said == "2 passed, 1 failed, 1 skipped\n"


def test_a_tier_that_did_not_get_to_its_tests_counts_as_a_failure(report):
    _, said = report("sum", "test", "cluster", test=[PASSED])
    assert said == "cluster: no test ran\n1 passed, 1 failed, 0 skipped\n"


def test_a_tier_without_results_fails(report):
    status, said = report("test", "RESULTS/test.xml")
    assert status == 1 and "no test ran" in said
