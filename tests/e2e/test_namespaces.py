"""A namespace keeps its environment, through every door there is; and policies are evaluated before they
stand in a ConfigMap."""

import copy

import pytest

from cluster import webhook
from cluster.control_plane import ApiError

LOCKING = """\
apiVersion: belay.dev/v1alpha1
kind: ImagePolicy
metadata: {name: locking}
spec:
  match: {namespaces: ["locked-*"]}
  rules:
    namespaceEnvironment: {breakGlassGroups: [platform-admins]}
"""
POLICY = """\
apiVersion: belay.dev/v1alpha1
kind: ImagePolicy
metadata: {name: edited}
spec:
  match: {namespaces: ["edited-*"]}
  rules:
    mutableTag: {}
"""
PROBLEMS = [
    'data[edited.yaml]: line 7, column 5: spec.rules.mutabelTag: unknown key; did you mean "mutableTag"?',
    "data[edited.yaml]: line 8, column 11: spec.mode: must be one of enforce, warn, audit",
]
BROKEN = POLICY.replace("mutableTag", "mutabelTag") + "  mode:   deny\n"
NAMESPACES, POLICIES = "namespaces.belay.dev", "policies.belay.dev"


def config_map(text, name="edited", labels=None):
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {"belay.dev/policy": "true"} if labels is None else labels},
            "data": {"edited.yaml": text}}


@pytest.fixture(scope="module")
def doors(cluster):
    """The webhooks for namespaces and policies beside those for workloads, in force."""
    def policies():
        return [belay.metric("belay_policies", state="current") for belay in cluster.replicas]

    before = policies()
    policy = cluster.policies / "locking.yaml"
    policy.write_text(LOCKING)
    cluster.until(lambda: policies() == [one + 1 for one in before])
    for group in ("platform-admins", "developers"):  # who may change any label, as far as RBAC is asked
        cluster.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": group},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}]})
    cluster.register_doors(NAMESPACES, POLICIES)
    cluster.make_namespace("locked-probe")
    label(cluster, "locked-probe", "prod")

    def is_locked():
        return cluster.kubectl("label namespace locked-probe --overwrite --dry-run=server environment=dev",
                               "default").returncode != 0

    # the API server has read both configurations
    cluster.until(is_locked)
    cluster.until(lambda: cluster.kubectl("create --dry-run=server -f -", "default",
                                          config_map(BROKEN)).returncode != 0)
    yield cluster
    policy.unlink()


def label(cluster, namespace, value):
    done = cluster.kubectl(f"label namespace {namespace} environment={value}", "default")
    assert done.returncode == 0, done.stderr


def environment_of(cluster, namespace):
    return cluster.request("GET", f"/api/v1/namespaces/{namespace}")["metadata"]["labels"].get("environment")


@pytest.fixture
def prod(doors):
    """A namespace under the policy "locking", just labelled environment: prod."""
    name = doors.namespace("locked")
    label(doors, name, "prod")
    return name


def refused(text, namespace):
    return f'admission webhook "{NAMESPACES}" denied the request: Namespace {namespace}: 1 problem, ' \
           'policy "locking"' in text and "  namespace-environment  metadata.labels" in text


@pytest.mark.parametrize("change", ["environment=dev", "environment-"])
def test_B13_kubectl_label_cannot_change_or_remove_an_environment(doors, prod, change):
    done = doors.kubectl(f"label namespace {prod} --overwrite {change}", "default")
    assert done.returncode == 1 and refused(done.stderr, prod), done.stderr
    assert "members of platform-admins may change it" in done.stderr
    assert environment_of(doors, prod) == "prod"
    doors.admitted(f"label namespace {prod} --overwrite environment=prod team=search", "default")


@pytest.mark.parametrize("subresource", ["status", "finalize"])
@pytest.mark.parametrize("value", ["dev", None])
def test_B14_a_put_on_a_subresource_cannot_change_an_environment(doors, prod, subresource, value):
    path = f"/api/v1/namespaces/{prod}"
    one = doors.request("GET", path)
    changed = copy.deepcopy(one)
    if value is None:
        del changed["metadata"]["labels"]["environment"]
    else:
        changed["metadata"]["labels"]["environment"] = value
    with pytest.raises(ApiError) as denied:
        doors.request("PUT", f"{path}/{subresource}", changed)
    assert denied.value.code == 403 and refused(str(denied.value), prod), denied.value
    assert environment_of(doors, prod) == "prod"
    doors.request("PUT", f"{path}/{subresource}", one)  # what leaves the label alone goes through


