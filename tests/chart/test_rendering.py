"""What the chart makes of its values, without a cluster."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import yaml

from chart import CHART, NAMESPACE, SETTINGS, SOURCES, Refused, nested, only, settings_of

every_setting = pytest.mark.parametrize("file", SETTINGS, ids=[file.stem for file in SETTINGS])


@every_setting
def test_helm_lint_has_nothing_to_object(helm, file):
    said = helm.run("lint", "--strict", str(CHART), "--values", str(file))
    assert "[WARNING]" not in said and "[ERROR]" not in said, said


@every_setting
def test_rendered_twice_it_is_the_same(helm, file):
    assert helm.text(None, "--values", str(file)) == helm.text(None, "--values", str(file))


def test_no_template_asks_the_cluster_or_chance():
    for template in (CHART / "templates").rglob("*.*"):
        for word in ("lookup", "genCA", "genSelfSignedCert", "genSignedCert", "genPrivateKey", "rand", "uuidv4", "now"):
            assert f" {word} " not in template.read_text(), f"{template.name}: {word}"


def test_the_page_of_the_chart_is_what_its_values_say():
    done = subprocess.run([sys.executable, "-B", SOURCES / "scripts/chart_readme.py", "--check"], text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stderr


def test_a_release_of_another_name_gets_along_with_the_first(helm, rendered):
    def names(objects):
        return {(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects}
    text = helm.run("template", "second", str(CHART), "--kube-version", "1.36.3")
    assert names(rendered) & names(one for one in yaml.safe_load_all(text) if one) == set()


def test_modes_of_tls_say_what_they_lack(helm):
    for given, lacks in (({"name": "a"}, "tls.existingSecret.caBundle is needed"),
                         ({"caBundle": "a"}, "tls.existingSecret.name is needed")):
        with pytest.raises(Refused, match=lacks):
            helm.objects({"tls": {"mode": "existingSecret", "existingSecret": given}})


def test_a_change_of_the_mode_of_tls_finds_its_way(helm):
    """A rolling update ends an old replica once a new one is ready, and that waits for a certificate. So the
    old ones, which don't make it, hold another lease; and a Secret that cert-manager left is in nobody's way."""
    leases, secrets = {}, {}
    for mode in ("selfManaged", "certManager", "existingSecret"):
        objects = helm.objects(nested("tls", {"mode": mode, "existingSecret": {"name": "a", "caBundle": "b"}}))
        leases[mode] = only(objects, "Lease")["metadata"]["name"]
        assert f"--lease={leases[mode]}" in container(objects)["args"]
        assert f"leases/{leases[mode]}" in rights(only(objects, "Role", "belay"))
        secrets[mode] = [one["spec"]["secretName"] for one in objects
                         if one["kind"] == "Certificate" and not one["spec"].get("isCA")]
        secrets[mode] += [one["metadata"]["name"] for one in objects if one["kind"] == "Secret"]
        secrets[mode] += [volume["secret"]["secretName"]
                          for volume in only(objects, "Deployment")["spec"]["template"]["spec"].get("volumes", [])]
    assert leases["selfManaged"] not in (leases["certManager"], leases["existingSecret"])
    assert secrets["selfManaged"] == ["belay-tls"] and secrets["existingSecret"] == ["a"]
    assert len(secrets["certManager"]) == 2 and set(secrets["certManager"]) == {"belay-cert-manager-tls"}


def test_a_strategy_has_no_settings_of_another_one(helm):
    """The API server refuses `Recreate` with those of a rolling update, which are the chart's default."""
    given = only(helm.objects({"strategy": {"type": "Recreate"}}), "Deployment")["spec"]["strategy"]
    assert given == {"type": "Recreate"}


def test_names_that_yaml_reads_as_numbers_stay_texts(helm):
    text = helm.run("template", "12", str(CHART), "--kube-version", "1.36.3", "--namespace", "123",
                    "--values", str(CHART / "ci/everything-values.yaml"), "--set-string", "test.namespace=7")
    for one in yaml.safe_load_all(text):
        assert one["metadata"].get("namespace", "123") in ("123", "7"), one["kind"]
        assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == "12"
        for subject in one.get("subjects", []):
            assert subject["namespace"] == "123"


