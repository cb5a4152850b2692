"""Reviews of a wanted size, grown from one that kube-apiserver really sent."""

import copy
import json
import pathlib

RECORDED = pathlib.Path(__file__).parents[1] / "golden" / "reviews" / "pod-create.json"
SIZES = {"4k": (4096, 3), "20k": (20480, 12), "1m": (1 << 20, 24)}  # bytes, containers


def dumps(review):
    return json.dumps(review, separators=(",", ":"))


def pod_review(size, containers):
    """An admitted Pod of that many containers, padded with environment variables to `size`."""
    review = json.loads(RECORDED.read_text(encoding="utf-8"))
    spec = review["request"]["object"]["spec"]
    pattern = spec["containers"][0]
    spec["containers"] = []
    for i in range(containers):
        container = copy.deepcopy(pattern)
        container["name"] = f"app-{i}"
        container["image"] = f"registry.example.com/team/service-{i}:v1.{i}.3"
        container["env"] = []
        spec["containers"].append(container)
    missing = size - len(dumps(review))
    if missing < 0:
        raise ValueError(f"a review of {containers} containers is larger than {size} bytes")
    number = 0
    while missing > 120:  # variables of ordinary length, spread over the containers
        variable = {"name": f"SETTING_{number:05}", "value": f"value-of-setting-{number:05}"}
        spec["containers"][number % containers]["env"].append(variable)
        missing -= len(dumps(variable)) + 1
        number += 1
    review["request"]["object"]["metadata"]["annotations"] = {"example.com/note": ""}
    missing = size - len(dumps(review))
    review["request"]["object"]["metadata"]["annotations"]["example.com/note"] = "n" * max(0, missing)
    return dumps(review)


def with_images(review, images):
    """The review with these images for its containers, as many as it has."""
    review = json.loads(review)
    for container, image in zip(review["request"]["object"]["spec"]["containers"], images):
        container["image"] = image
    return dumps(review)


def write_all(folder):
    """Writes one file a size; returns {"4k": path, …}"""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, (size, containers) in SIZES.items():
        paths[name] = folder / f"review-{name}.json"
        paths[name].write_text(pod_review(size, containers), encoding="utf-8")
    return paths


def deployments(count):
    """Manifests of `count` Deployments as people write them, for `belay check` and kubeconform."""
    text = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: service-{n}
  namespace: shop
  labels:
    app.kubernetes.io/name: service-{n}
spec:
  replicas: 2
  selector:
    matchLabels:
      app: service-{n}
  template:
    metadata:
      labels:
        app: service-{n}
        environment: prod
    spec:
      containers:
        - name: web
          image: registry.example.com/team/service-{n}:v1.4.{n}
          ports:
            - containerPort: 8080
          resources:
            requests:
              cpu: 100m
              memory: 128Mi
          env:
            - name: LOG_LEVEL
              value: info
"""
    return "---\n".join(text.format(n=n) for n in range(count))
