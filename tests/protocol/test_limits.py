"""Every limit of the server: taken at the limit, rejected above it, by status and by words."""
import json
import select
import socket
import ssl
import time

import pytest

from harness import ask, connect, post, read_all, read_answer, rests, scaled
from support.waiting import until

MIB = 1 << 20


def rejected(answer, status, code):
    got, head, body = answer
    assert got == status, (got, body)
    assert "connection: close" in head.lower()
    error = json.loads(body)["error"]
    assert error["code"] == code and error["message"]
    return error["message"]


def test_a_body_of_8_mib_is_taken_and_one_byte_more_is_rejected(echo):
    server = echo()
    assert ask(server.port, post(b"x" * (8 * MIB)))[2].startswith(b"8388608 ")
    head = post(b"")[:-2].replace(b"Content-Length: 0", b"Content-Length: 8388609") + b"\r\n"
    assert "8388608 bytes" in rejected(ask(server.port, head), 413, "body-too-large")


def test_the_rejection_of_a_body_arrives_although_the_body_is_still_being_sent(echo):
    server = echo()
    with connect(server.port) as sock:
        sock.sendall(b"POST /validate HTTP/1.1\r\nHost: a\r\nContent-Length: 12582912\r\n\r\n")
        try:
            for _ in range(12):
                sock.sendall(b"x" * MIB)
        except OSError:
            pass  # the server is free to stop listening
        rejected(read_answer(sock), 413, "body-too-large")


def test_a_head_of_16_kib_is_taken_and_one_byte_more_is_rejected(echo):
    server = echo()

    def head(size):
        start = "POST /validate HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nX: "
        return (start + "x" * (size - len(start) - 4) + "\r\n\r\n").encode()

    assert ask(server.port, head(16384))[0] == 200
    assert "16384" in rejected(ask(server.port, head(16385)), 431, "headers-too-large")


def test_64_fields_are_taken_and_65_are_rejected(echo):
    server = echo()
    assert ask(server.port, post(fields="A: b\r\n" * 61))[0] == 200
    assert "64" in rejected(ask(server.port, post(fields="A: b\r\n" * 62)), 431, "headers-too-large")