def test_a_version_with_build_metadata_makes_good_labels(helm, tmp_path):
    helm.run("package", str(CHART), "--version", "0.1.0+build.7", "--destination", str(tmp_path))
    [package] = tmp_path.iterdir()
    text = helm.run("template", "belay", str(package), "--kube-version", "1.36.3")
    assert {one["metadata"]["labels"].get("helm.sh/chart") for one in yaml.safe_load_all(text) if one} - {None} == {
        "belay-0.1.0_build.7"}


def test_a_policy_keeps_its_text_whatever_it_begins_with(helm):
    text = "\n   # of the platform team\napiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\n"
    objects = helm.objects({"policies": {"own": text}})
    assert only(objects, "ConfigMap", "belay-policy-own")["data"]["own.yaml"] == text


# -- the webhook configurations ----------------------------------------------------------------------------


@every_setting
def test_no_label_that_a_tenant_writes_exempts(helm, file):
    """A17's cause in general: only names of namespaces decide what is sent."""
    values = settings_of(file)
    hidden = {"kube-system", NAMESPACE, *values.get("webhook", {}).get("excludeNamespaces", [])}
    for one in helm.objects(values):
        if not one["kind"].endswith("WebhookConfiguration"):
            continue
        for webhook in one["webhooks"]:
            assert webhook["name"] == "policies.belay.dev" or "objectSelector" not in webhook
            assert "matchConditions" not in webhook
            if webhook["name"] != "policies.belay.dev":
                [term] = webhook["namespaceSelector"]["matchExpressions"]
                assert (term["key"], term["operator"]) == ("kubernetes.io/metadata.name", "NotIn")
                assert set(term["values"]) == hidden


def test_the_webhooks_are_asked_about_everything_that_is_evaluated(rendered):
    webhooks = {webhook["name"]: webhook for webhook in only(rendered, "ValidatingWebhookConfiguration")["webhooks"]}
    mutating = only(rendered, "MutatingWebhookConfiguration")["webhooks"]

    def resources(webhook):
        return {f"{group}/{resource}" for rule in webhook["rules"] for group in rule["apiGroups"]
                for resource in rule["resources"]}
    # Generated from the program's own table: tests/webhook/workload.
    rows = yaml.safe_load((CHART / "files/workloads.yaml").read_text())
    workloads = {f"{row['group']}/{resource}" for row in rows for resource in row["resources"]}
    assert {"/pods", "/pods/ephemeralcontainers", "apps/deployments"} < workloads
    assert resources(webhooks["validate.belay.dev"]) == workloads
    assert [resources(one) for one in mutating] == [workloads]
    jobs = {one["name"]: rule["operations"] for one in [webhooks["validate.belay.dev"], *mutating]
            for rule in one["rules"] if "jobs" in rule["resources"]}
    assert jobs == {"validate.belay.dev": ["CREATE", "UPDATE"], "mutate.belay.dev": ["CREATE"]}
    assert resources(webhooks["namespaces.belay.dev"]) == {"/namespaces", "/namespaces/status", "/namespaces/finalize"}
    assert resources(webhooks["policies.belay.dev"]) == {"/configmaps"}
    assert webhooks["validate.belay.dev"]["failurePolicy"] == "Fail" and mutating[0]["failurePolicy"] == "Ignore"
    for one in [*webhooks.values(), *mutating]:
        remembers = one["name"] == "validate.belay.dev"  # what tags pointed to, but not in a dry run
        assert one["sideEffects"] == ("NoneOnDryRun" if remembers else "None")
        assert one["timeoutSeconds"] == 5 and one["matchPolicy"] == "Equivalent"
        assert "caBundle" not in one["clientConfig"]  # the leader's to publish


def test_custom_templates_are_asked_about_and_told_to_the_program(helm):
    objects = helm.objects({"extraTemplates": [{"group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout",
                                                "resource": "rollouts", "path": "spec.template"}]})
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        assert ["rollouts"] in [rule["resources"] for rule in only(objects, kind)["webhooks"][0]["rules"]]
    assert "--extra-template=argoproj.io/Rollout:spec.template" in container(objects)["args"]


