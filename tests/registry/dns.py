"""A name server with two faces: each question of a name gets the next of its answers."""

from __future__ import annotations

import ipaddress
import socket
import struct
import threading

A, AAAA = 1, 28


class NameServer:
    """Answers on udp `address`:53 from `names`: name -> list of answers, each a list of addresses, given in
    turn; the last one stays. Other names do not exist. `asked` holds every name that was asked for."""

    def __init__(self, address: str, names: dict[str, list[list[str]]]) -> None:
        self.asked: list[str] = []
        self._names, self._turn = names, {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            question, client = self._socket.recvfrom(4096)
            self._socket.sendto(self._answer(question), client)

    def _answer(self, question: bytes) -> bytes:
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode("latin-1"))
            at += 1 + question[at]
        name, (kind,) = ".".join(labels).lower(), struct.unpack(">H", question[at + 1:at + 3])
        self.asked.append(name)
        asked = question[12:at + 5]
        if name not in self._names:
            return question[:2] + struct.pack(">HHHHH", 0x8183, 1, 0, 0, 0) + asked
        answers = self._names[name]
        turn = self._turn.get((name, kind), 0)
        self._turn[(name, kind)] = turn + 1
        found = [ipaddress.ip_address(text) for text in answers[min(turn, len(answers) - 1)]]
        found = [one.packed for one in found if one.version == (4 if kind == A else 6) and kind in (A, AAAA)]
        records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(one)) + one for one in found)
        return question[:2] + struct.pack(">HHHHH", 0x8180, 1, len(found), 0, 0) + asked + records