@pytest.mark.parametrize("request_bytes, status, code", [
    (b"GET /validate HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method"),
    (post(path="/"), 404, "unknown-path"),
    (post(path="/validate/../mutate"), 404, "unknown-path"),
    (b"POST /validate HTTP/1.1\r\nHost: a\r\n\r\n", 411, "length-required"),
    (post(fields="Content-Length: 2\r\n"), 400, "malformed"),
    (post(fields="Transfer-Encoding: chunked\r\n"), 501, "transfer-encoding"),
    (post(fields="Content-Encoding: gzip\r\n"), 415, "media-type"),
    (post(fields="Upgrade: h2c\r\nConnection: Upgrade\r\n"), 400, "malformed"),
    (post().replace(b"HTTP/1.1", b"HTTP/1.0"), 400, "malformed"),
    (post().replace(b"Host: localhost\r\n", b""), 400, "malformed"),
    (post(fields="A: b\r\n folded\r\n"), 400, "malformed"),
    (post().replace(b"\r\n", b"\n"), 400, "malformed"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed"),
])
def test_what_is_not_served_is_rejected_with_its_status(echo, request_bytes, status, code):
    rejected(ask(echo().port, request_bytes), status, code)


def test_pipelined_requests_are_answered_in_order(echo):
    server = echo()
    with connect(server.port) as sock:
        sock.sendall(b"".join(post(b"x" * size, f"/mutate?{size}") for size in range(500)))
        sock.sendall(post(b"", fields="Connection: close\r\n"))
        bodies = [part.split(b"\r\n\r\n")[1].decode()
                  for part in read_all(sock).split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert bodies[:500] == [f"{size} {size}" for size in range(500)]
    assert len(bodies) == 501


def test_a_smuggled_second_request_is_never_answered(echo):
    server = echo()
    with connect(server.port) as sock:
        sock.sendall(post(b"0\r\n\r\n", fields="Transfer-Encoding: chunked\r\n") + post(b"second"))
        answers = read_all(sock)
    assert answers.count(b"HTTP/1.1 ") == 1 and answers.startswith(b"HTTP/1.1 501")


def test_curl_gets_its_100_continue_before_the_body(echo):
    server = echo()
    with connect(server.port) as sock:
        request = post(b"y" * 70000, fields="Expect: 100-continue\r\n")
        sock.sendall(request[:-70000])
        assert read_answer(sock)[0] == 100
        sock.sendall(request[-70000:])
        assert read_answer(sock)[2].startswith(b"70000 ")


@pytest.mark.parametrize("size", [0, 1, 16 * 1024, 65535, 65536, 65537, 300000, 3 * MIB])
def test_bodies_of_any_size_arrive_however_they_are_cut(echo, size):
    server = echo()
    request = post(b"z" * size)
    with connect(server.port) as sock:
        for step in (len(request), 1000 if size < MIB else 100000):
            for start in range(0, len(request), step):
                sock.sendall(request[start:start + step])
            assert read_answer(sock)[2].decode().split()[0] == str(size)


def test_bytes_in_flight_are_bounded_and_given_back(echo):
    server = echo("--bytes", 4 * MIB)
    big = b"POST /validate HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n"
    holders = []
    for _ in range(2):  # each holds 2 MiB while its body is under way
        sock = connect(server.port)
        sock.sendall(big + b"x" * 1_300_000)
        holders.append(sock)
    until(lambda: ask(server.port, post(b"x" * 3_000_000))[0] == 503)  # theirs have arrived
    assert ask(server.port, post())[0] == 200  # small requests go on
    assert rejected(ask(server.port, post(b"x" * 3_000_000)), 503, "overload")
    for sock in holders:
        sock.close()
    until(lambda: ask(server.port, post(b"x" * 3_000_000))[0] == 200)


def test_a_slow_head_an_idle_peer_and_a_half_handshake_are_ended(echo):
    server = echo("--request", 600, "--idle", 600, "--handshake", 600)
    half = socket.create_connection(("127.0.0.1", server.port), 10)
    half.sendall(b"\x16\x03\x01\x02\x00\x01")
    idle = connect(server.port)
    served = connect(server.port)
    served.sendall(post())
    read_answer(served)
    slow = connect(server.port)
    begin = time.monotonic()
    try:
        for byte in post():  # would take 20 s
            slow.sendall(bytes([byte]))
            time.sleep(0.15)
    except OSError:
        pass
    assert time.monotonic() - begin < 15
    for sock in (half, idle, served):
        assert read_all(sock) == b""
        sock.close()
    slow.close()


def test_a_dripping_request_is_told_why_it_ends(echo):
    server = echo("--request", 500)
    with connect(server.port) as sock:
        begin = time.monotonic()
        sock.sendall(post(b"x" * 1000)[:-1])
        rejected(read_answer(sock), 408, "timeout")
        assert 0.3 < time.monotonic() - begin < 5


def test_an_endless_header_line_is_cut_off(echo):
    server = echo()
    before = server.rss()
    with connect(server.port) as sock:
        try:
            sock.sendall(b"POST /validate HTTP/1.1\r\nX: ")
            for _ in range(1000):
                sock.sendall(b"x" * 65536)
        except OSError:
            pass
        try:
            assert b" 431 " in read_all(sock)[:20]
        except OSError:
            pass
    assert server.rss() - before < 20 * MIB


def test_a_peer_that_does_not_read_is_ended(echo):
    server = echo("--write", 500)
    with connect(server.port) as sock:
        sock.settimeout(3)
        many = post(b"") * 200
        begin = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - begin < 20:
                sock.sendall(many)
    assert server.alive() and ask(server.port, post())[0] == 200


def test_an_old_connection_is_closed_by_an_answer_and_never_bare(echo):
    server = echo("--age", 300)
    with connect(server.port) as sock:
        begin = time.monotonic()
        while True:
            sock.sendall(post())
            if "connection: close" in read_answer(sock)[1].lower():
                break
            assert time.monotonic() - begin < 5
        assert read_all(sock) == b""


def test_requests_after_an_idle_time_short_of_the_limit_never_fail(echo):
    server = echo("--idle", 4000)
    socks = [connect(server.port) for _ in range(20)]
    for pause in (0.2, 1, 2):
        for sock in socks:
            sock.sendall(post())
            assert read_answer(sock)[0] == 200
        time.sleep(pause)
    for sock in socks:
        sock.close()


def connects_dropped():
    """How many connects the queues of this network namespace had no room for (proc_net_tcp(5))."""
    with open("/proc/net/netstat", encoding="ascii") as lines:
        names, values = [line.split() for line in lines if line.startswith("TcpExt:")]
    figures = dict(zip(names[1:], map(int, values[1:])))
    return figures["ListenOverflows"] + figures["ListenDrops"]


def test_a_burst_of_300_connects_finds_room_in_the_queue(echo):
    """A connect without room waits a second for TCP's retransmission."""
    server = echo()
    before = connects_dropped()
    socks = []
    for _ in range(300):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", server.port))
        socks.append(sock)
    for sock in socks:
        assert select.select([], [sock], [], 30)[1]
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        sock.close()
    assert connects_dropped() == before


def test_more_connections_than_the_limit_push_out_the_idle_never_the_served(echo):
    server = echo("--connections", 20, "--threads", 1)
    served = connect(server.port)
    served.sendall(post())
    read_answer(served)
    crowd = [connect(server.port) for _ in range(60)]
    served.sendall(post())
    assert read_answer(served)[0] == 200
    assert ask(server.port, post())[0] == 200
    for sock in crowd:
        sock.close()


def test_few_descriptors_make_the_server_smaller_and_never_spin(echo):
    server = echo(within=["prlimit", "--nofile=64:64"])
    served = connect(server.port)
    served.sendall(post())
    read_answer(served)
    crowd = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(200)]
    rests(server)
    served.sendall(post())
    assert read_answer(served)[0] == 200
    assert ask(server.port, post())[0] == 200
    for sock in crowd:
        sock.close()


def test_100_idle_connections_cost_no_cpu_and_little_memory(echo):
    server = echo("--threads", 2)
    before = server.rss()
    socks = []
    for _ in range(100):
        sock = connect(server.port)
        sock.sendall(post(b"x" * 4096))
        read_answer(sock)
        socks.append(sock)
    grown = server.rss() - before
    rests(server, 2)
    assert grown < 100 * 40 * 1024 or scaled(10) != 10, f"{grown // 100} bytes a connection"
    for sock in socks:
        sock.close()


def test_the_handshake_of_a_plain_http_client_fails_and_harms_nobody(echo):
    server = echo()
    with socket.create_connection(("127.0.0.1", server.port), 5) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"allowed" not in read_all(sock)
    with pytest.raises((ssl.SSLError, OSError)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["h2"])
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connect(server.port, context)
    assert ask(server.port, post())[0] == 200
