"""Alerts and dashboard: that they tell what they say they tell, of metrics that are there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from chart import CHART, SOURCES, only

ALERTS, CASES = CHART / "files/alerts.yaml", Path(__file__).with_name("alerts.yaml")
RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
NEED_PROMTOOL = pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool: install prometheus")


def promtool(*words) -> str:
    done = subprocess.run(["promtool", *words], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@NEED_PROMTOOL
def test_promtool_reads_the_alerts():
    assert f"{len(RULES)} rules found" in promtool("check", "rules", ALERTS)


def bare_cases() -> dict:
    """The cases without the labels and texts of alerts, which the alerts themselves say."""
    return yaml.safe_load(CASES.read_text())


@NEED_PROMTOOL
def test_every_alert_fires_when_it_should_and_is_silent_when_all_is_well(tmp_path):
    cases = bare_cases()
    cases["rule_files"] = [str(ALERTS)]
    texts = {rule["alert"]: rule["annotations"] for rule in RULES}
    for case in cases["tests"]:
        for expected in case["alert_rule_test"]:
            for alert in expected["exp_alerts"]:
                alert["exp_annotations"] = {
                    key: re.sub(r"{{ \$labels\.(\w+) }}", lambda label: alert["exp_labels"][label[1]], text)
                    for key, text in texts[expected["alertname"]].items()}
    written = tmp_path / "cases.yaml"
    written.write_text(yaml.safe_dump(cases))
    assert "SUCCESS" in promtool("test", "rules", written)


def test_every_alert_has_a_case_that_fires_and_one_that_does_not():
    seen = {(expected["alertname"], bool(expected["exp_alerts"]))
            for case in bare_cases()["tests"] for expected in case["alert_rule_test"]}
    assert seen == {(rule["alert"], fires) for rule in RULES for fires in (True, False)}


def test_alerts_and_dashboard_name_metrics_that_belay_has():
    has = set(re.findall(r'"(belay_\w+)"', next(SOURCES.glob("webhook/**/metric_table.h")).read_text()))
    assert has
    for text in (*(rule["expr"] for rule in RULES), (CHART / "files/dashboard.json").read_text()):
        for name in re.findall(r"\bbelay_\w+", text):
            assert re.sub(r"_(bucket|count|sum)$", "", name) in has, name


def test_the_page_for_operators_tells_every_metric():
    has = set(re.findall(r'"(belay_\w+)"', next(SOURCES.glob("webhook/**/metric_table.h")).read_text()))
    page = (SOURCES / "docs/operations.md").read_text()
    assert has == set(re.findall(r"`(belay_\w+)", page.split("## What to watch")[1].split("## Image")[0]))


def test_every_alert_says_what_is_wrong_and_what_to_do():
    for rule in RULES:
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert rule["annotations"]["summary"] and rule["annotations"]["description"], rule["alert"]


def test_the_objects_carry_alerts_and_dashboard_unchanged(helm):
    objects = helm.objects({"prometheus": {part: {"enabled": True} for part in (
        "servicemonitor", "prometheusRule", "grafanaDashboard")}})
    assert only(objects, "PrometheusRule")["spec"] == yaml.safe_load(ALERTS.read_text())
    dashboard = only(objects, "ConfigMap", "belay-dashboard")["data"]["belay.json"]
    assert json.loads(dashboard) == json.loads((CHART / "files/dashboard.json").read_text())
    port = only(objects, "ServiceMonitor")["spec"]["endpoints"][0]["port"]
    assert port in [one["name"] for one in only(objects, "Service")["spec"]["ports"]]
