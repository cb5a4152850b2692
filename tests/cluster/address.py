"""An address of this host that the API server accepts as the endpoint of a webhook's Service.

EndpointSlices refuse loopback addresses (127.0.0.0/8). Where we may, one of 10.222.1.0/24 is added to
`lo`: reachable from this host alone. Where we may not (no CAP_NET_ADMIN), the host's own address serves.

An abstract Unix socket goes with each address: it belongs to the same network namespace and ends with
its process. So two runs never share one, and what a killed run left behind is taken over, and removed,
by the next.
"""

from __future__ import annotations

import os
import socket
import subprocess


class HostAddress:
    """`text` is the address; `close()` gives it back."""

    def __init__(self) -> None:
        self._lock = None
        self.text = self._reserve() or self._primary()
        if self.text is None:
            raise OSError("this host has no address but loopback, and none may be added")

    def close(self) -> None:
        if self._lock:
            _ip("addr", "del", f"{self.text}/32", "dev", "lo")
            self._lock.close()
            self._lock = None

    def _reserve(self) -> str | None:
        last, lock = reserve("belay-cluster-10.222.1.", range(1, 255))
        address = f"10.222.1.{last}"
        # Where it is there already, a run that was killed left it behind, and it is ours now.
        if not _ip("addr", "add", f"{address}/32", "dev", "lo") and not is_ours(address):
            lock.close()
            return None
        self._lock = lock
        return address

    @staticmethod
    def _primary() -> str | None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))  # sends nothing: asks the routing table only
            except OSError:
                return None
            text = probe.getsockname()[0]
            return None if text.startswith("127.") else text


def reserve(what: str, numbers: range) -> tuple[int, socket.socket]:
    """A number that no other living run has. It is given back by closing the socket."""
    for number in numbers:
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0{what}{number}")
            return number, lock
        except OSError:  # a run that lives
            lock.close()
    raise OSError(f"all of {what} are in use")


def is_ours(address: str) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
            return True
        except OSError:
            return False


def _ip(*words: str) -> bool:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    try:
        return subprocess.run(["ip", *words], env={"PATH": path}, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
