"""A running `belay serve`, and what it says of itself."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from cluster import webhook
from cluster.control_plane import die_with_parent, free_ports

READY_WITHIN_SECONDS = 60


class Belay:
    """One replica. Its certificate authority stands in `certificates`, which replicas share. Without
    `policies` it has those that `flags` name."""

    def __init__(self, program: Path, address: str, policies: Path | None, certificates: Path, log: Path,
                 flags: list[str] = ()) -> None:
        self.log_path = log
        self.address = address
        self.port, self.admin_port = free_ports(2)
        self._command = [
            str(program), "serve", "--listen", f"{address}:{self.port}",
            "--admin-listen", f"127.0.0.1:{self.admin_port}", "--self-signed", str(certificates),
            "--tls-name", webhook.SERVER_NAME, *(["--policy", str(policies)] if policies else []), *flags]
        self._process: subprocess.Popen | None = None

    def launch(self) -> None:
        """Starts (again, on the same ports) and waits for nothing."""
        with open(self.log_path, "a") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                             preexec_fn=die_with_parent)

    def start(self) -> Belay:
        """The same, and waits until it is ready."""
        self.launch()
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not self.ready():
            if self._process.poll() is not None:
                raise RuntimeError(f"belay ended with {self._process.returncode}:\n{self.log()}")
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"belay is not ready:\n{self.log()}")
            time.sleep(0.02)
        return self

    def terminate(self) -> None:
        """SIGTERM, as Kubernetes ends a pod. wait() follows."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 30) -> int:
        return self._process.wait(seconds)

    def stop(self) -> None:
        """Gone at once."""
        self.kill()

    def kill(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
        if self._process:
            self._process.wait()

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ready(self) -> bool:
        try:
            return self._get("/readyz")[0] == 200
        except OSError:
            return False

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def log_lines(self) -> list[dict]:
        """Log lines that are JSON objects."""
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the samples of `name` that carry all of `labels`."""
        total = 0.0
        for line in self._get("/metrics")[1].splitlines():
            match = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
            if match:
                has = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[1] or ""))
                if labels.items() <= has.items():
                    total += float(match[2])
        return total

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
