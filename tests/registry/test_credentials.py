"""Credentials: shown to the registry and the token service they are for, and to nobody else."""

from __future__ import annotations

import base64

import pytest

from support import images, registry as real
from support.token_service import TokenService
from webhook import Webhook, pod, policy

PIN = [policy("pinned", "shop", pin={"enabled": True})]
SECRET = "s3cret-canary-77"
ADA, BOB = ("ada", SECRET + "-ada"), ("bob", SECRET + "-bob")
IMAGE = images.Image("private")


def auth(user: str, password: str) -> dict:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def silent(belay: Webhook, *answers) -> None:
    """No secret stands in an answer, the log or the metrics."""
    for text in (belay.log(), belay.metrics(), *(answer.text for answer in answers)):
        for secret in (SECRET, base64.b64encode(SECRET.encode()).decode()[:12], auth(*ADA)["auth"], auth(*BOB)["auth"], "eyJ"):
            assert secret not in text


@pytest.fixture(scope="module")
def with_passwords(directory, authority):
    if real.missing():
        pytest.skip("no docker-registry or skopeo here")
    registry = real.Registry(directory / "passwords", authority, users=dict([ADA]))
    registry.push(IMAGE, "shop/web", "v1")
    yield registry
    registry.stop()


@pytest.fixture(scope="module")
def tokens(directory, authority):
    service = TokenService(directory, authority, {ADA[0]: (ADA[1], "team-a/"), BOB[0]: (BOB[1], "team-b/")})
    yield service
    service.close()


@pytest.fixture(scope="module")
def with_tokens(directory, authority, tokens):
    if real.missing():
        pytest.skip("no docker-registry or skopeo here")
    registry = real.Registry(directory / "tokens", authority, tokens=tokens)
    registry.push(IMAGE, "team-a/web", "v1")
    registry.push(IMAGE, "team-b/web", "v1", ":".join(BOB))
    registry.push(IMAGE, "open/web", "v1")
    yield registry
    registry.stop()


@pytest.fixture
def token_place(at, tokens, with_tokens):
    return at("tokens.test", with_tokens.address, tokenHosts=[tokens.host])


@pytest.mark.parametrize("config,pinned", [
    ({"passwords.test": auth(*ADA)}, True),
    ({"https://passwords.test/v1/": {"username": ADA[0], "password": ADA[1]}}, True),
    ({"passwords.test/shop": auth(*ADA), "passwords.test": auth("ada", "wrong")}, True),
    ({"passwords.test": auth("ada", "wrong")}, False),
    ({"passwords.test/shop/we": auth(*ADA)}, False),
    ({"passwords.test:443": auth(*ADA)}, False),
    ({"test": auth(*ADA), "words.test": auth(*ADA), "x.passwords.test": auth(*ADA)}, False),
    ({}, False)], ids=["by host", "by URL", "by the longest path", "a wrong one", "of another path", "of another port",
                       "of other hosts", "none"])
def test_a_password_opens_what_its_place_says(start_belay, at, with_passwords, config, pinned):
    belay = start_belay(PIN, [at("passwords.test", with_passwords.address)], docker_config={"auths": config})
    answer = belay.mutate(pod("passwords.test/shop/web:v1"))
    assert answer.images == ["passwords.test/shop/web:v1" + (f"@{IMAGE.digest}" if pinned else "")]
    assert len(answer.warnings) == (0 if pinned else 1)
    silent(belay, answer)


def test_a_token_is_asked_for_with_the_credential_of_the_repository(start_belay, token_place, tokens):
    belay = start_belay(PIN, [token_place], docker_config={"auths": {
        "tokens.test/team-a": auth(*ADA), "tokens.test/team-b": auth(*BOB)}})
    tokens.asked.clear()
    answers = [belay.mutate(pod(f"tokens.test/{name}:v1")) for name in ("team-a/web", "team-b/web", "open/web")]
    assert [answer.images[0].partition("@")[2] for answer in answers] == [IMAGE.digest] * 3
    assert {(one["user"], *one["scopes"]) for one in tokens.asked} == {
        ("ada", "repository:team-a/web:pull"), ("bob", "repository:team-b/web:pull"), ("", "repository:open/web:pull")}
    silent(belay, *answers)


