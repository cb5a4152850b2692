"""`belay probe`: whether the cluster refuses what it should, asked from the outside."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from conftest import SOURCES
from cluster import webhook

PROGRAM = Path(os.environ.get("BELAY_PROGRAM") or SOURCES / "build/release/belay")


@pytest.fixture
def probe(cluster):
    def run(*words: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess:
        return subprocess.run([PROGRAM, "probe", "--kubeconfig", kubeconfig or cluster.control_plane.kubeconfig, *words],
                              text=True, capture_output=True, timeout=60)
    return run


def test_a_denial_by_belay_is_what_it_looks_for(cluster, shop, probe):
    done = probe("--namespace", shop)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ok, denied by validate.belay.dev:\n")
    assert "mutable-tag" in done.stdout and "belay.invalid/probe:latest" in done.stdout


def test_it_leaves_no_pod_behind(cluster, shop, probe):
    free = cluster.namespace("free")  # no policy there, so that the pod is admitted
    assert probe("--namespace", free).returncode == 1
    assert cluster.request("GET", f"/api/v1/namespaces/{free}/pods")["items"] == []


def test_an_admitted_pod_is_a_finding(cluster, probe):
    cluster.until(lambda: cluster.exists(f"/api/v1/namespaces/{webhook.NAMESPACE}/serviceaccounts/default"))
    done = probe("--namespace", webhook.NAMESPACE)  # which is never sent to belay
    assert done.returncode == 1
    assert done.stdout.startswith("admitted: a pod with image belay.invalid/probe:latest may be created in namespace "
                                  + webhook.NAMESPACE)


def test_a_policy_that_warns_passes_where_a_warning_is_expected(cluster, probe):
    warned = cluster.namespace("warn")
    done = probe("--namespace", warned, "--expect", "warned")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("ok, admitted with a warning from belay (mode warn):\nmutable-tag: ")
    done = probe("--namespace", warned)
    assert done.returncode == 1 and "use --expect warned" in done.stdout


def test_a_policy_that_audits_is_not_seen_from_the_outside(cluster, probe):
    done = probe("--namespace", cluster.namespace("audit"), "--expect", "admitted")
    assert done.returncode == 0 and "This does not show that belay was asked" in done.stdout, done.stdout


def test_a_refusal_by_somebody_else_proves_nothing(cluster, probe, tmp_path):
    done = probe("--namespace", "not-there")
    assert done.returncode == 2
    assert done.stderr.startswith("belay probe: ") and "not-there" in done.stderr

    nobody = json.loads(cluster.control_plane.kubeconfig.read_text())
    nobody["users"][0]["user"] = {"token": "unknown"}
    (tmp_path / "nobody").write_text(json.dumps(nobody))
    done = probe(kubeconfig=tmp_path / "nobody")
    assert done.returncode == 2 and "Unauthorized" in done.stderr, done.stderr


def test_a_webhook_that_is_not_reached_proves_nothing(cluster, shop, probe):
    for one in cluster.replicas:
        one.kill()
    try:
        done = probe("--namespace", shop)
        assert done.returncode == 2 and "failed calling webhook" in done.stderr, done.stderr
    finally:
        for one in cluster.replicas:
            one.start()


def test_no_cluster_is_an_error(probe, tmp_path):
    done = probe(kubeconfig=tmp_path / "missing")
    assert done.returncode == 2 and "missing" in done.stderr
