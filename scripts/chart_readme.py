#!/usr/bin/env python3
"""Writes charts/belay/README.md from the chart's annotated values.

usage: scripts/chart_readme.py [--check]

A comment that begins with `# --` is the text of the value below it. With --check nothing is
written: exit status 1 where the page is not what would be written.
"""

import json
import pathlib
import re
import sys

import yaml

CHART = pathlib.Path(__file__).resolve().parents[1] / "charts" / "belay"

HEAD = """# belay

An admission webhook that keeps image tags honest: three replicas, certificates that renew themselves, and policies in
ConfigMaps.

```
helm install belay charts/belay --namespace belay-system --create-namespace
kubectl create deployment first-denial --image=nginx:latest --dry-run=server
```

The nodes need the image: build it from the [Dockerfile](../../Dockerfile), push it, and name its registry with
`--set image.registry=registry.example`.

[docs/policies.md](../../docs/policies.md) says what a policy may hold, [docs/operations.md](../../docs/operations.md) how to
run, upgrade and remove the release, and what to do when no replica answers.

## Values

Names are those of cert-manager's chart where it has the same thing. `values.schema.json` refuses what isn't listed here.

| value | default | what it does |
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
        shown = json.dumps(value)
        if path == "policies":
            shown = "one, `default`: tags are required, and none that moves"
        else:
            shown = f"`{shown}`"
        said = said.replace("|", "\\|").replace("<", "&lt;")
        rows.append(f"| `{path}` | {shown} | {said} |")
    return HEAD + "\n".join(rows) + "\n"


def main():
    readme = CHART / "README.md"
    if "--check" in sys.argv[1:]:
        if readme.read_text(encoding="utf-8") != page():
            sys.exit(f"{readme} is not what values.yaml says: run scripts/chart_readme.py")
        return
    readme.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
