"""Every TCP and UDP packet that this network namespace sends, seen through a packet socket (AF_PACKET)."""

from __future__ import annotations

import ipaddress
import socket
import struct
import threading
import time

ALL, IPV4, IPV6 = 0x0003, 0x0800, 0x86DD
TCP, UDP = 6, 17
OUTGOING = 4  # PACKET_OUTGOING: what is received on lo again is not counted twice


class Capture:
    """Runs until the process ends."""

    def __init__(self) -> None:
        self._seen: list[tuple[str, int]] = []
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        threading.Thread(target=self._read, daemon=True).start()

    def take(self) -> list[tuple[str, int]]:
        """Where packets that open something went since the last call: address and port, in their order.
        A datagram of its own closes the list, so nothing that was sent before is missing."""
        marker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        marker.sendto(b"", ("127.0.0.99", 9))
        marker.close()
        deadline = time.monotonic() + 5
        while True:
            with self._lock:
                if ("127.0.0.99", 9) in self._seen:
                    seen, self._seen = self._seen, []
                    return [one for one in seen if one != ("127.0.0.99", 9)]
            assert time.monotonic() < deadline, "the capture has stopped"
            time.sleep(0.001)

    def _read(self) -> None:
        while True:
            packet, (_, protocol, kind, *_) = self._socket.recvfrom(65535)
            opened = kind == OUTGOING and _opens(packet, protocol)
            if opened:
                with self._lock:
                    self._seen.append(opened)


def _opens(packet: bytes, protocol: int) -> tuple[str, int] | None:
    """The destination of a TCP SYN without ACK, or of a UDP datagram that is no name server's answer."""
    if protocol == IPV4 and len(packet) >= 20:
        size, carried, to = (packet[0] & 15) * 4, packet[9], ipaddress.ip_address(packet[16:20])
    elif protocol == IPV6 and len(packet) >= 40:
        size, carried, to = 40, packet[6], ipaddress.ip_address(packet[24:40])
    else:
        return None
    inner = packet[size:]
    if carried not in (TCP, UDP) or len(inner) < (14 if carried == TCP else 4):
        return None
    source, port = struct.unpack(">HH", inner[:4])
    opens = inner[13] & 0x12 == 0x02 if carried == TCP else source != 53
    return (str(to), port) if opens else None
