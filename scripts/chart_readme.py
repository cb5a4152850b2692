#!/usr/bin/env python3
"""Writes charts/belay/README.md, and the texts of values.schema.json, from the chart's annotated values.

usage: scripts/chart_readme.py [--check]

A comment that begins with `# --` is the text of the value below it. With --check nothing is
written: exit status 1 if a file differs from what would be written.
"""

import json
import pathlib
import re
import sys

import yaml

CHART = pathlib.Path(__file__).resolve().parents[1] / "charts" / "belay"

HEAD = """# belay

Kubernetes admission webhook that validates image references and tags: three replicas, certificates that renew themselves, and policies in
ConfigMaps.

```
helm install belay charts/belay --namespace belay-system --create-namespace
kubectl create deployment first-denial --image=nginx:latest --dry-run=server
```

The nodes need the image. `make image` builds it as an archive for `kind load image-archive` or `minikube image load`; or push it to a
registry and add `--set image.registry=registry.example`. If workloads already run in the cluster, add `--set defaultPolicy.mode=warn`.

[docs/operations.md](../../docs/operations.md) says how to run, upgrade and remove the release, and what to do when no replica is ready.
[docs/policies.md](../../docs/policies.md) describes policies, [docs/security.md](../../docs/security.md) the RBAC rights.

## Values

Names follow cert-manager's chart where it has the same value. `values.schema.json` refuses unknown values.

| value | default | meaning |
|---|---|---|
"""


def texts(lines):
    """(dotted path, text) of every annotated value, in the order of the file."""
    found, open_keys, text = [], [], None
    for line in lines:
        comment = re.match(r"\s*# (-- )?(.*)", line)
        if comment:
            if comment[1]:
                text = comment[2]
            elif text is not None:
                text += " " + comment[2]
            continue
        key = re.match(r"( *)([A-Za-z0-9]+):", line)
        if key:
            depth = len(key[1]) // 2
            open_keys[depth:] = [key[2]]
            if text is not None:
                found.append((".".join(open_keys), text))
        text = None
    return found


def page():
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    rows = []
    for path, said in texts(text.splitlines()):
        value = values
        for key in path.split("."):
            value = value[key]
        shown = f"`{json.dumps(value)}`"
        said = said.replace("|", "\\|").replace("<", "&lt;")
        rows.append(f"| `{path}` | {shown} | {said} |")
    return HEAD + "\n".join(rows) + "\n"


def schema():
    """The schema with the text of each value as its description, which editors show."""
    whole = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    for path, said in texts((CHART / "values.yaml").read_text(encoding="utf-8").splitlines()):
        at = whole
        for key in path.split("."):
            at = at["properties"][key]
        at.pop("description", None)
        rest = dict(at)
        at.clear()
        at.update({"description": said, **rest})
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def main():
    for file, wanted in ((CHART / "README.md", page()), (CHART / "values.schema.json", schema())):
        if "--check" not in sys.argv[1:]:
            file.write_text(wanted, encoding="utf-8")
        elif file.read_text(encoding="utf-8") != wanted:
            sys.exit(f"{file} is not what values.yaml says: run scripts/chart_readme.py")


if __name__ == "__main__":
    main()