# -- rights ------------------------------------------------------------------------------------------------


OWN = {"configmaps": "list watch patch", "events": "create", "leases": "create"}
STATUS = {"leases/belay-status": "get update"}
SECRET = {"leases/belay": "get update", "secrets/belay-tls": "get list watch update", "secrets": "create"}
CONFIGURATIONS = {"validatingwebhookconfigurations/belay": "get patch", "mutatingwebhookconfigurations/belay": "get patch"}
EVERYWHERE = {"namespaces": "get list watch"}


@pytest.mark.parametrize("values,own,everywhere", [
    ({}, OWN | SECRET, EVERYWHERE | CONFIGURATIONS),
    ({"tls": {"mode": "certManager"}}, OWN | STATUS, EVERYWHERE),
    ({"tls": {"mode": "existingSecret", "existingSecret": {"name": "a", "caBundle": "b"}}}, OWN | STATUS, EVERYWHERE),
    ({"tenantPolicies": {"enabled": True}}, OWN | SECRET | {"configmaps": None, "events": None},
     EVERYWHERE | CONFIGURATIONS | {"configmaps": "list watch patch", "events": OWN["events"]}),
    ({"registries": [{"host": "docker.io"}]}, OWN | SECRET | {"configmaps": "list watch patch get create"},
     EVERYWHERE | CONFIGURATIONS),
    ({"tenantPolicies": {"enabled": True}, "registries": [{"host": "docker.io"}]},
     OWN | SECRET | {"configmaps": "get create", "events": None},
     EVERYWHERE | CONFIGURATIONS | {"configmaps": "list watch patch", "events": OWN["events"]}),
], ids=["by default", "cert-manager", "existing Secret", "tenant policies", "registries", "tenant policies and registries"])
def test_a_replica_has_these_rights_and_no_others(helm, values, own, everywhere):
    objects = helm.objects(values)
    assert rights(only(objects, "Role", "belay")) == {key: verbs for key, verbs in own.items() if verbs}
    assert rights(only(objects, "ClusterRole")) == everywhere


def test_secrets_of_other_namespaces_are_read_only_where_the_values_say_so(helm):
    """3.14: a role of its own, which nobody has by default."""
    objects = helm.objects({"pullSecrets": {"enabled": True}})
    assert rights(only(objects, "ClusterRole", "belay-pull-secrets")) == {"serviceaccounts": "get", "secrets": "get"}
    binding = only(objects, "ClusterRoleBinding", "belay-pull-secrets")
    assert binding["roleRef"]["name"] == "belay-pull-secrets"
    assert [one["name"] for one in binding["subjects"]] == ["belay"]
    assert rights(only(objects, "ClusterRole", "belay")) == EVERYWHERE | CONFIGURATIONS
    assert "--pull-secrets" in container(objects)["args"]


def said_rights() -> list[tuple[str, str, str, str]]:
    """(resource, verbs, where, when) of the table in docs/security.md."""
    rows = re.findall(r"^\| `([a-z/-]+)` \| ([a-z, ]+) \| (cluster|namespace) \| ([^|]+) \|",
                      (SOURCES / "docs/security.md").read_text(), re.MULTILINE)
    assert len(rows) > 10
    return rows


@pytest.mark.parametrize("registries", [[], [{"host": "docker.io"}]], ids=["without registries", "with registries"])
@pytest.mark.parametrize("tenants", [False, True], ids=["own policies", "tenant policies"])
@pytest.mark.parametrize("mode", ["selfManaged", "certManager"])
@pytest.mark.parametrize("pull_secrets", [False, True], ids=["own credentials", "pull secrets"])
def test_the_page_tells_every_right_and_no_other(helm, mode, tenants, registries, pull_secrets):
    objects = helm.objects({"tls": {"mode": mode}, "tenantPolicies": {"enabled": tenants}, "registries": registries,
                            "pullSecrets": {"enabled": pull_secrets}})
    has = set()
    for role in objects:
        if role["kind"] in ("Role", "ClusterRole") and not role["metadata"]["name"].endswith("-test"):
            where = "cluster" if role["kind"] == "ClusterRole" else "namespace"
            has |= {(where, resource, verb) for resource, verbs in rights(role).items() for verb in verbs.split()}
    applies = {"always": True, "tls.mode: selfManaged": mode == "selfManaged", "other tls.mode": mode != "selfManaged",
               "tenantPolicies.enabled": tenants, "without tenantPolicies": not tenants,
               "with registries": bool(registries), "pullSecrets.enabled": pull_secrets}
    told = {(where, resource, verb) for resource, verbs, where, when in said_rights() if applies[when]
            for verb in verbs.split(", ")}
    assert told == has


