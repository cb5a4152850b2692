"""`belay pin` against real registries: skopeo agrees with every digest, and files change in nothing else."""

import base64
import json
import os
import subprocess

from counting_registry import digest_of_path
from support import images

HOST = "registry.corp:5000"


def pod(*refs, name="web"):
    containers = "".join(f"  - name: c{i}\n    image: {ref}   # {i}\n" for i, ref in enumerate(refs))
    return f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  containers:\n{containers}"


def test_images_indexes_and_dockers_types_are_pinned_to_what_skopeo_says(belay, registry, listed, tmp_path):
    registry.push(images.Image("one"), "shop/web", "v1")
    registry.push(images.Index([images.Image("amd"), images.Image("arm", architecture="arm64")]), "shop/web", "multi")
    registry.push_docker(images.Image("docker"), "shop/docker", "v1")
    refs = {name: registry.digest(*name.split(":")) for name in ("shop/web:v1", "shop/web:multi", "shop/docker:v1")}
    written = [f"{HOST}/{name}" for name in refs]
    (tmp_path / "pod.yaml").write_text(pod(*written))
    registries = listed({HOST: registry.address})

    done = belay("pin", "--registries", registries, "-f", "pod.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout == pod(*(f"{HOST}/{name}@{digest}" for name, digest in refs.items()))
    assert done.stderr == "3 images in 1 file: 3 pinned\n"

    asked = len(registry.requests())
    again = belay("pin", "--registries", registries, "-f", "-", stdin=done.stdout)
    assert again.stdout == done.stdout
    assert len(registry.requests()) == asked  # what is pinned asks nobody


def test_a_tag_that_was_pushed_over_is_reported_and_stays_pinned(belay, registry, listed, tmp_path):
    old = registry.push(images.Image("old"), "shop/moving", "v1")
    text = pod(f"{HOST}/shop/moving:v1@{old}")
    (tmp_path / "pod.yaml").write_text(text)
    new = registry.push(images.Image("new"), "shop/moving", "v1")
    registries = listed({HOST: registry.address})
    checked = belay("pin", "--check", "--registries", registries, "-f", "pod.yaml")
    assert checked.returncode == 0
    assert f"keeps its digest; its tag now points to {new}" in checked.stdout
    assert belay("pin", "--registries", registries, "-f", "pod.yaml").stdout == text


def test_credentials_come_from_the_files_that_are_named_and_from_nowhere_else(
        belay, private_registry, listed, tmp_path):
    digest = private_registry.push(images.Image("secret"), "shop/private", "v1")
    (tmp_path / "pod.yaml").write_text(pod(f"{HOST}/shop/private:v1"))
    login = base64.b64encode(b"shop:s3cret-of-the-shop").decode()
    config = tmp_path / "home/.docker/config.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"auths": {HOST: {"auth": login}}}))
    registries = listed({HOST: private_registry.address})

    refused = belay("pin", "--registries", registries, "-f", "pod.yaml")
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert f'"{HOST}/shop/private:v1" could not be resolved: ' in refused.stderr
    assert "s3cret" not in refused.stderr and login not in refused.stderr

    done = belay("pin", "--registries", registries, "--docker-config", config, "-f", "pod.yaml")
    assert done.returncode == 0, done.stderr
    assert f"{HOST}/shop/private:v1@{digest} " in done.stdout


def test_a_registry_that_is_not_listed_is_not_asked(belay, registry, listed, tmp_path):
    (tmp_path / "pod.yaml").write_text(pod(f"{registry.address}/shop/web:v1"))
    asked = len(registry.requests())
    done = belay("pin", "--registries", listed({HOST: registry.address}), "-f", "pod.yaml")
    assert done.returncode == 2
    assert done.stdout == ""
    assert registry.address in done.stderr
    assert len(registry.requests()) == asked


def test_a_thousand_images_are_pinned_over_eight_connections_at_most(belay, counting_registry, listed, tmp_path):
    refs = [f"{HOST}/team-{i % 10}/app-{i}:v{i}" for i in range(1000)]
    folder = tmp_path / "manifests"
    for i in range(0, 1000, 4):
        (folder / str(i % 7)).mkdir(parents=True, exist_ok=True)
        (folder / str(i % 7) / f"{i}.yaml").write_text(pod(*refs[i:i + 4], *refs[i:i + 2]))
    done = belay("pin", "--registries", listed({HOST: counting_registry.address}), "--write", "-f", "manifests")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "1500 images in 250 files: 1500 pinned\n"
    assert sorted(counting_registry.asked) == sorted(
        f"/v2/team-{i % 10}/app-{i}/manifests/v{i}" for i in range(1000))
    assert counting_registry.most <= 8
    for i in range(0, 1000, 4):
        expected = [f"{ref}@{digest_of_path('/v2/' + ref.removeprefix(HOST + '/').replace(':', '/manifests/'))}"
                    for ref in (*refs[i:i + 4], *refs[i:i + 2])]
        assert (folder / str(i % 7) / f"{i}.yaml").read_text() == pod(*expected)


def test_the_diff_of_a_directory_is_one_that_git_applies(belay, counting_registry, listed, tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "a.yaml").write_text(pod(*(f"{HOST}/a/b:{i}" for i in range(9))) + "---\n" + pod(f"{HOST}/c:1"))
    (folder / "b.yaml").write_bytes(pod(f"{HOST}/d:1").replace("\n", "\r\n").rstrip("\r\n").encode())
    registries = listed({HOST: counting_registry.address})
    shown = belay("pin", "--registries", registries, "-f", "m")
    assert shown.returncode == 0, shown.stderr
    (tmp_path / "pins.patch").write_text(shown.stdout, newline="")
    environment = dict(os.environ, GIT_CEILING_DIRECTORIES=str(tmp_path.parent))
    subprocess.run(["git", "apply", "--whitespace=nowarn", "pins.patch"], cwd=tmp_path, env=environment, check=True)
    assert belay("pin", "-f", "m", "--check").returncode == 0
    assert (folder / "b.yaml").read_bytes().count(b"\r\n") == pod("x").count("\n") - 1


def test_progress_is_shown_on_a_terminal_alone(belay, counting_registry, listed, tmp_path):
    (tmp_path / "pod.yaml").write_text(pod(*(f"{HOST}/a/b:{i}" for i in range(300))))
    done = belay("pin", "--registries", listed({HOST: counting_registry.address}), "-f", "pod.yaml")
    assert "\r" not in done.stderr and "asked" not in done.stderr


POLICY = """
apiVersion: belay.dev/v1alpha1
kind: ImagePolicy
metadata: {name: shop}
spec:
  rules:
    mutableTag: {}
    tagMoved: {}
    imageLabels:
      labels: {security: {values: [verified]}}
"""


def rules(done):
    return [(f["rule"], f["mode"], f["value"]) for f in json.loads(done.stdout)["findings"]]


def check(belay, registries, *words):
    return belay("check", "-p", "policy.yaml", "-f", "pod.yaml", "--resolve", "--registries", registries,
                 "--output", "json", *words)


def test_check_resolve_evaluates_labels_and_offers_the_digest_of_a_refused_tag(belay, registry, listed, tmp_path):
    (tmp_path / "policy.yaml").write_text(POLICY.replace("    tagMoved: {}\n", ""))
    good = registry.push(images.Image("good", labels={"security": "verified"}), "shop/checked", "latest")
    registry.push(images.Image("bad"), "shop/checked", "v1")
    latest, other = f"{HOST}/shop/checked:latest", f"{HOST}/shop/checked:v1"
    (tmp_path / "pod.yaml").write_text(pod(latest, other))
    done = check(belay, listed({HOST: registry.address}))
    assert done.returncode == 1, done.stderr
    assert rules(done) == [("mutable-tag", "enforce", latest), ("image-labels", "enforce", other)]
    assert f"@{good}" in json.loads(done.stdout)["findings"][0]["fix"]

    offline = belay("check", "-p", "policy.yaml", "-f", "pod.yaml", "--output", "json")
    assert sorted(rules(offline)) == sorted([("mutable-tag", "enforce", latest), ("image-labels", "warn", latest),
                                             ("image-labels", "warn", other)])
    assert good not in offline.stdout


def test_check_resolve_compares_with_the_memory_it_is_given_and_else_warns(belay, registry, listed, tmp_path):
    (tmp_path / "policy.yaml").write_text(POLICY.split("    imageLabels")[0])
    old = registry.push(images.Image("first"), "shop/memory", "v1")
    new = registry.push(images.Image("second"), "shop/memory", "v1")
    ref = f"{HOST}/shop/memory:v1"
    (tmp_path / "pod.yaml").write_text(pod(ref))
    registries = listed({HOST: registry.address})
    without = check(belay, registries)
    assert without.returncode == 0, without.stderr
    assert rules(without) == [("tag-moved", "warn", ref)]

    (tmp_path / "tag-history").write_text(f"{ref} {old} 2026-11-01T00:00:00Z\n")
    done = check(belay, registries, "--tag-history", "tag-history")
    assert done.returncode == 1
    assert rules(done) == [("tag-moved", "enforce", ref)]
    assert old in done.stdout and new in done.stdout
    assert (tmp_path / "tag-history").read_text() == f"{ref} {old} 2026-11-01T00:00:00Z\n"


def test_check_resolve_says_why_a_registry_could_not_be_asked(belay, registry, listed, tmp_path):
    (tmp_path / "policy.yaml").write_text(POLICY)
    ref = f"{HOST}/shop/none:v1"
    (tmp_path / "pod.yaml").write_text(pod(ref))
    done = check(belay, listed({HOST: registry.address}))
    assert done.returncode == 1
    assert ("image-labels", "enforce", ref) in rules(done)
    assert HOST in json.loads(done.stdout)["findings"][0]["message"]
