#!/usr/bin/env python3
"""Records AdmissionReviews as a real kube-apiserver sends them, into tests/golden/reviews.

    tests/golden/record.py                  record all
    tests/golden/record.py 'pod-*'          only those that match

A webhook that admits and keeps everything is registered for every workload kind, its subresources
and namespaces; then kubectl and the controllers do what people and controllers do. The bytes are the
API server's own, but for what changes from run to run (uids, times, resource versions, generated name
endings): those become fixed values of the same form, so that recording again shows little but real
changes (how far a controller has come with a status still varies).
"""

from __future__ import annotations

import fnmatch
import http.server
import json
import re
import ssl
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cluster import webhook
from cluster.assets import KUBERNETES_VERSION
from cluster.control_plane import ApiError, ControlPlane
from cluster.rollout import ROLLOUT_DEFINITION
from support.certificates import make_certificate

REVIEWS = Path(__file__).resolve().parent / "reviews"
DIGEST = "sha256:" + "0123456789abcdef" * 4


class Recorder:
    """The cluster, the capturing webhook, and what came in."""

    def __init__(self, cluster: ControlPlane) -> None:
        self.cluster = cluster
        self.bodies: list[tuple[str, bytes]] = []  # (path it came to, body)
        self._arrived = threading.Condition()

    def capture(self, path: str, body: bytes) -> None:
        with self._arrived:
            self.bodies.append((path, body))
            self._arrived.notify_all()

    def kubectl(self, *words: str, input=None) -> None:
        text = json.dumps(input) if input is not None else None
        done = self.cluster.kubectl(*words, input=text)
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(words)}: {done.stderr}")

    def first(self, begin: int, path: str, wanted) -> bytes:
        """The first review since `begin` that came to `path` and `wanted` accepts; waits for it."""
        deadline = time.monotonic() + 20
        with self._arrived:
            while True:
                for came_to, body in self.bodies[begin:]:
                    if came_to == path and wanted(json.loads(body)["request"]):
                        return body
                if not self._arrived.wait(deadline - time.monotonic()):
                    seen = sorted({_summary(json.loads(b)["request"]) for _, b in self.bodies[begin:]})
                    raise RuntimeError("never came; seen: " + ", ".join(seen))


def _summary(request: dict) -> str:
    return f"{request['operation']} {request['resource']['resource']}/{request.get('subResource', '')}"


# -- objects ----------------------------------------------------------------------------------------


def labels(name: str) -> dict:
    return {"app": name, "environment": "prod"}


def pod_spec(image: str = "registry.corp:5000/shop/web:v1.4.2-prod", **more) -> dict:
    return {"containers": [{"name": "web", "image": image, "ports": [{"containerPort": 8080}],
                            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}], **more}


def template(name: str, **spec) -> dict:
    return {"metadata": {"labels": labels(name)}, "spec": pod_spec(**spec)}


def workload(kind: str, name: str, spec: dict, **metadata) -> dict:
    group = {"Job": "batch/v1", "CronJob": "batch/v1", "Pod": "v1", "ReplicationController": "v1",
             "PodTemplate": "v1"}.get(kind, "apps/v1")
    body = {"template": spec} if kind == "PodTemplate" else {"spec": spec}
    return {"apiVersion": group, "kind": kind,
            "metadata": {"name": name, "namespace": "shop", "labels": labels(name), **metadata}, **body}


def selecting(name: str, **more) -> dict:
    return {"selector": {"matchLabels": labels(name)}, "template": template(name), **more}


def job_spec(name: str) -> dict:
    return {"backoffLimit": 2, "template": template(name, restartPolicy="Never")}


ALL_IMAGES = workload("Pod", "everything", {
    "initContainers": [
        {"name": "migrate", "image": "registry.corp:5000/shop/migrate:v1.4.2-prod", "command": ["/migrate"]},
        {"name": "proxy", "image": "docker.io/istio/proxyv2:1.22.0", "restartPolicy": "Always"}],
    "containers": [
        {"name": "web", "image": "registry.corp:5000/shop/web:latest",
         "env": [{"name": "IMAGE", "value": "nginx:latest"}],
         "volumeMounts": [{"name": "model", "mountPath": "/model"}]},
        {"name": "log", "image": f"ghcr.io/corp/log@{DIGEST}"}],
    "volumes": [
        {"name": "model", "image": {"reference": "registry.corp:5000/ml/model:v1.2.0-model-resnet50",
                                    "pullPolicy": "IfNotPresent"}},
        {"name": "config", "configMap": {"name": "web", "optional": True}}]},
    annotations={"note": "quotes \" backslash \\ slash / unicode \u00fc \u2028 \U0001f6a2 <html>"})


