"""The rule image-labels before a real registry, which has no referrers API: attached artifacts are found
by the tag schema."""

from __future__ import annotations

import datetime

import pytest

from support import images
from webhook import deployment, pod, policy

SOURCE, MARK = "org.opencontainers.image.source", "security"
FROM_GIT = {SOURCE: "https://git.corp/shop/web"}
RULE = {"labels": {SOURCE: {"pattern": "https://git\\.corp/.*"}}}


def days_ago(days: int) -> str:
    when = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def belay(open_registry, start_belay, at):
    return start_belay(
        [policy("source", "source", {"imageLabels": RULE}),
         policy("config", "config-only", {"imageLabels": {**RULE, "sources": ["config"]}}),
         policy("any", "any-platform", {"imageLabels": {**RULE, "platforms": "any"}}),
         policy("marked", "marked", {"imageLabels": {"labels": {MARK: {"values": ["verified"]}}}}),
         policy("young", "young", {"imageLabels": {"labels": {SOURCE: {}}, "maxAge": "90d"}}),
         policy("warned", "warned", {"imageLabels": {**RULE, "mode": "warn"}})],
        [at("open.test", open_registry.address)])


def refused(belay, name: str, namespace: str) -> bool:
    answer = belay.validate(pod(f"open.test/{name}"), namespace)
    if not answer.allowed:
        assert "image-labels" in answer.message, answer.message
    return not answer.allowed


@pytest.mark.parametrize("image,everywhere,in_config", [
    (images.Image("1", labels=FROM_GIT), True, True),
    (images.Image("2", labels={SOURCE: "https://evil.example/web"}), False, False),
    (images.Image("3"), False, False),
    (images.Image("4", annotations=FROM_GIT), True, False),
    (images.Index([images.Image("5"), images.Image("6", architecture="arm64")], annotations=FROM_GIT), True, False),
    (images.Index([images.Image("7", labels=FROM_GIT), images.Image("8", labels=FROM_GIT, architecture="arm64")]), True, True),
], ids=["config", "another value", "nothing", "annotation", "annotation of the index", "both platforms"])
def test_a_label_counts_wherever_the_policy_lets_it_stand(belay, open_registry, request, image, everywhere, in_config):
    tag = request.node.callspec.id.replace(" ", "-")
    open_registry.push(image, "shop/labelled", tag)
    assert refused(belay, f"shop/labelled:{tag}", "source") != everywhere
    assert refused(belay, f"shop/labelled:{tag}", "config-only") != in_config


def test_every_platform_must_have_it_unless_one_is_enough(belay, open_registry):
    half = images.Index([images.Image("a", labels=FROM_GIT), images.Image("b", architecture="arm64")])
    open_registry.push(half, "shop/half", "v1")
    answer = belay.validate(pod("open.test/shop/half:v1"), "source")
    assert not answer.allowed and "linux/arm64" in answer.message
    assert not refused(belay, "shop/half:v1", "any-platform")


def test_docker_media_types_are_read_too(belay, open_registry):
    open_registry.push_docker(images.Image("docker", labels=FROM_GIT), "shop/docker", "v1")
    open_registry.push_docker(images.Image("plain"), "shop/docker", "v2")
    assert not refused(belay, "shop/docker:v1", "config-only")
    assert refused(belay, "shop/docker:v2", "config-only")


def test_a_mark_that_was_attached_after_the_build_counts(belay, open_registry):
    marked, wrong, bare = (images.Image(text) for text in ("marked", "wrong", "bare"))
    for one, annotations in ((marked, {MARK: "verified"}), (wrong, {MARK: "refused"}), (bare, None)):
        digest = open_registry.push(one, "shop/marked", one.content)
        if annotations:
            open_registry.put(images.Referrers(images.Attached(one, annotations)), "shop/marked", digest.replace(":", "-"))
    assert not refused(belay, "shop/marked:marked", "marked")
    assert refused(belay, "shop/marked:wrong", "marked")
    assert refused(belay, "shop/marked:bare", "marked")
    assert refused(belay, f"shop/marked@{bare.digest}", "marked")
    assert not refused(belay, f"shop/marked:bare@{marked.digest}", "marked"), "the digest decides, not the tag"


def test_an_old_image_is_refused(belay, open_registry):
    for tag, days in (("young", 80), ("old", 100)):
        open_registry.push(images.Image(tag, labels=FROM_GIT, created=days_ago(days)), "shop/aged", tag)
    assert not refused(belay, "shop/aged:young", "young")
    assert refused(belay, "shop/aged:old", "young")


def test_metadata_of_a_digest_is_asked_for_once(belay, open_registry):
    open_registry.push(images.Image("once", labels=FROM_GIT), "shop/once", "v1")
    assert not refused(belay, "shop/once:v1", "config-only")
    asked = len(open_registry.requests())
    for _ in range(3):
        assert not refused(belay, "shop/once:v1", "config-only")
    assert len(open_registry.requests()) == asked


def test_templates_are_evaluated_and_a_warning_is_only_a_warning(belay, open_registry):
    open_registry.push(images.Image("bare"), "shop/bare", "v1")
    assert not belay.validate(deployment("open.test/shop/bare:v1"), "source").allowed
    answer = belay.validate(deployment("open.test/shop/bare:v1"), "warned")
    assert answer.allowed and answer.warnings[0].startswith("image-labels")


def test_the_answer_holds_nothing_that_the_image_says(belay, open_registry):
    open_registry.push(images.Image("loud", labels={SOURCE: "https://canary.example/\n<b>", "x": "canary"}), "shop/loud", "v1")
    answer = belay.validate(pod("open.test/shop/loud:v1"), "source")
    assert not answer.allowed and "\n<b>" not in answer.message and '"x"' not in answer.message
