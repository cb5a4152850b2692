"""Tags pinned to digests, before a real registry: skopeo says what each digest must be."""

from __future__ import annotations

import pytest

from support import images
from support.waiting import until
from webhook import deployment, patched, pod, policy

WEB = "open.test/shop/web"


@pytest.fixture(scope="module")
def filled(open_registry):
    """The registry with its images: what a tag points to comes from skopeo alone."""
    both = [images.Image("a"), images.Image("b", architecture="arm64")]
    docker = [images.Image("a", form=images.DOCKER), images.Image("b", architecture="arm64", form=images.DOCKER)]
    open_registry.push(images.Image("single", labels={"a": "b"}), "shop/web", "single")
    open_registry.push(images.Index(both, annotations={"a": "b"}), "shop/web", "index")
    open_registry.push_docker(images.Image("docker"), "shop/web", "docker")
    open_registry.put(images.Index(docker, form=images.DOCKER), "shop/web", "docker-list")
    open_registry.push(images.Image("hub"), "library/nginx", "1.27")
    return open_registry


@pytest.fixture(scope="module")
def belay(filled, start_belay, at):
    hub = {"host": "docker.io", "mirrors": [
        {key: value for key, value in at("", filled.address).items() if key != "host"}]}
    return start_belay(
        [policy("pinned", "shop", pin={"enabled": True}),
         policy("partly", "partly", pin={"enabled": True, "images": ["open.test/shop/**"]}),
         policy("off", "off", pin={"enabled": False})],
        [at("open.test", filled.address), hub])


@pytest.mark.parametrize("tag", ["single", "index", "docker", "docker-list"])
def test_the_digest_is_the_one_that_skopeo_sees(belay, filled, tag):
    answer = belay.mutate(pod(f"{WEB}:{tag}"))
    assert answer.allowed and answer.warnings == []
    assert answer.images == [f"{WEB}:{tag}@{filled.digest('shop/web', tag)}"]
    assert [(step["op"], step["path"]) for step in answer.patch] == [
        ("test", "/spec/containers/0/image"), ("replace", "/spec/containers/0/image")]


def test_short_names_of_docker_hub_are_asked_by_their_long_ones_and_kept_as_written(belay, filled):
    digest = filled.digest("library/nginx", "1.27")
    for name in ("nginx:1.27", "library/nginx:1.27", "docker.io/nginx:1.27", "index.docker.io/library/nginx:1.27"):
        assert belay.mutate(pod(name)).images == [f"{name}@{digest}"], name


def test_every_place_of_an_image_is_pinned_in_one_patch(belay, filled):
    digest = filled.digest("shop/web", "single")
    one = pod(f"{WEB}:single", f"{WEB}:single", initContainers=[{"name": "first", "image": f"{WEB}:single"}],
              volumes=[{"name": "data", "image": {"reference": f"{WEB}:single"}}])
    spec = belay.mutate(one).object["spec"]
    assert [container["image"] for container in spec["containers"] + spec["initContainers"]] == [f"{WEB}:single@{digest}"] * 3
    assert spec["volumes"][0]["image"]["reference"] == f"{WEB}:single@{digest}"


def test_a_template_is_pinned_unless_a_controller_owns_it(belay, filled):
    digest = filled.digest("shop/web", "single")
    assert belay.mutate(deployment(f"{WEB}:single")).images == [f"{WEB}:single@{digest}"]
    owner = {"apiVersion": "example.com/v1", "kind": "App", "name": "a", "uid": "1", "controller": True}
    assert belay.mutate(deployment(f"{WEB}:single", owner=owner)).patch == []
    assert belay.mutate(deployment(f"{WEB}:single", owner={**owner, "controller": False})).patch != []


def test_what_is_pinned_is_not_touched_again(belay):
    once = belay.mutate(deployment(f"{WEB}:index")).object
    again = belay.mutate(once)
    assert again.patch == [] and again.warnings == [] and again.object == once


