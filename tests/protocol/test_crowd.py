"""Hostile sockets beside honest requests; restarts under load; a drain that fails nobody."""
import contextlib
import random
import signal
import socket
import threading
import time

from harness import (SANITIZED, ask, connect, listening_ports, p99, plain_get, post, read_answer,
                     scaled, start_loads)
from support.waiting import until

HONEST_RATE = 200
SECONDS = 15


class Crowd(threading.Thread):
    """Keeps sockets open that hold a place without using it, and opens new ones for those that the
    server ends."""

    def __init__(self, port, dripping, idle, half):
        super().__init__()
        self.port = port
        self.kinds = [self.half] * half + [self.idle] * idle + [self.drip] * dripping
        random.Random(1).shuffle(self.kinds)
        self.drips, self.others = [], []
        self.ready, self.stopping = threading.Event(), threading.Event()

    def half(self):
        sock = socket.create_connection(("127.0.0.1", self.port), 10)
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        self.others.append(sock)

    def idle(self):
        self.others.append(connect(self.port))

    def drip(self):
        sock = connect(self.port)
        sock.sendall(b"POST /validate HTTP/1.1\r\nHost: a\r\nX: ")
        self.drips.append(sock)

    def attempt(self, action, *args):
        try:
            action(*args)
            return True
        except OSError:
            return False

    def run(self):
        for kind in self.kinds:
            if self.stopping.is_set():
                break
            self.attempt(kind)
        self.ready.set()
        while not self.stopping.wait(0.1):
            for _ in range(len(self.drips) // 10):
                sock = self.drips.pop(0)
                if self.attempt(sock.sendall, b"x"):
                    self.drips.append(sock)
                else:
                    self.attempt(self.drip)
        for sock in self.drips + self.others:
            sock.close()


def crowd_beside_honest_requests(server, request):
    crowd = Crowd(server.port, scaled(1000), scaled(1000), scaled(500))
    loads = start_loads(10, port=server.port, request=request, rate=HONEST_RATE / 10)
    crowd.start()
    assert crowd.ready.wait(120)
    for load in loads:  # the bar is for the time in which the crowd is there
        load.seconds.clear()
    time.sleep(max(5, SECONDS * (0.5 if SANITIZED else 1)))
    # Who comes new is served too.
    for _ in range(10):
        assert ask(server.port, request)[0] == 200
    for load in loads:
        load.finish()
    crowd.stopping.set()
    crowd.join()
    seconds = [second for load in loads for second in load.seconds]
    assert [load.failures for load in loads if load.failures] == []
    assert len(seconds) > 0.5 * HONEST_RATE * 5
    if not SANITIZED:
        assert p99(seconds) < 0.1, f"p99 {p99(seconds) * 1000:.1f} ms"
    print(f"p99 {p99(seconds) * 1000:.1f} ms of {len(seconds)} requests beside the crowd")


def test_2500_hostile_sockets_beside_200_requests_a_second_fail_nobody(echo):
    crowd_beside_honest_requests(echo(), post(b"x" * 4096))


def test_the_program_serves_beside_2500_hostile_sockets(belay, allowed_review):
    crowd_beside_honest_requests(belay(), post(allowed_review))


def test_1000_sockets_that_are_silent_or_drip_keep_no_probe_and_no_scrape_waiting(belay):
    server = belay()
    head = b"GET /livez HTTP/1.1\r\nHost: a\r\nX: "
    crowd = []
    before = server.rss()
    for turn in range(scaled(1000)):
        sock = socket.create_connection(("127.0.0.1", server.admin), 10)
        if turn % 2:
            sock.sendall(head + b"x" * (turn * 7 % 8000))
        crowd.append(sock)
    for path in ("/livez", "/readyz", "/metrics") * 5:
        for sock in crowd:
            with contextlib.suppress(OSError):  # the oldest made room
                sock.send(b"x")
        begin = time.monotonic()
        assert b" 200 " in plain_get(server.admin, path)[:20]
        assert time.monotonic() - begin < (10 if SANITIZED else 1)
    assert server.rss() - before < 20 << 20
    for sock in crowd:
        sock.close()


def test_sigterm_under_load_finishes_what_began(echo):
    """Clients that stop opening connections (their endpoint is gone) lose no request."""
    server = echo("--threads", 1)
    open_for_business = threading.Event()
    open_for_business.set()
    loads = start_loads(8, port=server.port, request=post(b"x" * 4096), rate=50,
                        new_connections=open_for_business.is_set)
    time.sleep(1)
    slow = connect(server.port)
    request = post(b"y" * 1000)
    slow.sendall(request[:-10])
    assert ask(server.port, post())[0] == 200  # what came before it has been read
    for load in loads:  # between two requests, as an API server's connections are
        load.finish()
        assert load.failures == []
    server.signal(signal.SIGTERM)
    until(lambda: not listening_ports(server.process.pid))
    slow.sendall(request[-10:])
    status, head, _ = read_answer(slow)
    assert status == 200 and "connection: close" in head.lower()
    slow.close()
    begin = time.monotonic()
    assert server.process.wait(25) == 0
    assert time.monotonic() - begin < 25


def test_sigterm_drains_the_program_without_a_failed_request(belay, allowed_review):
    """While it drains, answers end their connections; once readiness fails long enough for the
    endpoint to be gone, clients open no more."""
    server = belay()
    gone = []

    def endpoint_is_there():
        return not gone or time.monotonic() - gone[0] < 2

    loads = start_loads(8, port=server.port, request=post(allowed_review), rate=25,
                        new_connections=endpoint_is_there)
    time.sleep(1)
    begin = time.monotonic()
    server.signal(signal.SIGTERM)
    while not gone and time.monotonic() - begin < 5:
        if b" 503 " in plain_get(server.admin, "/readyz")[:20]:
            gone.append(time.monotonic())
        time.sleep(0.05)
    assert gone, "readiness does not fail after SIGTERM"
    assert server.process.wait(25) == 0, server.log()
    for load in loads:
        load.finish()
        assert load.failures == [] and load.seconds


def test_connections_that_end_at_once_leave_nothing_behind(echo):
    server = echo()
    ask(server.port, post())
    before = server.rss()
    for turn in range(scaled(1000)):
        sock = socket.create_connection(("127.0.0.1", server.port), 10)
        if turn % 2:
            sock.sendall(b"\x16\x03\x01")
        if turn % 3 == 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        sock.close()
    assert ask(server.port, post())[0] == 200
    assert server.rss() - before < 20 << 20
