"""What people see: good and bad objects of every kind, by every way kubectl has to send them."""

import json
import pathlib
import re

import pytest

import objects
from cluster.control_plane import ApiError
from conftest import VALIDATING
from objects import BAD, GOOD, TEMPLATE_PATHS

SOURCES = pathlib.Path(__file__).resolve().parents[2]

LATEST = ('(web): "registry.corp:5000/shop/web:latest" has tag "latest", which can move. Use a version tag or a '
          "digest, such as registry.corp:5000/shop/web:<version>-prod")


def mutable_tag(place: str) -> str:
    return f"mutable-tag  {place}.containers[0].image {LATEST}"


def test_a_denied_deployment_says_everything_at_once(cluster, tmp_path):
    """The denial to the letter; README.md's picture shows the same."""
    file = tmp_path / "deploy.yaml"
    file.write_text((SOURCES / "docs/examples/manifests/deploy.yaml").read_text())
    denial = cluster.denied(f"apply -f {file}", "shop")
    assert denial.text == (
        f'Error from server (Forbidden): error when creating "{file}": admission webhook "validate.belay.dev" '
        'denied the request: Deployment shop/checkout: 2 problems, policy "production"\n'
        "  mutable-tag  spec.template.spec.containers[0].image " + LATEST + "\n"
        '  environment-namespace  spec.template.metadata.labels.environment: "dev" does not match namespace "shop" '
        '(environment "prod"). Set environment: prod, or deploy to a namespace for dev\n'
        "Try it first: kubectl apply --dry-run=server -f deploy.yaml   Policy: file production.yaml   "
        "Help: https://platform.example/images\n")
    # The policy of the picture has tag templates, which give the version its "v".
    pictured = (SOURCES / "docs/images/denial.txt").read_text().replace("v<version>", "<version>")
    assert pictured == "$ kubectl apply -f deploy.yaml\n" + denial.text.replace(str(file), "deploy.yaml")


@pytest.mark.parametrize("kind", TEMPLATE_PATHS)
def test_B5_every_kind_with_a_pod_template_is_evaluated(cluster, shop, kind):
    path = TEMPLATE_PATHS[kind]
    denial = cluster.denied("create -f -", shop, objects.workload(kind, "web", BAD))
    assert denial.head == f'{kind} {shop}/web: 1 problem, policy "production"'
    assert denial.findings == [mutable_tag(path + ".spec")]
    cluster.admitted("create -f -", shop, objects.workload(kind, "web"))


@pytest.mark.parametrize("kind", [kind for kind in TEMPLATE_PATHS if kind != "Job"])  # a Job's template is immutable
def test_B5_an_update_of_every_kind_is_evaluated(cluster, shop, kind):
    path = TEMPLATE_PATHS[kind]
    cluster.admitted("create -f -", shop, objects.workload(kind, "web"))
    pointer = "/" + path.replace(".", "/") + "/spec/containers/0/image"
    change = json.dumps([{"op": "replace", "path": pointer, "value": BAD}])
    denial = cluster.denied(f"patch {kind} web --type=json -p", shop, None, None, change)
    assert denial.head == f'{kind} {shop}/web: 1 problem, policy "production"'
    assert denial.findings == [mutable_tag(path + ".spec")]


def test_a_pod_is_evaluated(cluster, shop):
    denial = cluster.denied("create -f -", shop, objects.pod("web", BAD))
    assert denial.prefix == 'Error from server (Forbidden): error when creating "STDIN": '
    assert denial.head == f'Pod {shop}/web: 1 problem, policy "production"'
    assert denial.findings == [mutable_tag("spec")]
    cluster.admitted("create -f -", shop, objects.pod("web"))


