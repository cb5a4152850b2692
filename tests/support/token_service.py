"""A token service for Debian's docker-registry, by distribution's token specification: HTTPS, users
with passwords and refresh tokens, JSON web tokens that the registry checks against a certificate."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import ssl
import threading
import time
import urllib.parse
import uuid
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from support.certificates import make_certificate

ISSUER, SERVICE = "tests", "registry.tests"


class TokenService:
    """Runs until close(). `asked` holds what it was asked: scope, user ("" for nobody), method.

    \\param users  name -> (password, prefix of the repositories it may use)"""

    def __init__(self, directory: Path, authority: tuple[str, str], users: dict[str, tuple[str, str]],
                 lifetime: int = 300) -> None:
        self.users, self.lifetime = users, lifetime
        self.asked: list[dict] = []
        serving = make_certificate(directory, "token-service", issuer=authority)
        self.certificate, key = make_certificate(directory, "token-signer")
        self._key = serialization.load_pem_private_key(Path(key).read_bytes(), None)
        signer = x509.load_pem_x509_certificate(Path(self.certificate).read_bytes())
        self._key_id = key_id(signer.public_key())

        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                asked = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                service._answer(self, asked, *service._basic(self.headers.get("Authorization", "")))

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                asked = urllib.parse.parse_qs(self.rfile.read(length).decode())
                service._answer(self, asked, *service._granted(asked))

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*serving)
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.realm = f"https://{self.host}/token"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def refresh_token(self, user: str) -> str:
        """What a docker config file keeps as `identitytoken`."""
        return f"refresh-{user}-" + hashlib.sha256(self.users[user][0].encode()).hexdigest()[:16]

    def _basic(self, header: str) -> tuple[str, bool]:
        if not header.startswith("Basic "):
            return "", True
        user, _, password = base64.b64decode(header[6:]).decode().partition(":")
        return user, self.users.get(user, ("", ""))[0] == password != ""

    def _granted(self, asked: dict) -> tuple[str, bool]:
        if asked.get("grant_type") == ["password"]:
            user, given = asked.get("username", [""])[0], asked.get("password", [""])[0]
            return user, self.users.get(user, ("", ""))[0] == given != ""
        for user in self.users:
            if asked.get("refresh_token") == [self.refresh_token(user)]:
                return user, True
        return "?", False

    def _answer(self, handler, asked: dict, user: str, known: bool) -> None:
        scopes = " ".join(asked.get("scope", [])).split()
        self.asked.append({"method": handler.command, "user": user, "known": known, "scopes": scopes})
        if not known:
            body, status = b'{"errors":[]}', 401
        else:
            body, status = json.dumps(self._token(user, scopes)).encode(), 200
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _token(self, user: str, scopes: list[str]) -> dict:
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":", 2)
            may = name.startswith("open/") or (user and name.startswith(self.users[user][1]))
            wanted = [one for one in actions.split(",") if user or one == "pull"]
            if may and wanted:
                access.append({"type": kind, "name": name, "actions": wanted})
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": user, "aud": SERVICE, "exp": now + self.lifetime, "nbf": now - 10,
                  "iat": now, "jti": str(uuid.uuid4()), "access": access}
        token = signed(self._key, {"typ": "JWT", "alg": "ES256", "kid": self._key_id}, claims)
        return {"token": token, "access_token": token, "expires_in": self.lifetime}


def key_id(public_key) -> str:
    """libtrust's name of a key: docker-registry looks keys up by it."""
    text = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    name = base64.b32encode(hashlib.sha256(text).digest()[:30]).decode().rstrip("=")
    return ":".join(name[at:at + 4] for at in range(0, len(name), 4))


def signed(key, head: dict, claims: dict) -> str:
    """A JSON web token, ES256."""
    def part(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    text = part(json.dumps(head).encode()) + b"." + part(json.dumps(claims).encode())
    r, s = utils.decode_dss_signature(key.sign(text, ec.ECDSA(hashes.SHA256())))
    return (text + b"." + part(r.to_bytes(32, "big") + s.to_bytes(32, "big"))).decode()
