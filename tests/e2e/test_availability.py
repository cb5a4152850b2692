"""belay away, restarted, replaced: what the cluster sees of it."""

import os
import time

import pytest

import objects
from conftest import VALIDATING
from load import Load
from objects import BAD

# Before a release: BELAY_E2E_RESTARTS=20 BELAY_E2E_KILLS=30
RESTARTS = int(os.environ.get("BELAY_E2E_RESTARTS", "3"))
KILLS = int(os.environ.get("BELAY_E2E_KILLS", "3"))
SECONDS_TO_END = 25


@pytest.fixture
def stopped(cluster):
    for belay in cluster.replicas:
        belay.kill()
    yield
    for belay in cluster.replicas:
        belay.start()
    cluster.until(lambda: cluster.refuses("shop", objects.pod("probe", BAD)))


def test_without_belay_creating_is_refused_with_a_clear_error(cluster, shop, stopped):
    done = cluster.kubectl("create -f -", shop, objects.pod("web"))
    assert done.returncode == 1
    assert done.stderr.startswith(
        'Error from server (InternalError): error when creating "STDIN": Internal error occurred: '
        f'failed calling webhook "{VALIDATING}": failed to call webhook: Post '
        '"https://belay.belay-system.svc:443/validate?timeout=5s": '), done.stderr
    # What runs goes on, and what belay has no say in is not touched.
    cluster.admitted("create configmap web --from-literal=a=b", shop)
    cluster.admitted("get pods", shop)


def test_without_belay_exempt_namespaces_go_on_working(cluster, stopped):
    cluster.admitted("create -f -", "kube-system", objects.pod("while-away", BAD))
    cluster.request("DELETE", "/api/v1/namespaces/kube-system/pods/while-away?gracePeriodSeconds=0")


def test_without_belay_objects_can_be_deleted(cluster, shop, request):
    cluster.admitted("create -f -", shop, objects.deployment("web"))
    request.getfixturevalue("stopped")
    cluster.admitted("delete deployment web --wait=false", shop)


def test_a_killed_replica_does_not_stop_admission(cluster, shop):
    """kill -9 of one of several. The Service names it until somebody notices, so what is in flight to it may
    fail; the rest goes on."""
    kills = []
    load = Load(cluster.control_plane, shop, threads=4)
    with load:
        for _ in range(KILLS):
            victim = cluster.add_replica()
            load.wait_for(50)
            kills.append(time.monotonic())
            victim.kill()
            cluster.take_out(victim)
            load.wait_for(100)
            cluster.forget(victim)
    late = [failure for failure in load.failures if not any(0 <= failure.time - kill <= 2 for kill in kills)]
    assert late == []
    assert load.wrong == []


def test_restarts_under_load_lose_no_admission(cluster, shop):
    """SIGTERM to one replica after the other while the API server admits and denies; each time a new one has
    come before, as a rolling update does. Nothing may fail, nothing may be evaluated wrongly."""
    load = Load(cluster.control_plane, shop, threads=4)
    with load:
        load.wait_for(100)
        for _ in range(RESTARTS):
            old = cluster.replicas[0]
            cluster.add_replica()
            load.wait_for(20)
            old.terminate()
            cluster.take_out(old)
            begun = time.monotonic()
            assert old.wait(SECONDS_TO_END + 5) == 0, old.log()
            assert time.monotonic() - begun <= SECONDS_TO_END
            cluster.forget(old)
            load.wait_for(20)
    print(f"{RESTARTS} restarts: {load.admitted} admitted, {load.denied} denied, {len(load.failures)} failed, "
          f"{load.admitted + load.denied} answers in {load.seconds:.0f} s")
    assert load.failures == []
    assert load.wrong == []
    assert load.admitted > 100 and load.denied > 100


def test_readiness_fails_as_soon_as_a_replica_is_told_to_end(cluster):
    belay = cluster.add_replica(behind_service=False)
    belay.terminate()
    begun = time.monotonic()
    cluster.until(lambda: not belay.ready(), 2)
    assert belay.wait(SECONDS_TO_END) == 0
    assert time.monotonic() - begun <= SECONDS_TO_END
    cluster.forget(belay)