def test_B14_a_patch_of_the_status_cannot_change_an_environment(doors, prod):
    done = doors.kubectl(f"patch namespace {prod} --subresource=status --type=merge", "default", None, None,
                         "-p", '{"metadata":{"labels":{"environment":"dev"}}}')
    assert done.returncode == 1 and refused(done.stderr, prod), done.stderr
    assert environment_of(doors, prod) == "prod"


def test_a_member_of_a_break_glass_group_may_change_an_environment(doors, prod):
    change = f"label namespace {prod} --overwrite environment=test --as=alice --as-group="
    done = doors.kubectl(change + "developers", "default")
    assert done.returncode == 1 and refused(done.stderr, prod), done.stderr
    doors.admitted(change + "platform-admins", "default")
    assert environment_of(doors, prod) == "test"


def test_a_namespace_that_keeps_its_environment_can_be_deleted(doors, prod):
    path = f"/api/v1/namespaces/{prod}"
    doors.request("DELETE", path)
    if doors.control_plane.has_controllers:  # which empty it, and change its status on the way
        doors.until(lambda: not doors.exists(path))


def test_a_broken_policy_is_refused_at_kubectl_apply_with_its_lines(doors, tmp_path):
    done = doors.kubectl("apply -f -", webhook.NAMESPACE, config_map(BROKEN))
    assert done.returncode == 1, done.stdout
    assert 'The ConfigMap "edited" is invalid' in done.stderr
    for problem in PROBLEMS:
        assert problem in done.stderr, done.stderr
    assert not doors.exists(f"/api/v1/namespaces/{webhook.NAMESPACE}/configmaps/edited")
    # A client that shows the message alone sees the same lines.
    with pytest.raises(ApiError) as denied:
        doors.request("POST", f"/api/v1/namespaces/{webhook.NAMESPACE}/configmaps", config_map(BROKEN))
    assert denied.value.code == 422
    assert (f'admission webhook "{POLICIES}" denied the request: ConfigMap {webhook.NAMESPACE}/edited: 2 problems\n'
            "  data[edited.yaml]:7:5: spec.rules.mutabelTag: unknown key") in str(denied.value)


def test_a_broken_edit_of_a_policy_brings_the_editor_back_with_the_lines(doors, tmp_path):
    doors.admitted("apply -f -", webhook.NAMESPACE, config_map(POLICY, "edited-live"))
    # Breaks the text the first time; then keeps what it was shown, and saves it unchanged.
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\ncp "$1" {tmp_path}/shown\nsed -i s/mutableTag/mutabelTag/ "$1"\n')
    editor.chmod(0o755)
    done = doors.kubectl("edit configmap edited-live", webhook.NAMESPACE, None,
                         {"KUBE_EDITOR": str(editor)})
    assert done.returncode == 1, done.stdout
    shown = (tmp_path / "shown").read_text()
    assert f"# * {PROBLEMS[0]}" in shown, shown
    assert "mutabelTag" in shown.split("apiVersion", 1)[1]  # the author's text is not lost
    kept = doors.request("GET", f"/api/v1/namespaces/{webhook.NAMESPACE}/configmaps/edited-live")
    assert kept["data"]["edited.yaml"] == POLICY


def test_a_policy_that_is_valid_is_admitted_and_its_end_is_reported(doors):
    doors.admitted("apply -f -", webhook.NAMESPACE, config_map(POLICY, "going"))
    done = doors.kubectl("label configmap going belay.dev/policy-", webhook.NAMESPACE)
    assert done.returncode == 0 and 'Warning: policy "edited" no longer applies' in done.stderr, done.stderr
    doors.admitted("label configmap going belay.dev/policy=true", webhook.NAMESPACE)
    done = doors.kubectl("delete configmap going", webhook.NAMESPACE)
    assert done.returncode == 0 and 'Warning: policy "edited" no longer applies' in done.stderr, done.stderr


def test_a_config_map_without_the_label_is_no_business_of_belay(doors):
    doors.admitted("apply -f -", webhook.NAMESPACE, config_map(BROKEN, "notes", labels={}))
