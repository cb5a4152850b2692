"""A registry that does what a real one won't: fails, lies, leads elsewhere, never ends.

Each has one behaviour, named in BEHAVIOURS, and speaks HTTP over TLS on a loopback port. Whatever it
says holds CANARY, which must stand in no answer, log or metric of belay's.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from pathlib import Path

from support import images
from support.certificates import LOCAL_NAMES, make_certificate

CANARY = "canary-5e1f0c"
GOOD = images.Image("imposter")
OTHER_DIGEST = "sha256:" + "d" * 64
LONGEST_SECONDS = 30  # that a connection of a registry that never ends is held


class Exchange:
    """One request on one connection, and ways to answer it."""

    def __init__(self, registry: HostileRegistry, sock, method: str, path: str, head: dict[str, str]) -> None:
        self.registry, self.sock = registry, sock
        self.method, self.path, self.head = method, path, head

    def send(self, status: str, fields: dict[str, str], body: bytes = b"") -> None:
        lines = [f"HTTP/1.1 {status}", f"X-Canary: {CANARY}", *(f"{key}: {value}" for key, value in fields.items())]
        if "Transfer-Encoding" not in fields:
            lines.append(f"Content-Length: {len(body)}")
        text = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        self.sock.sendall(text + (b"" if self.method == "HEAD" else body))

    def fail(self, status: str, **fields: str) -> None:
        body = json.dumps({"errors": [{"code": CANARY.upper(), "message": CANARY}]}).encode()
        self.send(status, {"Content-Type": "application/json", **{
            key.replace("_", "-"): value for key, value in fields.items()}}, body)

    def manifest(self, digest: str | None, body: bytes = GOOD.manifest) -> None:
        self.send("200 OK", {"Content-Type": GOOD.media_type,
                             **({"Docker-Content-Digest": digest} if digest is not None else {})}, body)

    def hold(self) -> None:
        """Says nothing until the registry is closed."""
        self.registry.closing.wait(LONGEST_SECONDS)

    def drip(self, piece: bytes, seconds: float = 0.1) -> None:
        while not self.registry.closing.wait(seconds):
            self.sock.sendall(piece)


def _endless_body(ask: Exchange) -> None:
    if ask.method == "HEAD":
        return ask.manifest(None)
    ask.send("200 OK", {"Content-Type": GOOD.media_type, "Transfer-Encoding": "chunked"})
    piece = f"{65536:x}\r\n".encode() + (CANARY.encode() * 6000)[:65536] + b"\r\n"
    while not ask.registry.closing.is_set():
        ask.sock.sendall(piece)
    return None


def _endless_head(ask: Exchange) -> None:
    ask.sock.sendall(b"HTTP/1.1 200 OK\r\n")
    while not ask.registry.closing.is_set():
        ask.sock.sendall(b"X-More: " + CANARY.encode() * 100 + b"\r\n")


def _slow_head(ask: Exchange) -> None:
    ask.sock.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    ask.drip(b"a")


def _slow_body(ask: Exchange) -> None:
    if ask.method == "HEAD":
        return ask.manifest(None)
    ask.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\nContent-Type: " + GOOD.media_type.encode() + b"\r\n\r\n")
    return ask.drip(b" ")


def _realm(text: str):
    """A challenge that names a token service; {elsewhere} is a host and port that must not be asked."""
    def answer(ask: Exchange) -> None:
        realm = text.format(elsewhere=ask.registry.elsewhere, own=ask.registry.address)
        ask.fail("401 Unauthorized", WWW_Authenticate=f'Bearer realm="{realm}",service="{CANARY}",scope="{CANARY}"')
    return answer


def _redirect(status: str):
    return lambda ask: ask.fail(status, Location=f"https://{ask.registry.elsewhere}{ask.path}")


def _digest(text: str):
    return lambda ask: ask.manifest(text)


# What each does with a question about a manifest.
BEHAVIOURS = {
    "good": _digest(GOOD.digest),
    "hang": Exchange.hold,
    "slow-head": _slow_head,
    "slow-body": _slow_body,
    "429": lambda ask: ask.fail("429 Too Many Requests", Retry_After="30"),
    "429-forever": lambda ask: ask.fail("429 Too Many Requests", Retry_After="99999999999999999999"),
    "500": lambda ask: ask.fail("500 Internal Server Error"),
    "503": lambda ask: ask.fail("503 Service Unavailable", Retry_After="1"),
    "reset": lambda ask: ask.registry.reset(ask.sock),
    "close": lambda ask: None,
    "garbage": lambda ask: ask.sock.sendall(b"\x00\xff" + CANARY.encode() + b"\r\n\r\n"),
    "no-such-tag": lambda ask: ask.fail("404 Not Found"),
    "forbidden": lambda ask: ask.fail("403 Forbidden"),
    "basic-forever": lambda ask: ask.fail("401 Unauthorized", WWW_Authenticate=f'Basic realm="{CANARY}"'),
    "no-digest": lambda ask: ask.manifest(None),
    "wrong-digest": lambda ask: ask.manifest(None if ask.method == "HEAD" else OTHER_DIGEST),
    "digest-breaks-patch": _digest(GOOD.digest + '"},{"op":"remove","path":"/spec"},{"x":"' + CANARY),
    "digest-too-short": _digest(GOOD.digest[:-1]),
    "digest-upper": _digest(GOOD.digest[:7] + GOOD.digest[7:].upper().replace("0", "A")),
    "digest-unknown": _digest("md5:" + "a" * 32),
    "digest-empty": _digest(""),
    "digest-nul": _digest(GOOD.digest[:-2] + "\x00a"),
    "endless-body": _endless_body,
    "endless-head": _endless_head,
    "redirect-301": _redirect("301 Moved Permanently"),
    "redirect-302": _redirect("302 Found"),
    "redirect-307": _redirect("307 Temporary Redirect"),
    "realm-elsewhere": _realm("https://{elsewhere}/token"),
    "realm-http": _realm("http://{own}/token"),
    "realm-userinfo": _realm("https://{own}@{elsewhere}/token"),
    "realm-backslash": _realm(r"https://{elsewhere}\\@{own}/token"),
    "realm-metadata": _realm("https://169.254.169.254/latest/meta-data/"),
    "realm-file": _realm("file:///etc/passwd"),
    "realm-relative": _realm("//{elsewhere}/token"),
    "realm-nothing": _realm(""),
}


class HostileRegistry:
    """Runs until close(). `requests` holds (method, path, fields) of everything that was asked."""

    def __init__(self, directory: Path, authority: tuple[str, str], behaviour: str, elsewhere: str = "127.0.0.1:9",
                 address: str = "127.0.0.1", port: int = 0, names: tuple[str, ...] = LOCAL_NAMES) -> None:
        """\\param elsewhere  where realms and redirects lead; \\param names  of its certificate"""
        self.behaviour, self.elsewhere = BEHAVIOURS[behaviour], elsewhere
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.connections = 0
        self.closing = threading.Event()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*serving_pair(directory, authority, names))
        self._listener = socket.create_server((address, port), backlog=128)
        self.address = f"{address}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        # A listener that is closed goes on listening while a thread waits on it.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @staticmethod
    def reset(sock) -> None:
        """Ends the connection with RST: what a plain close() becomes with no time to linger."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.socket(fileno=sock.detach()).close()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, plain) -> None:
        try:
            plain.settimeout(LONGEST_SECONDS)
            with self._tls.wrap_socket(plain, server_side=True) as sock:
                while not self.closing.is_set() and self._exchange(sock):
                    pass
        except (OSError, ValueError):
            pass  # belay went away, or this registry reset it

    def _exchange(self, sock) -> bool:
        """Reads one request and answers it. Whether the connection goes on."""
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = sock.recv(65536)
            if not chunk:
                return False
            data += chunk
        first, *lines = data.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        head = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        self.requests.append((method, path, head))
        ask = Exchange(self, sock, method, path, head)
        if "/manifests/" not in path and self.behaviour is BEHAVIOURS["good"]:
            ask.fail("404 Not Found")
            return True
        self.behaviour(ask)
        return self.behaviour is not BEHAVIOURS["close"] and self.behaviour is not BEHAVIOURS["garbage"]


class Catcher:
    """A place where nobody has any business: counts who comes."""

    def __init__(self) -> None:
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                self._listener.accept()[0].close()
            except OSError:
                return
            self.connections += 1

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def closed_port() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return f"127.0.0.1:{sock.getsockname()[1]}"


_made: dict[tuple, tuple[str, str]] = {}


def serving_pair(directory: Path, authority: tuple[str, str], names: tuple[str, ...]) -> tuple[str, str]:
    """One certificate for all of them: to make one takes longer than what they do with it."""
    key = (str(directory), authority, names)
    if key not in _made:
        _made[key] = make_certificate(directory, "hostile", names, issuer=authority)
    return _made[key]