def rights(role: dict) -> dict[str, str]:
    """resource[/name] -> verbs."""
    assert all(len(rule["apiGroups"]) == 1 for rule in role["rules"])
    return {resource + (f"/{name}" if name else ""): " ".join(rule["verbs"])
            for rule in role["rules"] for resource in rule["resources"]
            for name in rule.get("resourceNames") or [None]}


# -- the program in it -------------------------------------------------------------------------------------


@every_setting
def test_the_program_knows_every_flag_it_is_given(helm, program, file):
    usage = subprocess.run([program, "serve", "--help"], text=True, capture_output=True).stdout
    assert usage
    command, *flags = container(helm.objects(settings_of(file)))["args"]
    assert command == "serve"
    for flag in flags:
        assert flag.split("=")[0] in usage, flag


def test_the_policies_it_brings_read(helm, program, tmp_path):
    written = tmp_path / "policies.yaml"
    written.write_text(yaml.safe_dump_all(
        one for one in helm.objects() if "belay.dev/policy" in one["metadata"].get("labels", {})))
    done = subprocess.run([program, "lint", written], text=True, capture_output=True)
    assert done.returncode == 0 and "default" in written.read_text(), done.stdout + done.stderr


@every_setting
def test_its_own_pods_pass_its_own_policy(helm, program, tmp_path, file):
    values = settings_of(file)
    (tmp_path / "policy.yaml").write_text(policy(helm.objects(), "default"))
    (tmp_path / "objects.yaml").write_text(helm.text(values))
    done = subprocess.run([program, "check", "--policy", tmp_path / "policy.yaml", "-f", tmp_path / "objects.yaml"],
                          text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


# -- the default policy ------------------------------------------------------------------------------------


def policy(objects: list[dict], name: str) -> str:
    """Text of one of the chart's policies."""
    return only(objects, "ConfigMap", f"belay-policy-{name}")["data"][f"{name}.yaml"]


@pytest.mark.parametrize("mode,expected", [("enforce", "denied"), ("warn", "warned"), ("audit", "admitted")])
def test_one_value_changes_the_mode_of_the_default_policy_and_what_helm_test_expects(helm, program, tmp_path, mode, expected):
    text = helm.text(None, "--set", f"defaultPolicy.mode={mode}")
    objects = [one for one in yaml.safe_load_all(text) if one]
    assert yaml.safe_load(policy(objects, "default"))["spec"]["mode"] == mode
    assert probe_words(objects) == ["probe", "--namespace=default", f"--expect={expected}"]
    (tmp_path / "policy.yaml").write_text(policy(objects, "default"))
    done = subprocess.run([program, "lint", tmp_path / "policy.yaml"], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_helm_test_expects_can_be_said(helm):
    assert "--expect=warned" in probe_words(helm.objects({"test": {"expect": "warned"}}))
    assert "--expect=denied" in probe_words(helm.objects({"defaultPolicy": {"enabled": False, "mode": "warn"}}))


def test_the_default_policy_can_be_left_out_or_replaced(helm):
    def names(values):
        return {one["metadata"]["name"] for one in helm.objects(values) if one["kind"] == "ConfigMap"}
    assert names({}) == {"belay-policy-default"}
    assert names({"defaultPolicy": {"enabled": False}}) == set()
    assert names({"policies": {"own": "a: b"}}) == {"belay-policy-default", "belay-policy-own"}
    assert policy(helm.objects({"policies": {"default": "a: b"}}), "default") == "a: b\n"


def probe_words(objects: list[dict]) -> list[str]:
    [one] = only(objects, "Pod")["spec"]["containers"]
    return one["args"]


def test_a_digest_wins_over_a_tag(helm):
    digest = "sha256:" + "0" * 64
    for given, image in (({}, "belay:0.1.0"), ({"tag": "v2"}, "belay:v2"),
                         ({"registry": "r:5000", "tag": "v2", "digest": digest}, f"r:5000/belay@{digest}")):
        assert container(helm.objects({"image": given}))["image"] == image


def test_no_namespace_is_left_out_by_a_number_that_yaml_reads_from_its_name(helm):
    objects = helm.objects({"webhook": {"excludeNamespaces": ["123"]}})
    [term] = only(objects, "ValidatingWebhookConfiguration")["webhooks"][0]["namespaceSelector"]["matchExpressions"]
    assert "123" in term["values"]


@pytest.mark.parametrize("mode", ["certManager", "existingSecret"])
def test_a_certificate_in_files_can_be_read_by_the_user_of_the_pod(helm, mode):
    objects = helm.objects(nested("tls", {"mode": mode, "existingSecret": {"name": "a", "caBundle": "b"}}))
    [volume] = only(objects, "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert volume["secret"]["defaultMode"] & 0o004  # the kubelet makes the files root's


# -- registries --------------------------------------------------------------------------------------------


REGISTRIES = [
    {"host": "docker.io", "mirrors": [{"endpoint": "http://mirror.corp/hub:1", "plainHttp": True},
                                      {"endpoint": "https://[fd00::1]:8443/hub", "tokenHosts": ["auth.corp:9443"],
                                       "blobHosts": ["store.corp:9000"]}]},
    {"host": "registry.corp:5000", "allowPrivate": True}, {"host": "quay.io"}]


def test_by_default_no_registry_is_asked_and_no_port_open_to_one(rendered):
    assert not [flag for flag in container(rendered)["args"] if "regist" in flag or "docker" in flag or "pull" in flag]
    assert only(rendered, "NetworkPolicy")["spec"]["egress"] == [{"ports": [{"port": 443}, {"port": 6443}]}]
    assert not [one for one in rendered if "registries" in one["metadata"]["name"]]


def test_registries_reach_the_program_as_they_were_given(helm):
    objects = helm.objects({"registries": REGISTRIES, "dockerConfigSecret": "own"})
    told = yaml.safe_load(only(objects, "ConfigMap", "belay-registries")["data"]["registries.yaml"])
    assert told == {"apiVersion": "belay.dev/v1alpha1", "kind": "Registries", "registries": REGISTRIES}
    pod = only(objects, "Deployment")["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["registries"]["configMap"]["name"] == "belay-registries"
    assert volumes["docker-config"]["secret"]["secretName"] == "own"
    assert volumes["docker-config"]["secret"]["defaultMode"] & 0o004  # the kubelet makes the files root's
    mounts = {mount["name"]: mount for mount in container(objects)["volumeMounts"]}
    for name, flag in (("registries", "--registries="), ("docker-config", "--docker-config=")):
        assert mounts[name]["readOnly"] and "subPath" not in mounts[name]  # a subPath would never change
        [file] = [one.removeprefix(flag) for one in container(objects)["args"] if one.startswith(flag)]
        assert file.startswith(mounts[name]["mountPath"] + "/")


def test_the_network_is_open_to_the_ports_of_registries_and_to_dns(helm):
    policy = only(helm.objects({"registries": REGISTRIES}), "NetworkPolicy")
    api_server, registries = policy["spec"]["egress"]
    assert api_server == {"ports": [{"port": 443}, {"port": 6443}]}
    assert {(one["port"], one.get("protocol", "TCP")) for one in registries["ports"]} == {
        (443, "TCP"), (80, "TCP"), (8443, "TCP"), (9443, "TCP"), (9000, "TCP"), (5000, "TCP"), (53, "UDP"), (53, "TCP")}
    assert len(registries["ports"]) == 8


def container(objects: list[dict]) -> dict:
    [one] = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return one
