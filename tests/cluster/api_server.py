"""A running API server as tests use it, whichever way it was started: by control_plane.py or node.py.

Not thread-safe but for kubectl(), request() and connection().
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

READY_WITHIN_SECONDS = 120


class ApiError(Exception):
    """An answer of the API server other than 2xx; `status` is its Status object."""

    def __init__(self, code: int, status: dict):
        super().__init__(status.get("message", str(code)))
        self.code, self.status = code, status


class ApiServer:
    """What starts one sets these."""

    programs: Path  # directory of kubectl and the rest
    directory: Path | None = None  # of everything it writes
    host: str = "127.0.0.1"
    port: int
    authority: Path  # certificates that the API server's is checked against
    administrator_token: str

    @property
    def server(self) -> str:
        return f"https://{self.host}:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        """Of an administrator (group system:masters)."""
        return self.directory / "admin.kubeconfig"

    def kubectl(self, *words: str, input: str | None = None, timeout: float = 60,
                environment: dict | None = None) -> subprocess.CompletedProcess:
        """Runs the real kubectl; the caller looks at returncode, stdout and stderr."""
        return subprocess.run([str(self.programs / "kubectl"), *words], env=self.environment() | (environment or {}),
                              input=input, text=True, capture_output=True, timeout=timeout)

    def environment(self) -> dict:
        """Environment of programs that talk to this cluster."""
        path = f"{self.programs}:{os.environ.get('PATH', '')}"
        return {**os.environ, "PATH": path, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.directory)}

    def request(self, method: str, path: str, body: dict | None = None,
                content_type: str = "application/json", timeout: float = 30) -> dict:
        """One request as the administrator, without kubectl's start-up time."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server + path, data, {
            "Authorization": "Bearer " + self.administrator_token, "Content-Type": content_type}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout, context=self._tls()) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            text = error.read()
            try:
                status = json.loads(text)
            except ValueError:
                status = {"message": text.decode(errors="replace")}
            raise ApiError(error.code, status) from None
        return json.loads(text) if text[:1] == b"{" else {"text": text.decode()}

    def connection(self) -> AuthorizedConnection:
        """A connection of the administrator that stays open, for many requests of one thread."""
        return AuthorizedConnection(self.host, self.port, self._tls(), self.administrator_token)

    def audit_events(self) -> list[dict]:
        """What the API server wrote into its audit log so far."""
        return [json.loads(line) for line in (self.directory / "audit.log").read_text().splitlines()]

    def log(self, program: str) -> str:
        """What a program wrote so far."""
        return (self.directory / f"{program}.log").read_text(errors="replace")

    def write_kubeconfig(self, name: str, user: dict) -> None:
        """<name>.kubeconfig, readable by us alone. `user` is written as in a kubeconfig."""
        path = self.directory / f"{name}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": {
                "server": self.server, "certificate-authority": str(self.authority)}}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": name}}]}))

    # -- for what starts one --------------------------------------------------------------------------

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority))

    def _ready(self) -> None:
        if not self.authority.exists():
            raise OSError("no certificate yet")
        self.request("GET", "/readyz", timeout=5)

    def _until(self, what: str, attempt, processes: list[tuple[str, subprocess.Popen]]) -> None:
        """Returns when `attempt` raises nothing any more. Raises when one of `processes` ends, or in time."""
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while True:
            try:
                attempt()
                return
            except (OSError, ssl.SSLError, ApiError, ValueError) as error:
                for program, process in processes:
                    if process.poll() is not None:
                        raise RuntimeError(f"{program} ended with {process.returncode}:\n{self._tail(program)}")
                if time.monotonic() > deadline:
                    programs = "\n".join(f"{name}:\n{self._tail(name)}" for name, _ in processes)
                    raise TimeoutError(f"timed out waiting until {what} ({error})\n{programs}") from None
                time.sleep(0.1)

    def _tail(self, program: str) -> str:
        return "\n".join(self.log(program).splitlines()[-15:])


class AuthorizedConnection(http.client.HTTPSConnection):
    """Sends JSON with a bearer token."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext, token: str) -> None:
        super().__init__(host, port, timeout=60, context=tls)
        self._headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}

    def request(self, method: str, path: str, body: str | None = None) -> None:
        super().request(method, path, body, self._headers)