def test_applying_the_same_tag_again_takes_the_digest_that_is_there(belay, filled):
    """Even where the tag has moved since: a re-apply must not roll anything out."""
    filled.push(images.Image("before"), "shop/web", "moving")
    old = belay.mutate(deployment(f"{WEB}:moving")).object
    filled.push(images.Image("after"), "shop/web", "moving")
    asked = len(filled.requests())
    assert belay.mutate(deployment(f"{WEB}:moving"), old=old).object == old
    assert len(filled.requests()) == asked, "nothing had to be asked"
    assert belay.metric("belay_pins_total", result="reused") >= 1


def test_a_dry_run_is_answered_the_same(belay):
    one = pod(f"{WEB}:single")
    assert belay.mutate(one, dry_run=True).patch == belay.mutate(one).patch != []


def test_digests_come_from_the_cache_while_they_are_fresh(belay, filled):
    filled.push(images.Image("cached"), "shop/web", "cached")
    first = belay.mutate(pod(f"{WEB}:cached"))
    asked = len(filled.requests())
    before = belay.metric("belay_digest_cache_requests_total", result="hit")
    for _ in range(5):
        assert belay.mutate(pod(f"{WEB}:cached")).patch == first.patch
    assert len(filled.requests()) == asked
    assert belay.metric("belay_digest_cache_requests_total", result="hit") >= before + 5


@pytest.mark.parametrize("image", [
    "elsewhere.test/shop/web:single", WEB + ":no-such-tag", "open.test/no/such:v1", "127.0.0.1:5000/shop/web:v1"])
def test_a_tag_that_nobody_knows_stays_and_the_warning_says_why(belay, image):
    answer = belay.mutate(pod(image))
    assert answer.allowed and answer.patch == []
    [warning] = answer.warnings
    said = warning.replace(image, "").replace(image.split("/")[0], "")
    assert len(warning) <= 256 and "127.0.0.1" not in said, "no address but one that the user wrote"


def test_where_no_policy_pins_nobody_is_asked(belay, filled):
    asked = len(filled.requests())
    for namespace, image in (("off", f"{WEB}:single"), ("other", f"{WEB}:single"), ("partly", "nginx:1.27")):
        answer = belay.mutate(pod(image), namespace)
        assert answer.patch == [] and answer.warnings == []
    assert len(filled.requests()) == asked
    assert belay.mutate(pod(f"{WEB}:single"), "partly").patch != []


def test_validate_offers_a_digest_that_is_known_and_asks_nobody_for_one(start_belay, filled, at):
    belay = start_belay([policy("both", "shop", {"mutableTag": {}}, pin={"enabled": True})], [at("open.test", filled.address)])
    digest = filled.push(images.Image("latest"), "shop/web", "latest")
    asked = len(filled.requests())
    assert digest not in belay.validate(pod(f"{WEB}:latest")).message
    assert len(filled.requests()) == asked
    belay.mutate(pod(f"{WEB}:latest"))
    assert f"{WEB}@{digest}" in belay.validate(pod(f"{WEB}:latest")).message


def test_a_registry_that_is_added_to_the_file_is_asked_without_a_restart(start_belay, filled, at):
    belay = start_belay([policy("pinned", "shop", pin={"enabled": True})], [at("other.test", filled.address)])
    assert belay.mutate(pod(f"{WEB}:single")).patch == []
    belay.write_registries([at("open.test", filled.address)])
    until(lambda: belay.mutate(pod(f"{WEB}:single")).patch)
    assert belay.mutate(pod("other.test/shop/web:single")).patch == []


def test_a_mirror_that_is_down_is_skipped(start_belay, filled, at):
    from support.hostile_registry import closed_port
    mirror = {key: value for key, value in at("", closed_port()).items() if key != "host"}
    belay = start_belay([policy("pinned", "shop", pin={"enabled": True})],
                        [at("open.test", filled.address, mirrors=[mirror])])
    assert belay.mutate(pod(f"{WEB}:single")).images == [f"{WEB}:single@{filled.digest('shop/web', 'single')}"]


def test_the_patch_holds_against_the_object_it_was_made_for_only(belay):
    answer = belay.mutate(pod(f"{WEB}:single"))
    with pytest.raises(AssertionError):
        patched(pod(f"{WEB}:other"), answer.patch)
