"""UPDATE: what was there before the policy goes on working, and nothing new slips in beside it."""

import json

import pytest

from conftest import warnings_of
from objects import GOOD

OLD = "shop-old"
# Warnings are cut at 256 characters, so the fix may not be all there.
STILL_BAD = 'mutable-tag: "registry.corp:5000/shop/web:latest" has tag "latest", which can move; '


@pytest.mark.parametrize("what, command, words", [
    ("label", "label deployment scaled tier=front --overwrite", ()),
    ("annotation", "annotate deployment scaled note=1 --overwrite", ()),
    ("replicas", "patch deployment scaled -p", ('{"spec":{"replicas":0}}',)),
    ("pod annotation", "patch deployment scaled -p", ('{"spec":{"template":{"metadata":{"annotations":{"a":"1"}}}}}',)),
])
def test_an_old_violation_passes_with_a_warning(cluster, what, command, words):
    done = cluster.kubectl(command, OLD, None, None, *words)
    assert done.returncode == 0, done.stderr
    (warning,) = warnings_of(done)
    assert warning.startswith(STILL_BAD + f"Deployment {OLD}/scaled spec.template.spec.containers[0].image (web), "
                                          'policy "production"'), warning


def test_an_old_violation_can_be_scaled(cluster):
    done = cluster.kubectl("scale deployment scaled --replicas=0", OLD)
    assert done.returncode == 0, done.stderr


def test_an_old_violation_can_be_restarted(cluster):
    done = cluster.kubectl("rollout restart deployment/rolled", OLD)
    assert done.returncode == 0, done.stderr
    assert len(warnings_of(done)) == 1


def test_an_old_violating_pod_can_lose_its_finalizer_and_go(cluster):
    done = cluster.kubectl("patch pod held --type=merge -p", OLD, None, None, '{"metadata":{"finalizers":null}}')
    assert done.returncode == 0, done.stderr
    assert len(warnings_of(done)) == 1
    cluster.admitted("delete pod held --grace-period=0 --force=false --wait=false", OLD)


def test_status_of_an_old_violating_pod_is_written_without_a_word(cluster):
    done = cluster.admitted("patch pod running --subresource=status --type=merge -p", OLD, None, None,
                            '{"status":{"message":"hello"}}')
    assert done.returncode == 0


def test_a_server_side_dry_run_of_an_unchanged_violation_warns_too(cluster):
    done = cluster.kubectl("annotate deployment scaled dry=1 --dry-run=server", OLD)
    assert done.returncode == 0, done.stderr
    assert len(warnings_of(done)) == 1


@pytest.mark.parametrize("kind, path", [("deployment", "spec.template.spec"), ("pod", "spec")])
def test_changing_the_image_of_an_old_violation_is_evaluated(cluster, kind, path):
    denial = cluster.denied(f"set image {kind}/imaged web=registry.corp:5000/shop/web:edge", OLD)
    assert denial.head == f'{kind.title()} {OLD}/imaged: 1 problem, policy "production"'
    assert denial.findings[0].startswith(
        f'mutable-tag  {path}.containers[0].image (web): "registry.corp:5000/shop/web:edge" has tag "edge"')
    cluster.admitted(f"set image {kind}/imaged web={GOOD}", OLD)


def test_a_second_container_is_evaluated_beside_an_old_violation(cluster):
    """Only what is new is denied; what was there is a warning beside the denial."""
    added = json.dumps([{"op": "add", "path": "/spec/template/spec/containers/-",
                         "value": {"name": "added", "image": "nginx:edge"}}])
    denial = cluster.denied("patch deployment rolled --type=json -p", OLD, None, None, added)
    assert denial.head == f'Deployment {OLD}/rolled: 1 problem, policy "production"'
    assert denial.findings[0].startswith("mutable-tag  spec.template.spec.containers[1].image (added): ")


def test_a_renamed_container_with_an_old_image_is_evaluated(cluster):
    renamed = json.dumps([{"op": "replace", "path": "/spec/template/spec/containers/0/name", "value": "other"}])
    denial = cluster.denied("patch deployment rolled --type=json -p", OLD, None, None, renamed)
    assert denial.rules == ["mutable-tag"]


def test_the_environment_of_an_old_violating_pod_cannot_be_changed(cluster):
    denial = cluster.denied("label pod labelled environment=dev --overwrite", OLD)
    assert "environment-namespace" in denial.rules
    assert "mutable-tag" not in denial.rules


def test_a_rollback_to_a_violating_image_is_denied(cluster):
    """`imaged` was bad when it came and good since the test above; undo would bring the bad one back."""
    image = "{.spec.template.spec.containers[0].image}"
    if cluster.kubectl(f"get deployment imaged -o jsonpath={image}", OLD).stdout != GOOD:
        cluster.admitted(f"set image deployment/imaged web={GOOD}", OLD)
    if not cluster.control_plane.has_controllers:
        pytest.skip("no kube-controller-manager, so no ReplicaSet of the old revision")
    cluster.until(lambda: len(cluster.replica_sets(OLD, "imaged")) == 2)
    denial = cluster.denied("rollout undo deployment/imaged", OLD)
    assert denial.rules == ["mutable-tag"]