# -- what is recorded -------------------------------------------------------------------------------
# Recordings build on one another: each step may use the objects that those before it made.

STEPS: list[tuple[str, str, object, str, object]] = []


def step(file: str, what: str, resource: str, operation: str, also=lambda request: True, path="/validate"):
    """Registers a function that makes the API server send one review of this resource[/subresource]."""
    def register(action):
        def wanted(request):
            sent = request["resource"]["resource"]
            if request.get("subResource"):
                sent += "/" + request["subResource"]
            return sent == resource and request["operation"] == operation and also(request)
        STEPS.append((file, what, action, path, wanted))
        return action
    return register


def by_kubectl(file: str, what: str, resource: str, operation: str, words: str, input=None, also=lambda r: True):
    """A step that is one kubectl command; words are parted at blanks."""
    step(file, what, resource, operation, also)(lambda r: r.kubectl(*words.split(), input=input))


def by_itself(file: str, what: str, resource: str, operation: str, also=lambda r: True, path="/validate"):
    """A step that waits for what else follows from the action before it."""
    step(file, what, resource, operation, also, path)(None)


def object_of(request):
    return request.get("object") or {}


def owner(request):
    owners = object_of(request).get("metadata", {}).get("ownerReferences", [])
    return owners[0]["kind"] if owners else None


by_kubectl("namespace-create", "a namespace with an environment", "namespaces", "CREATE", "create -f -",
           {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"environment": "prod"}}},
           also=lambda r: r["name"] == "shop")
by_kubectl("namespace-update", "its environment is changed", "namespaces", "UPDATE",
           "label namespace shop environment=dev --overwrite", also=lambda r: r["name"] == "shop")


@step("namespace-status-update", "the same through the status subresource", "namespaces/status", "UPDATE")
def _(recorder):
    recorder.cluster.request("PATCH", "/api/v1/namespaces/shop/status",
                             {"metadata": {"labels": {"environment": "prod"}}}, "application/merge-patch+json")


by_kubectl("configmap-create", "a policy as users write it", "configmaps", "CREATE", "create -f -", {
    "apiVersion": "v1", "kind": "ConfigMap",
    "metadata": {"name": "production", "namespace": "shop", "labels": {"belay.dev/policy": "true"}},
    "data": {"production.yaml": "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: production}\n"
                                "spec:\n  rules: {tagRequired: {}, mutableTag: {}}\n"}},
           also=lambda r: r["name"] == "production")

by_kubectl("pod-create", "a pod with one container", "pods", "CREATE", "create -f -",
           workload("Pod", "web", pod_spec()))
by_kubectl("pod-create-latest", "a pod whose tag can move", "pods", "CREATE", "create -f -",
           workload("Pod", "latest", pod_spec("nginx:latest")))
by_kubectl("pod-create-untagged", "neither tag nor digest", "pods", "CREATE", "create -f -",
           workload("Pod", "untagged", pod_spec("registry.corp:5000/shop/web")))
by_kubectl("pod-create-all-images", "init container, sidecar, image volume, digest, awkward text", "pods", "CREATE",
           "create -f -", ALL_IMAGES)
by_kubectl("pod-create-dry-run", "kubectl create --dry-run=server", "pods", "CREATE", "create --dry-run=server -f -",
           workload("Pod", "dry", pod_spec("nginx:latest")))
by_itself("pod-create-dry-run-mutate", "the same as mutating webhooks see it", "pods", "CREATE", path="/mutate")
by_kubectl("pod-create-generate-name", "a generated name, which validating webhooks see filled in", "pods", "CREATE",
           "create -f -",
           {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "task-", "namespace": "shop",
                                                            "labels": labels("task")}, "spec": pod_spec()})
by_itself("pod-create-generate-name-mutate", "mutating webhooks are called before there is a name", "pods", "CREATE",
          path="/mutate")
by_kubectl("pod-update-image", "kubectl set image on a running pod", "pods", "UPDATE",
           "-n shop set image pod/web web=registry.corp:5000/shop/web:latest")
