"""The JSON Schema of policies and the strict reader say the same.

One policy that uses every key is bent in every place: keys dropped, added, given values of other
types. Both read each of the results: `belay lint` and jsonschema with `docs/policy.schema.json`.
"""

import copy
import json
import os
import pathlib
import subprocess

import jsonschema

SOURCE = pathlib.Path(os.environ["BELAY_SOURCE_DIR"])
PROGRAM = os.environ.get("BELAY_PROGRAM", "")

COMPLETE = {
    "apiVersion": "belay.dev/v1alpha1",
    "kind": "ImagePolicy",
    "metadata": {"name": "complete"},
    "spec": {
        "description": "every key",
        "mode": "warn",
        "helpUrl": "https://platform.example/images",
        "match": {
            "namespaces": ["*", "!sandbox-*"],
            "namespaceSelector": {
                "matchLabels": {"environment": "prod"},
                "matchExpressions": [
                    {"key": "team", "operator": "Exists"},
                    {"key": "tier", "operator": "NotIn", "values": ["lab"]},
                ],
            },
        },
        "rules": {
            "tagRequired": {"mode": "audit"},
            "mutableTag": {"tags": ["latest", "production-*"], "allowWithDigest": True},
            "tagFormat": {"anyOf": ["v{version}"], "images": ["docker.io/**"]},
            "digestRequired": {"images": ["registry.corp:5000/payments/**"]},
            "registryAllowed": {"allow": ["docker.io/library/*"], "deny": ["docker.io/library/x"]},
            "teamPrefix": {
                "teamLabel": "team",
                "prefixes": {"frontend": ["fe-"]},
                "on": "either",
                "requireTeam": False,
            },
            "environmentLabel": {"label": "environment", "values": ["dev", "prod"]},
            "environmentNamespace": {
                "label": "environment",
                "namespaceLabel": "environment",
                "namespaces": {"prod": ["*-prod"]},
                "protected": ["prod"],
            },
            "environmentTag": {
                "suffixes": {"prod": ["-prod"]},
                "label": "environment",
                "required": True,
            },
            "versionLabel": {"label": "app.kubernetes.io/version", "required": True},
            "requiredLabels": {
                "labels": {"owner": {}, "domain": {"values": ["shop"]}, "cost": {"pattern": "[0-9]+"}},
                "on": "both",
            },
            "namespaceEnvironment": {
                "namespaceLabel": "environment",
                "breakGlassGroups": ["platform-admins"],
            },
        },
        "exemptions": [
            {
                "images": ["docker.io/istio/proxyv2"],
                "namespaces": ["legacy-*"],
                "rules": ["mutable-tag"],
                "reason": "vendor image",
                "ticket": "OPS-1234",
                "expires": "2036-12-31",
            }
        ],
        "placeholders": ["auto"],
        "pin": {"enabled": False},
    },
}

VALUES = [None, True, False, 7, 1.5, "", "word", "a b", "no/such", [], ["word"], [3], [""], {},
          {"unknown": "x"}, {"word": {}}, {"word": ["word"]}, {"word": "word"}]


def schema():
    return json.loads((SOURCE / "docs/policy.schema.json").read_text())


def places(node, path=()):
    """Every path of a document."""
    yield path
    if isinstance(node, dict):
        for key, value in node.items():
            yield from places(value, path + (key,))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from places(value, path + (index,))


def at(node, path):
    for step in path:
        node = node[step]
    return node


def bent():
    """(what was done, document) for every single change."""
    yield "nothing", copy.deepcopy(COMPLETE)
    for path in places(COMPLETE):
        if not path:
            continue
        dropped = copy.deepcopy(COMPLETE)
        del at(dropped, path[:-1])[path[-1]]
        yield f"dropped {path}", dropped
        for value in VALUES:
            changed = copy.deepcopy(COMPLETE)
            at(changed, path[:-1])[path[-1]] = copy.deepcopy(value)
            yield f"{path} = {value!r}", changed
        if isinstance(at(COMPLETE, path), dict):
            for key in ("unknown", "imageLabels", "mode", "a/b/c"):
                added = copy.deepcopy(COMPLETE)
                at(added, path)[key] = {}
                yield f"added {path}.{key}", added


def test_the_schema_and_the_reader_agree(tmp_path):
    documents = []
    for index, (what, document) in enumerate(bent()):
        # Names must differ from file to file, or they would be the mistake.
        metadata = document.get("metadata")
        if isinstance(metadata, dict) and metadata.get("name") == "complete":
            metadata["name"] = f"p{index}"
        elif isinstance(metadata, dict) and metadata.get("name") == "word":
            metadata["name"] = f"word{index}"
        path = tmp_path / f"{index:05}.json"
        path.write_text(json.dumps(document))
        documents.append((what, document, str(path)))
    result = subprocess.run([PROGRAM, "lint", "--output", "json", str(tmp_path)],
                            capture_output=True, text=True, timeout=300)
    assert result.returncode == 1, result.stderr
    errors = {}
    for error in json.loads(result.stdout)["errors"]:
        errors.setdefault(error["file"], []).append(error)
    validator = jsonschema.Draft202012Validator(schema())
    differences = []
    accepted = 0
    for what, document, path in documents:
        by_schema = next(validator.iter_errors(document), None)
        by_reader = errors.get(path)
        accepted += by_reader is None
        if (by_schema is None) != (by_reader is None):
            differences.append(f"{what}: schema {by_schema and by_schema.message!r}, "
                               f"reader {by_reader and by_reader[0]['message']!r}")
    assert not differences, f"{len(differences)} of {len(documents)}:\n" + "\n".join(differences[:40])
    assert accepted > 20 and len(documents) - accepted > 500


def test_the_schema_is_a_schema_and_closed():
    document = schema()
    jsonschema.Draft202012Validator.check_schema(document)

    def objects(node, path=""):
        if isinstance(node, dict):
            if "properties" in node and "type" in node:
                yield path, node
            for key, value in node.items():
                yield from objects(value, f"{path}/{key}")

    found = list(objects(document))
    assert len(found) > 15
    for path, node in found:
        assert node["additionalProperties"] is False, path


def test_lint_prints_the_schema_that_stands_in_docs():
    result = subprocess.run([PROGRAM, "lint", "--schema"], capture_output=True, text=True, timeout=30)
    assert result.returncode == 0
    assert result.stdout == (SOURCE / "docs/policy.schema.json").read_text()


def test_editors_find_a_description_of_every_key():
    def undescribed(node, path):
        for key, value in node.get("properties", {}).items():
            if "description" not in value:
                yield f"{path}/{key}"
            if "Selector" not in key:  # Kubernetes' own keys
                yield from undescribed(value, f"{path}/{key}")

    assert list(undescribed(schema(), "")) == []
