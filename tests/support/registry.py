"""Debian's docker-registry on loopback with TLS, and skopeo to fill and to read it.

Three forms: open to all, users with passwords (htpasswd), and tokens of a token service.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import shutil
import ssl
import subprocess
import time
import urllib.parse
from pathlib import Path

from support import images
from support.certificates import make_certificate
from support.token_service import ISSUER, SERVICE, TokenService

STARTS_WITHIN_SECONDS = 60


def missing() -> list[str]:
    """The programs that are not to be had here; Debian packages have the same names."""
    return [name for name in ("docker-registry", "skopeo") if not shutil.which(name)]


class Registry:
    """A running registry. `address` is its host and port; it keeps everything in `directory`."""

    def __init__(self, directory: Path, authority: tuple[str, str], users: dict[str, str] | None = None,
                 tokens: TokenService | None = None) -> None:
        """\\param users  name -> password of htpasswd; \\param tokens  the service its challenge names"""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self._authority = directory, authority
        self._creds: str | None = None
        certificate, key = make_certificate(directory, "registry", issuer=authority)
        config = {
            "version": "0.1", "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(directory / "data")}, "delete": {"enabled": True}},
            "http": {"addr": "127.0.0.1:0", "tls": {"certificate": certificate, "key": key}}}
        if users:
            import bcrypt
            (directory / "htpasswd").write_text("".join(
                f"{name}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n"
                for name, password in users.items()))
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(directory / "htpasswd")}}
            self._creds = ":".join(next(iter(users.items())))
        if tokens:
            config["auth"] = {"token": {"realm": tokens.realm, "service": SERVICE, "issuer": ISSUER,
                                        "rootcertbundle": tokens.certificate}}
            name, (password, _) = next(iter(tokens.users.items()))
            self._creds = f"{name}:{password}"
        (directory / "config.yml").write_text(json.dumps(config))
        self._trust = directory / "trust"
        self._trust.mkdir(exist_ok=True)
        shutil.copy(authority[0], self._trust / "ca.crt")
        self._process: subprocess.Popen | None = None
        self.address = ""
        self.start()

    def start(self) -> None:
        log = self._directory / "log"
        with open(log, "wb") as out:
            self._process = subprocess.Popen(["docker-registry", "serve", str(self._directory / "config.yml")],
                                             stdout=out, stderr=out, cwd=self._directory)
        deadline = time.monotonic() + STARTS_WITHIN_SECONDS
        while not (found := re.search(r"listening on (127\.0\.0\.1:\d+)", self.log())):
            assert self._process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.02)
        self.address = found[1]

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        return (self._directory / "log").read_text(errors="replace")

    def requests(self) -> list[str]:
        """What was asked of manifests, blobs and referrers so far: "HEAD /v2/shop/web/manifests/v1"."""
        return re.findall(r'"((?:GET|HEAD|PUT|POST) /v2/[^ ]+) HTTP', self.log())

    # -- skopeo -------------------------------------------------------------------------------------

    def push(self, one: images.Image | images.Index, name: str, tag: str, creds: str | None = None) -> str:
        """`skopeo copy` of the image to `name`:`tag`, as it is. Returns its digest."""
        layout = self._directory / "layouts" / images.digest_of(f"{name}:{tag}".encode())[7:19]
        shutil.rmtree(layout, ignore_errors=True)
        images.write_layout(layout, one, tag)
        self._skopeo("copy", "--all", "--quiet", "--dest-cert-dir", str(self._trust), *self._as("--dest-creds", creds),
                     f"oci:{layout}:{tag}", f"docker://{self.address}/{name}:{tag}")
        return one.digest

    def push_docker(self, image: images.Image, name: str, tag: str, creds: str | None = None) -> None:
        """The same, turned into Docker's media types on the way: only skopeo knows the digest then."""
        layout = self._directory / "layouts" / images.digest_of(f"{name}:{tag}".encode())[7:19]
        images.write_layout(layout, image, tag)
        self._skopeo("copy", "--quiet", "--format", "v2s2", "--dest-cert-dir", str(self._trust),
                     *self._as("--dest-creds", creds), f"oci:{layout}:{tag}", f"docker://{self.address}/{name}:{tag}")

    def digest(self, name: str, tag: str, creds: str | None = None) -> str:
        """What `skopeo inspect` says the tag points to: the digest of the manifest's bytes."""
        raw = self._skopeo("inspect", "--raw", "--cert-dir", str(self._trust), *self._as("--creds", creds),
                           f"docker://{self.address}/{name}:{tag}")
        return images.digest_of(raw)

    def inspect(self, name: str, tag: str, creds: str | None = None) -> dict:
        return json.loads(self._skopeo("inspect", "--cert-dir", str(self._trust), *self._as("--creds", creds),
                                       f"docker://{self.address}/{name}:{tag}"))

    def _as(self, flag: str, creds: str | None) -> list[str]:
        creds = creds or self._creds
        return [flag, creds] if creds else []

    @staticmethod
    def _skopeo(*words: str) -> bytes:
        done = subprocess.run(["skopeo", "--insecure-policy", *words], capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    # -- what skopeo does not push ---------------------------------------------------------------------

    def put(self, one, name: str, tag: str) -> None:
        """Attached artifacts and the index of the tag schema. For a registry without tokens."""
        for child in one.children:
            self.put(child, name, child.digest)
        for data in one.blobs:
            digest = images.digest_of(data)
            place = self._ask("POST", f"/v2/{name}/blobs/uploads/", 202).getheader("Location")
            path = urllib.parse.urlsplit(place)
            self._ask("PUT", f"{path.path}?{path.query}&digest={digest}", 201, data, "application/octet-stream")
        self.put_manifest(one, name, tag)

    def put_manifest(self, one, name: str, tag: str) -> None:
        """One more tag for what is there already."""
        self._ask("PUT", f"/v2/{name}/manifests/{tag}", 201, one.manifest, one.media_type)

    def _ask(self, method: str, path: str, expected: int, body: bytes = b"", content_type: str = ""):
        host, port = self.address.split(":")
        connection = http.client.HTTPSConnection(host, int(port), timeout=10, context=ssl.create_default_context(
            cafile=self._authority[0]))
        head = {"Content-Type": content_type} if content_type else {}
        if self._creds:
            head["Authorization"] = "Basic " + base64.b64encode(self._creds.encode()).decode()
        try:
            connection.request(method, path, body, head)
            answer = connection.getresponse()
            said = answer.read()
            assert answer.status == expected, f"{method} {path}: {answer.status} {said[:300]!r}"
            return answer
        finally:
            connection.close()
