"""mode: warn admits with a warning, mode: audit admits and counts; and policies change under way."""

import shutil

import pytest

import objects
from conftest import warnings_of
from objects import BAD

SECONDS_TO_RELOAD = 5


def test_warn_admits_with_a_warning(cluster):
    namespace = cluster.namespace("warn")
    done = cluster.kubectl("create -f -", namespace, objects.deployment("web", BAD))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "deployment.apps/web created\n"
    (warning,) = warnings_of(done)
    assert warning.startswith(
        'mutable-tag: "registry.corp:5000/shop/web:latest" has tag "latest", which can move; '
        f'Deployment {namespace}/web spec.template.spec.containers[0].image (web), policy "warning". ')


def test_warn_says_every_finding_up_to_sixteen(cluster):
    namespace = cluster.namespace("warn")
    many = objects.pod("web")
    many["spec"]["containers"] = [{"name": f"c{i}", "image": f"nginx-{i}"} for i in range(20)]
    warnings = warnings_of(cluster.kubectl("create -f -", namespace, many))
    assert len(warnings) == 16
    assert all(len(warning) <= 256 for warning in warnings)
    assert warnings[0].startswith('tag-required: "nginx-0" ')
    assert warnings[-1].startswith("and 5 more")


def test_warn_says_nothing_of_a_good_object(cluster):
    cluster.admitted("create -f -", cluster.namespace("warn"), objects.deployment("web"))


def test_audit_admits_silently_and_counts(cluster):
    before = cluster.metric("belay_findings_total", rule="mutable-tag", mode="audit")
    namespace = cluster.namespace("audit")
    cluster.admitted("create -f -", namespace, objects.pod("web", BAD))
    # once, although both webhooks saw the pod
    cluster.until(lambda: cluster.metric("belay_findings_total", rule="mutable-tag", mode="audit") == before + 1)


def test_audit_logs_the_finding_without_the_object(cluster):
    namespace = cluster.namespace("audit")
    cluster.admitted("create -f -", namespace, objects.deployment("told", BAD))
    lines = cluster.until(lambda: [line for belay in cluster.replicas for line in belay.log_lines()
                                   if namespace in str(line)], 5)
    assert any("mutable-tag" in str(line) for line in lines), lines
    assert not any("containers" in line for line in lines)


def test_denials_and_admissions_are_counted_by_kind(cluster, shop):
    def count(decision: str) -> float:  # of pods alone: a CronJob of the cluster is refused a Job every minute
        return cluster.metric("belay_admission_requests_total", kind="Pod", operation="CREATE", decision=decision)

    allowed, denied = count("allowed"), count("denied")
    cluster.admitted("create -f -", shop, objects.pod("web"))
    cluster.denied("create -f -", shop, objects.pod("bad", BAD))
    # /mutate sees both objects too
    cluster.until(lambda: count("allowed") > allowed and count("denied") == denied + 1)


def test_a_namespace_without_policy_is_not_evaluated(cluster):
    cluster.admitted("create -f -", cluster.namespace("free"), objects.deployment("web", BAD))


@pytest.fixture
def edited(cluster):
    """A policy file of this test's own, for namespaces change-*; removed afterwards."""
    path = cluster.policies / "change.yaml"

    def write(text: str):
        fresh = cluster.policies / ".change.yaml.new"  # replaced whole, as editors do
        fresh.write_text(text)
        fresh.replace(path)

    yield write
    path.unlink(missing_ok=True)


def change(mode: str, rules: str = "{mutableTag: {}}") -> str:
    return ("apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: change}\n"
            f'spec:\n  mode: {mode}\n  match: {{namespaces: ["change-*"]}}\n  rules: {rules}\n')


def test_an_edited_policy_is_in_force_within_5_seconds(cluster, edited):
    namespace = cluster.namespace("change")
    bad = objects.pod("web", BAD)

    assert cluster.verdicts(namespace, bad) == {True}
    for mode, allowed in (("enforce", False), ("audit", True), ("enforce", False)):
        edited(change(mode))
        cluster.until(lambda: cluster.verdicts(namespace, bad) == {allowed}, SECONDS_TO_RELOAD)
        assert cluster.refuses(namespace, bad) != allowed


def test_a_broken_policy_leaves_the_last_good_one_in_force(cluster, edited):
    namespace = cluster.namespace("change")
    bad = objects.pod("web", BAD)
    edited(change("enforce"))
    cluster.until(lambda: cluster.verdicts(namespace, bad) == {False}, SECONDS_TO_RELOAD)

    def failures():
        return cluster.metric("belay_policy_reload_total", result="failure")

    before = failures()
    edited(change("enforce", "{mutableTags: {}}"))
    cluster.until(lambda: failures() >= before + len(cluster.replicas), SECONDS_TO_RELOAD)
    assert cluster.verdicts(namespace, bad) == {False}
    assert all(belay.ready() for belay in cluster.replicas)
    assert any('did you mean "mutableTag"?' in str(line) for line in cluster.replicas[0].log_lines())


def test_a_swapped_data_directory_is_noticed(cluster, tmp_path):
    """A ConfigMap volume is a link ..data to a directory, swapped whole."""
    mounted = tmp_path / "mounted"
    mounted.mkdir()

    def publish(revision: str, mode: str):
        (mounted / f"..{revision}").mkdir()
        (mounted / f"..{revision}" / "change.yaml").write_text(change(mode))
        (mounted / "..data_tmp").symlink_to(f"..{revision}")
        (mounted / "..data_tmp").rename(mounted / "..data")

    publish("1", "audit")
    (mounted / "change.yaml").symlink_to("..data/change.yaml")
    namespace = cluster.namespace("change")
    belay = cluster.add_replica(policies=mounted, behind_service=False)
    try:
        assert cluster.ask_about(namespace, objects.pod("web", BAD), belay)["allowed"]
        publish("2", "enforce")
        shutil.rmtree(mounted / "..1")
        cluster.until(lambda: not cluster.ask_about(namespace, objects.pod("web", BAD), belay)["allowed"],
                      SECONDS_TO_RELOAD)
    finally:
        cluster.forget(belay)