by_kubectl("pod-update-label", "the environment label is changed", "pods", "UPDATE",
           "-n shop label pod web environment=dev --overwrite")
by_kubectl("pod-update-label-removed", "the environment label is removed", "pods", "UPDATE",
           "-n shop label pod web environment-")
by_kubectl("pod-update-unchanged-violation", "an annotation on a pod that violated before", "pods", "UPDATE",
           "-n shop annotate pod latest note=1")
by_kubectl("pod-ephemeralcontainers-update", "kubectl debug", "pods/ephemeralcontainers", "UPDATE",
           "-n shop debug pod/web --image=busybox:latest --container=shell --profile=general --attach=false -- sh")
by_kubectl("pod-resize-update", "kubectl patch --subresource resize", "pods/resize", "UPDATE",
           "-n shop patch pod web --subresource resize -p "
           '{"spec":{"containers":[{"name":"web","resources":{"requests":{"cpu":"200m"}}}]}}')
by_kubectl("pod-status-update", "labels sent through the status subresource", "pods/status", "UPDATE",
           "-n shop patch pod web --subresource status -p "
           '{"metadata":{"labels":{"environment":"test"}},"status":{"message":"hello"}}')
@step("pod-binding-create", "the scheduler binds a pod", "pods/binding", "CREATE")
def _(recorder):
    recorder.cluster.request("POST", "/api/v1/namespaces/shop/pods/web/binding", {
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": "web"},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "node-1"}})


@step("pod-exec-connect", "kubectl exec: operation CONNECT, the object is PodExecOptions", "pods/exec", "CONNECT")
def _(recorder):
    try:
        recorder.cluster.request("POST", "/api/v1/namespaces/shop/pods/web/exec?command=sh&stdout=true")
    except ApiError:
        pass  # admitted, but there is no node to connect to


@step("pod-eviction-create", "kubectl drain", "pods/eviction", "CREATE")
def _(recorder):
    recorder.cluster.request("POST", "/api/v1/namespaces/shop/pods/untagged/eviction?dryRun=All", {
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "untagged"}})


@step("pod-update-deleting", "image change of a pod that is being deleted", "pods", "UPDATE",
      lambda r: "deletionTimestamp" in object_of(r)["metadata"] and r["name"] == "latest")
def _(recorder):
    recorder.kubectl("-n", "shop", "patch", "pod", "latest", "-p", '{"metadata":{"finalizers":["example.com/hold"]}}')
    recorder.kubectl("-n", "shop", "delete", "pod", "latest", "--wait=false", "--grace-period=0", "--force")
    recorder.kubectl("-n", "shop", "set", "image", "pod/latest", "web=nginx:edge")


by_kubectl("pod-update-finalizer-removed", "the finalizer of a violating pod is removed", "pods", "UPDATE",
           '-n shop patch pod latest -p {"metadata":{"finalizers":null}}')
by_kubectl("pod-delete", "a pod is deleted: object is null, oldObject is set", "pods", "DELETE",
           "-n shop delete pod untagged --force --grace-period=0")

by_kubectl("deployment-create", "a Deployment", "deployments", "CREATE", "create -f -",
           workload("Deployment", "checkout", selecting("checkout", replicas=1)))
by_itself("deployment-create-mutate", "the same as mutating webhooks see it", "deployments", "CREATE", path="/mutate")
by_itself("replicaset-create-controller", "the ReplicaSet that its controller makes", "replicasets", "CREATE",
              lambda r: owner(r) == "Deployment")
by_itself("pod-create-controller", "the pod that the ReplicaSet's controller makes", "pods", "CREATE",
              lambda r: owner(r) == "ReplicaSet")
by_itself("deployment-status-update", "status as the controller reports it", "deployments/status", "UPDATE")
by_kubectl("deployment-update-image", "kubectl set image", "deployments", "UPDATE",
           "-n shop set image deployment/checkout web=registry.corp:5000/shop/web:latest")
by_kubectl("deployment-scale-update", "kubectl scale: the object is an autoscaling/v1 Scale", "deployments/scale",
           "UPDATE", "-n shop scale deployment checkout --replicas=2")
by_kubectl("deployment-update-restart", "kubectl rollout restart", "deployments", "UPDATE",
           "-n shop rollout restart deployment/checkout")
by_kubectl("deployment-apply-server-side", "kubectl apply --server-side", "deployments", "CREATE",
           "apply --server-side -f -", workload("Deployment", "applied", selecting("applied", replicas=0)))
by_kubectl("deployment-update-dry-run", "kubectl apply --dry-run=server of a change", "deployments", "UPDATE",
           "apply --server-side --dry-run=server -f -",
           workload("Deployment", "applied", selecting("applied", replicas=3)))
by_kubectl("deployment-delete", "a Deployment is deleted", "deployments", "DELETE",
           "-n shop delete deployment checkout")

for kind, resource, spec in (
        ("ReplicaSet", "replicasets", selecting("rs", replicas=0)),
        ("StatefulSet", "statefulsets", selecting("sts", serviceName="sts", replicas=0)),
        ("DaemonSet", "daemonsets", selecting("ds")),
        ("ReplicationController", "replicationcontrollers",
         {"replicas": 0, "selector": labels("rc"), "template": template("rc")}),
        ("PodTemplate", "podtemplates", template("pt")),
        ("Job", "jobs", job_spec("job")),
        ("CronJob", "cronjobs", {"schedule": "0 3 * * *", "jobTemplate": {"spec": job_spec("cj")}})):
    lower = kind.lower()
    one = workload(kind, f"one-{lower}", spec)
    by_kubectl(f"{lower}-create", f"a {kind}", resource, "CREATE", "create -f -", one)
    if kind == "Job":
        by_itself("pod-create-job", "the pod that the Job's controller makes", "pods", "CREATE",
                      lambda r: owner(r) == "Job")
        by_kubectl("job-update", "a label on a Job (its template is immutable)", resource, "UPDATE",
                   "-n shop label job one-job note=1")
    else:
        path = "/template" if kind == "PodTemplate" else "/spec/template"
        path = "/spec/jobTemplate/spec/template" if kind == "CronJob" else path
        by_kubectl(f"{lower}-update-image", f"the image of a {kind} is changed", resource, "UPDATE",
                   f"-n shop patch {lower} one-{lower} --type=json -p " + json.dumps(
                       [{"op": "replace", "path": f"{path}/spec/containers/0/image", "value": "nginx:latest"}],
                       separators=(",", ":")))
    if kind == "CronJob":
        by_kubectl("job-create-cronjob", "a Job owned by a CronJob (kubectl create job --from)", "jobs", "CREATE",
                   "-n shop create job manual --from=cronjob/one-cronjob")
    if kind in ("ReplicaSet", "StatefulSet"):
        by_kubectl(f"{lower}-scale-update", "kubectl scale", f"{resource}/scale", "UPDATE",
                   f"-n shop scale {lower} one-{lower} --replicas=1")
    if kind == "StatefulSet":
        by_itself("pod-create-statefulset", "the pod that the StatefulSet's controller makes", "pods", "CREATE",
                      lambda r: owner(r) == "StatefulSet")
    by_kubectl(f"{lower}-delete", f"a {kind} is deleted", resource, "DELETE",
               f"-n shop delete {lower} one-{lower} --wait=false")

empty_reference = selecting("empty", replicas=0)
empty_reference["template"]["spec"]["volumes"] = [{"name": "model", "image": {"reference": ""}}]
by_kubectl("deployment-create-empty-reference", "an image volume that others fill in later", "deployments", "CREATE",
           "create -f -", workload("Deployment", "empty", empty_reference))
by_kubectl("deployment-create-blank-in-image", "a blank at the end, which templates may have", "deployments", "CREATE",
           "create -f -", workload("Deployment", "blank", {
               "replicas": 0, "selector": {"matchLabels": labels("blank")},
               "template": template("blank", image="nginx:1.27.1 ")}))


@step("rollout-create", "a custom resource that holds a pod template", "rollouts", "CREATE")
def _(recorder):
    recorder.kubectl("create", "-f", "-", input=ROLLOUT_DEFINITION)
    recorder.kubectl("wait", "--for=condition=Established", "crd/rollouts.argoproj.io")
    recorder.kubectl("create", "-f", "-", input={
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web", "namespace": "shop"},
        "spec": selecting("web", replicas=1)})




@step("namespace-delete", "a namespace is deleted", "namespaces", "DELETE")
def _(recorder):
    recorder.kubectl("create", "namespace", "sandbox")
    recorder.kubectl("delete", "namespace", "sandbox", "--wait=false")


by_itself("namespace-finalize-update", "the namespace controller takes the finalizer off", "namespaces/finalize",
          "UPDATE")


# -- running ----------------------------------------------------------------------------------------


def scrub(body: bytes) -> bytes:
    """What differs from run to run, as fixed text of the same form."""
    text = body.decode()
    seen: dict[str, str] = {}

    def numbered(form):
        def replace(match):
            return seen.setdefault(match[0], form.format(len(seen) + 1))
        return replace

    text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", numbered("00000000-0000-4000-8000-{:012d}"), text)
    text = re.sub(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\b", "2026-01-02T03:04:05Z", text)
    text = re.sub(r'("resourceVersion":")\d+', r"\g<1>1000", text)
    ending = "[bcdfghjklmnpqrstvwxz2456789]{5}"  # what the API server appends to generateName
    for prefix in sorted(set(re.findall(rf'"(?:generateName|name)":"([a-z0-9-]+-){ending}"', text))):
        text = re.sub(f'"{prefix}{ending}"', f'"{prefix}bcd24"', text)
    return text.rstrip("\n").encode() + b"\n"


def serve(recorder: Recorder, directory: Path) -> tuple[http.server.ThreadingHTTPServer, bytes]:
    """The capturing webhook, listening; with the PEM of its certificate."""
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            recorder.capture(self.path.split("?")[0], body)
            uid = json.loads(body)["request"]["uid"]
            answer = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                                 "response": {"uid": uid, "allowed": True}}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    certificate, key = make_certificate(directory, "tls", names=[f"DNS:{webhook.SERVER_NAME}"])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer((recorder.cluster.host_address, 0), Handler)
    server.daemon_threads = True
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, Path(certificate).read_bytes()


def register(recorder: Recorder, port: int, ca: bytes) -> None:
    rules = [{"apiGroups": [group], "apiVersions": ["*"], "operations": ["*"], "resources": resources}
             for group, resources in (
                 ("", ["pods", "pods/*", "replicationcontrollers", "replicationcontrollers/*", "podtemplates",
                       "namespaces", "namespaces/*", "configmaps"]),
                 ("apps", ["*/*"]), ("batch", ["*/*"]), ("argoproj.io", ["*/*"]))]
    for one in webhook.service_objects(recorder.cluster.host_address, {"recorder": port}):
        recorder.kubectl("create", "-f", "-", input=one)
    for kind, path in (("ValidatingWebhookConfiguration", "/validate"), ("MutatingWebhookConfiguration", "/mutate")):
        recorder.kubectl("create", "-f", "-", input=webhook.configuration(kind, "record.belay.dev", path, ca, rules))
    # The API server learns of the configuration a moment later.
    for _ in range(100):
        recorder.cluster.request("POST", "/api/v1/namespaces/default/configmaps?dryRun=All", {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe"}})
        if len({path for path, _ in recorder.bodies}) == 2:
            return
        time.sleep(0.1)
    raise RuntimeError("the API server never called both webhooks")


def write_index() -> None:
    """A page that says what each file is."""
    rows = [f"| `{file}.json` | {what} | `{path}` |" for file, what, _, path, _ in sorted(STEPS, key=lambda s: s[0])]
    (REVIEWS / "README.md").write_text("\n".join([
        "# AdmissionReviews as kube-apiserver sends them", "",
        f"Recorded from Kubernetes {KUBERNETES_VERSION} by `tests/golden/record.py`, which also writes this page.", "",
        "| file | what happened | sent to |", "|---|---|---|", *rows, ""]))


def main() -> int:
    patterns = sys.argv[1:] or ["*"]
    REVIEWS.mkdir(exist_ok=True)
    write_index()
    with ControlPlane() as cluster, tempfile.TemporaryDirectory() as directory:
        recorder = Recorder(cluster)
        server, ca = serve(recorder, Path(directory))
        register(recorder, server.server_address[1], ca)
        failed, begin = 0, 0
        for file, what, action, path, wanted in STEPS:
            if action is not None:
                begin = len(recorder.bodies)
            try:
                if action is not None:
                    action(recorder)
                body = scrub(recorder.first(begin, path, wanted))
            except Exception as error:  # tell of every step that fails, not only the first
                failed += 1
                print(f"FAILED  {file}: {error}", file=sys.stderr)
                continue
            if any(fnmatch.fnmatch(file, pattern) for pattern in patterns):
                (REVIEWS / f"{file}.json").write_bytes(body)
                print(f"{len(body):6} bytes  {file}: {what}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