def test_kubectl_run_and_create_deployment_are_denied(cluster, shop):
    denial = cluster.denied("run web --image=nginx", shop)
    assert denial.findings == [
        'tag-required  spec.containers[0].image (web): "nginx" has neither tag nor digest, which means the tag '
        '"latest". Add a version tag or a digest, such as nginx:<version>-prod',
        'environment-label  metadata.labels: the label "environment" is missing. Add environment: prod']
    denial = cluster.denied("create deployment web --image=nginx:stable", shop)
    assert [line.split("  ")[0] for line in denial.findings] == ["mutable-tag", "environment-label"]


def test_kubectl_edit_is_denied_with_the_same_words(cluster, shop, tmp_path):
    cluster.admitted("create -f -", shop, objects.deployment("web"))
    environment = {"KUBE_EDITOR": "sed -i s/v1.4.2-prod/latest/", "TMPDIR": str(tmp_path)}
    denial = cluster.denied("edit deployment web", shop, None, environment)
    assert 'deployments.apps "web" could not be patched' in denial.prefix
    assert denial.head == f'Deployment {shop}/web: 1 problem, policy "production"'
    assert denial.findings == [mutable_tag("spec.template.spec")]


@pytest.mark.parametrize("command", ["apply -f -", "apply --server-side -f -", "create -f -", "replace --force -f -"])
def test_every_way_to_send_a_manifest_is_denied(cluster, shop, command):
    denial = cluster.denied(command, shop, objects.deployment("web", BAD))
    assert denial.findings == [mutable_tag("spec.template.spec")]


def test_a_rollout_to_a_bad_image_is_denied_and_the_good_one_stays(cluster, shop):
    cluster.admitted("create -f -", shop, objects.deployment("web"))
    denial = cluster.denied(f"set image deployment/web web={BAD}", shop)
    assert denial.findings == [mutable_tag("spec.template.spec")]
    image = cluster.admitted("get deployment web -o jsonpath={.spec.template.spec.containers[0].image}", shop).stdout
    assert image == GOOD
    cluster.admitted("set image deployment/web web=registry.corp:5000/shop/web:v1.5.0-prod", shop)


def test_a_server_side_dry_run_is_evaluated_alike(cluster, shop):
    denial = cluster.denied("create --dry-run=server -f -", shop, objects.deployment("web", BAD))
    assert denial.head == f'Deployment {shop}/web: 1 problem, policy "production"'
    assert denial.findings == [mutable_tag("spec.template.spec")]
    done = cluster.admitted("create --dry-run=server -f -", shop, objects.deployment("web"))
    assert done.stdout == "deployment.apps/web created (server dry run)\n"
    cluster.admitted("create -f -", shop, objects.deployment("web"))
    denial = cluster.denied("apply --server-side --force-conflicts --dry-run=server -f -", shop,
                            objects.deployment("web", BAD))
    assert denial.findings == [mutable_tag("spec.template.spec")]


def test_a_list_is_denied_object_by_object(cluster, shop):
    both = {"apiVersion": "v1", "kind": "List", "items": [objects.deployment("good"), objects.deployment("bad", BAD)]}
    denial = cluster.denied("create -f -", shop, both)
    assert denial.head == f'Deployment {shop}/bad: 1 problem, policy "production"'
    assert cluster.admitted("get deployments -o name", shop).stdout == "deployment.apps/good\n"


def test_all_findings_of_a_pod_come_in_a_stable_order(cluster, shop):
    bad = objects.pod("web", BAD, {"environment": "production"}, initContainers=[
        {"name": "first", "image": "alpine"}, {"name": "second", "image": "registry.corp:5000/ops/init:v1.0.0-prod"}])
    denials = [cluster.denied("create -f -", shop, bad) for _ in range(2)]
    assert denials[0].head == f'Pod {shop}/web: 5 problems, policy "production"'
    assert [re.match(r"(\S+)  ([^ :]+)", line).groups() for line in denials[0].findings] == [
        ("tag-required", "spec.initContainers[0].image"),
        ("mutable-tag", "spec.containers[0].image"),
        ("environment-label", "metadata.labels.environment"),
        ("environment-namespace", "metadata.labels.environment"),
        ("environment-tag", "spec.initContainers[1].image")]
    assert denials[0].text == denials[1].text


