"""Answers that come later: requests that wait inside the server for something else."""
import signal
import socket
import struct
import time

from harness import ask, connect, post, read_all, read_answer, scaled, start_loads
from support.waiting import until

UNTIL_RELEASED = 60_000  # milliseconds, which requests may take with PATIENT
PATIENT = ("--request", 60_000)


def later(milliseconds, body=b"{}", deadline=None, fields=""):
    query = f"later={milliseconds}" + (f"&deadline={deadline}" if deadline else "")
    return post(body, f"/validate?{query}", fields)


def half_close(sock):
    """Ends TCP's way to the server without the TLS layer, which Python would drop with it."""
    socket.socket.shutdown(sock, socket.SHUT_WR)


def waiting(server):
    """How many requests wait."""
    return int(ask(server.port, post(path="/validate?waiting"))[2])


def release(server):
    assert ask(server.port, post(path="/validate?release"))[0] == 200


def test_a_request_that_waits_is_answered_and_its_connection_goes_on(echo):
    server = echo()
    with connect(server.port) as sock:
        for _ in range(3):
            begin = time.monotonic()
            sock.sendall(later(100, b"x" * 5000))
            status, head, body = read_answer(sock)
            assert status == 200 and body == b"5000 later=100 ready"
            assert "connection: close" not in head.lower()
            assert time.monotonic() - begin >= 0.1
            sock.sendall(post(b"abc", "/validate?"))
            assert read_answer(sock)[2] == b"3 "


def test_500_requests_wait_at_once_and_cost_no_time_of_others(echo):
    server = echo("--threads", 1, *PATIENT)
    count = scaled(500)
    socks = [connect(server.port) for _ in range(count)]
    for sock in socks:
        sock.sendall(later(UNTIL_RELEASED, b"x" * 4096))
    until(lambda: waiting(server) == count)
    cpu = server.cpu_seconds()
    assert ask(server.port, post(b"quick", "/validate?"))[2] == b"5 "
    assert waiting(server) == count, "others were served once nobody waited"
    release(server)
    for sock in socks:
        assert read_answer(sock)[2] == b"4096 later=%d ready" % UNTIL_RELEASED
        sock.close()
    assert server.cpu_seconds() - cpu < 5


def test_what_is_pipelined_behind_a_request_that_waits_comes_after_it(echo):
    server = echo()
    with connect(server.port) as sock:
        sock.sendall(post(b"a", "/validate?first") + later(200, b"bb") + post(b"ccc", "/mutate?x") +
                     later(100, b"z" * 200000) + post(b"", fields="Connection: close\r\n"))
        bodies = [part.split(b"\r\n\r\n")[1]
                  for part in read_all(sock).split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert bodies == [b"1 first", b"2 later=200 ready", b"3 x", b"200000 later=100 ready",
                      b"0 timeout=5s"]


def test_a_deadline_that_passes_answers_without_what_is_missing(echo):
    server = echo()
    with connect(server.port) as sock:
        begin = time.monotonic()
        sock.sendall(later(60000, deadline=200))
        assert read_answer(sock)[2] == b"2 later=60000&deadline=200 too late"
        assert 0.2 <= time.monotonic() - begin < 5
        sock.sendall(post(b"", "/validate?next"))
        assert read_answer(sock)[2] == b"0 next"


def test_the_deadline_of_requests_holds_for_those_that_wait(echo):
    server = echo("--request", 400)
    begin = time.monotonic()
    assert ask(server.port, later(60000))[2].endswith(b"too late")
    assert 0.4 <= time.monotonic() - begin < 5


def test_a_client_that_goes_away_while_its_request_waits_harms_nobody(echo):
    server = echo()
    before = server.rss()
    for turn in range(scaled(300)):
        sock = connect(server.port)
        sock.sendall(later(400, b"x" * 50000))
        if turn % 3 == 0:  # a reset
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif turn % 3 == 1:  # half closed: it may still listen
            half_close(sock)
        sock.close()
    assert ask(server.port, later(600))[2].endswith(b"ready")
    assert server.alive()
    assert server.rss() - before < 40 << 20


def test_who_closes_its_side_after_a_request_still_gets_the_answer(echo):
    server = echo()
    with connect(server.port) as sock:
        sock.sendall(later(200))
        half_close(sock)
        assert read_answer(sock)[2] == b"2 later=200 ready"


def test_sigterm_waits_for_requests_that_wait(echo):
    server = echo()
    socks = [connect(server.port) for _ in range(20)]
    for sock in socks:
        sock.sendall(later(3000))
    until(lambda: waiting(server) == 20)
    server.signal(signal.SIGTERM)
    for sock in socks:
        status, head, body = read_answer(sock)
        assert status == 200 and body == b"2 later=3000 ready"
        assert "connection: close" in head.lower()
        sock.close()
    assert server.process.wait(10) == 0


def test_requests_that_wait_count_as_bytes_in_flight_and_give_them_back(echo):
    server = echo("--bytes", 1 << 20, *PATIENT)
    holder = connect(server.port)
    holder.sendall(later(UNTIL_RELEASED, b"x" * 900_000))
    until(lambda: waiting(server) == 1)
    assert ask(server.port, later(0, b"y" * 50_000))[0] == 200
    assert ask(server.port, later(0, b"y" * 300_000))[0] == 503
    release(server)
    assert read_answer(holder)[2].endswith(b"ready")
    holder.close()
    until(lambda: ask(server.port, later(0, b"y" * 300_000))[0] == 200)


def test_waiting_requests_among_ordinary_load_lose_nothing(echo):
    server = echo("--threads", 2)
    loads = start_loads(4, port=server.port, request=post(b"x" * 4096, "/validate?"), rate=50)
    loads += start_loads(4, port=server.port, request=later(20, b"x" * 4096), rate=20,
                         check=lambda status, body: status == 200 and body.endswith(b"ready"))
    time.sleep(3)
    for load in loads:
        load.finish()
        assert load.failures == [] and len(load.seconds) > 10