def test_a_token_is_used_until_it_expires(start_belay, token_place, with_tokens, tokens):
    for tag in ("t1", "t2", "t3"):
        with_tokens.push(IMAGE, "open/many", tag)
    belay = start_belay(PIN, [token_place])
    tokens.asked.clear()
    for tag in ("t1", "t2", "t3"):
        assert belay.mutate(pod(f"tokens.test/open/many:{tag}")).patch
    assert len(tokens.asked) == 1


def test_a_refresh_token_is_a_credential(start_belay, token_place, tokens):
    belay = start_belay(PIN, [token_place], docker_config={"auths": {
        "tokens.test": {"identitytoken": tokens.refresh_token("ada")}}})
    tokens.asked.clear()
    answer = belay.mutate(pod("tokens.test/team-a/web:v1"))
    assert answer.images == [f"tokens.test/team-a/web:v1@{IMAGE.digest}"]
    assert [one["method"] for one in tokens.asked if one["user"] == "ada"] == ["POST"]
    assert tokens.refresh_token("ada") not in belay.log()


def test_what_one_team_was_shown_the_other_is_not(start_belay, token_place):
    """3.13: ada's credential is of team-a's place; bob's repository stays shut for it, warmed or not."""
    belay = start_belay(PIN, [token_place], docker_config={"auths": {"tokens.test": auth(*ADA)}})
    assert belay.mutate(pod("tokens.test/team-a/web:v1")).patch
    shut, missing = (belay.mutate(pod(f"tokens.test/{name}:v1")) for name in ("team-b/web", "team-b/missing"))
    assert shut.patch == missing.patch == []
    assert shut.warnings[0].replace("team-b/web", "*") == missing.warnings[0].replace("team-b/missing", "*")
    silent(belay, shut, missing)


def test_a_token_service_elsewhere_is_asked_only_where_it_is_listed(start_belay, at, with_tokens, tokens):
    """3.10: the same host on another port is elsewhere."""
    belay = start_belay(PIN, [at("tokens.test", with_tokens.address)], docker_config={"auths": {"tokens.test": auth(*ADA)}})
    tokens.asked.clear()
    answer = belay.mutate(pod("tokens.test/team-a/web:v1"))
    assert answer.patch == [] and len(answer.warnings) == 1 and tokens.asked == []


def test_look_alike_registries_see_no_credential(start_belay, at, hostile):
    """3.12: exact hosts and ports; nothing by suffix or prefix."""
    names = ["corp.test.evil.test", "evilcorp.test", "corp.test:5000", "sub.corp.test", "corp.tes", "xn--corp.test"]
    registries = {name: hostile("good") for name in names}
    belay = start_belay(PIN, [at(name, one.address) for name, one in registries.items()],
                        docker_config={"auths": {"corp.test": auth(*ADA)}})
    for name, one in registries.items():
        assert belay.mutate(pod(f"{name}/shop/web:v1")).patch, name
        assert one.requests and not [head for _, _, head in one.requests if "authorization" in head], name


@pytest.mark.parametrize("behaviour", ["redirect-307", "realm-elsewhere", "realm-http", "realm-userinfo", "realm-backslash",
                                       "realm-relative"])
def test_a_registry_cannot_send_credentials_elsewhere(start_belay, at, hostile, behaviour):
    """3.10 to 3.12: nothing at all is asked where the registry leads."""
    registry = hostile(behaviour)
    belay = start_belay(PIN, [at("hostile.test", registry.address)], docker_config={"auths": {"hostile.test": auth(*ADA)}})
    answer = belay.mutate(pod("hostile.test/shop/web:v1"))
    assert answer.patch == [] and len(answer.warnings) == 1
    assert hostile.elsewhere.connections == 0
    assert not [path for _, path, _ in registry.requests if "/token" in path]
    silent(belay, answer)