def test_the_status_carries_a_cause_for_each_finding(cluster):
    with pytest.raises(ApiError) as caught:
        cluster.request("POST", "/apis/apps/v1/namespaces/shop/deployments",
                        objects.deployment("checkout", BAD, {"app": "web", "environment": "dev"}))
    status = caught.value.status
    assert (caught.value.code, status["reason"]) == (403, "Forbidden")
    assert [(cause["reason"], cause["field"]) for cause in status["details"]["causes"]] == [
        ("mutable-tag", "spec.template.spec.containers[0].image"),
        ("environment-namespace", "spec.template.metadata.labels.environment")]
    assert status["details"]["causes"][0]["message"] == LATEST.removeprefix("(web): ")
    assert len(status["message"].encode()) <= 4096 + len(f'admission webhook "{VALIDATING}" denied the request: ')


def test_the_audit_log_names_policy_revision_and_rules(cluster, shop):
    cluster.denied("create -f -", shop, objects.pod("audited", BAD))

    def logged():
        return [event for event in cluster.control_plane.audit_events()
                if (event["objectRef"].get("namespace"), event["objectRef"]["resource"]) == (shop, "pods")]

    event = cluster.until(logged)[0]
    annotations = event["annotations"]
    assert annotations[f"{VALIDATING}/policy"] == "production"
    assert annotations[f"{VALIDATING}/rules"] == "mutable-tag"
    assert annotations[f"{VALIDATING}/revision"]
    assert event["responseStatus"]["code"] == 403


def test_a_long_denial_is_cut_at_4_kib_and_counts_the_rest(cluster, shop):
    many = objects.pod("web")
    many["spec"]["containers"] = [{"name": f"c{i}", "image": f"nginx-{i}:latest"} for i in range(100)]
    denial = cluster.denied("create -f -", shop, many)
    assert denial.head == f'Pod {shop}/web: 100 problems, policy "production"'
    match = re.search(r"and (\d+) more", denial.text)
    assert match and int(match[1]) + len([line for line in denial.findings if line.startswith("mutable-tag")]) == 100
    assert len(denial.text) - len(denial.prefix) <= 4096 + 100


def test_text_of_the_user_is_escaped(cluster, shop):
    bad = objects.deployment("web", "nginx:1.27.1\u202e\u00fc")
    denial = cluster.denied("create -f -", shop, bad)
    assert denial.findings[0].startswith(
        'image-reference  spec.template.spec.containers[0].image (web): "nginx:1.27.1\\u{202e}\\u{fc}" ')
    assert denial.text.isascii()


def test_namespace_labels_of_the_command_line_select_policies(cluster):
    denial = cluster.denied("create -f -", "labelled", objects.pod("web"))
    assert denial.head == 'Pod labelled/web: 1 problem, policy "testing"'
    assert denial.findings == [
        'environment-namespace  metadata.labels.environment: "prod" does not match namespace "labelled" '
        '(environment "test"). Set environment: test, or deploy to a namespace for prod']
    cluster.admitted("create -f -", "labelled", objects.pod("web", BAD, {"environment": "test"}))


def test_mutate_answers_and_changes_nothing(cluster, shop):
    def count(name, *labels):
        text = cluster.request("GET", "/metrics")["text"]
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name + "{")
                   and all(label in line for label in ('name="mutate.belay.dev"', *labels)))

    def answered():
        return count("apiserver_admission_webhook_request_total", 'code="200"')

    def failed():
        return count("apiserver_admission_webhook_fail_open_count")

    before, failed_before = answered(), failed()
    cluster.admitted("create -f -", shop, objects.pod("web"))
    one = cluster.request("GET", f"/api/v1/namespaces/{shop}/pods/web")
    assert one["spec"]["containers"][0]["image"] == GOOD
    assert answered() > before
    assert failed() == failed_before
