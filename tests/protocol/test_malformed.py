"""10,000 malformed requests, generated from a seed and written by hand: TLS, HTTP and JSON.

Each is made of a review that is denied, by a change that leaves no readable review: so nothing here
may ever be allowed. (B34: what is too large is never a verdict.)
"""
import json
import random
import socket
import ssl

import pytest

from harness import CONTEXT, SANITIZED, ask, connect, post, read_all, read_answer, scaled

COUNT = scaled(10_000)
SEED = 20261122


def send_raw(port, data):
    """Bytes on the bare socket; whatever comes back."""
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return read_all(sock)
        except ConnectionError:
            return b""


def send_tls(port, data):
    """Bytes inside TLS, then the end of our side."""
    raw = socket.create_connection(("127.0.0.1", port), 10)
    with CONTEXT.wrap_socket(raw) as sock:
        try:
            sock.sendall(data)
            raw_end = socket.socket(fileno=socket.dup(sock.fileno()))
            raw_end.shutdown(socket.SHUT_WR)
            raw_end.close()
            return read_all(sock)
        except (ConnectionError, ssl.SSLError):
            return b""


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = CONTEXT.wrap_bio(incoming, outgoing)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def malformed_tls(dice, hello):
    """A ClientHello that is cut or has bytes changed, or noise. (A change may leave it good: then
    the handshake waits, and our end of the socket ends it.)"""
    kind = dice.randrange(4)
    if kind == 0:
        return dice.randbytes(dice.randrange(1, 400))
    if kind == 1:
        return hello[:dice.randrange(1, len(hello))]
    data = bytearray(hello)
    for _ in range(dice.randrange(1, 12)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    return bytes(data) + (dice.randbytes(50) if kind == 3 else b"")


def malformed_http(dice, body):
    """A request whose head no strict reader takes."""
    good = post(body)
    head, end = good.split(b"\r\n\r\n", 1)
    lines = head.split(b"\r\n")
    length = b"Content-Length: %d" % len(body)
    recipes = [
        lambda: b"\n".join(lines) + b"\n\n" + end,
        lambda: good.replace(b"HTTP/1.1", dice.choice([b"HTTP/1.0", b"HTTP/2", b"HTTP/1.10", b""])),
        lambda: good.replace(length, length + b"\r\n" + length),
        lambda: good.replace(length, length + b"\r\nTransfer-Encoding: chunked"),
        lambda: good.replace(length, b"Content-Length: " + dice.choice(
            [b"-1", b"+5", b"0x10", b"1e3", b" ", b"9" * 30, b"5,5", b"\xd9\xa5", b"00"])),
        lambda: good.replace(length, b"Content-Length : %d" % len(body)),
        lambda: good.replace(b"Host: localhost", b"Host: localhost\r\nHost: b"),
        lambda: good.replace(b"Host: localhost\r\n", b""),
        lambda: good.replace(b"\r\nContent-Type", b"\r\n Content-Type"),
        lambda: good.replace(b"Content-Type", b"Content\x00Type"),
        lambda: good.replace(b"application/json", b"application\rjson"),
        lambda: good.replace(b"POST", dice.choice([b"GET", b"post", b"P\x7fST", b"", b"PUT"])),
        lambda: good.replace(b"/validate", dice.choice(
            [b"/", b"//validate", b"/validate/", b"/VALIDATE", b"/%2fvalidate", b"*",
             b"http://a/validate", b"/validate\x00", b"/../validate", b"/" + b"v" * 20000])),
        lambda: good.replace(length, length + b"\r\nContent-Encoding: " + dice.choice(
            [b"gzip", b"br", b"identity"])),
        lambda: lines[0] + b"\r\n" + b"A: b\r\n" * dice.randrange(65, 2000) + b"\r\n",
        lambda: b"\r\n\r\n" + good,
        lambda: dice.randbytes(dice.randrange(1, 3000)),
        lambda: good[:dice.randrange(1, len(good))],
        lambda: good.replace(length, length + b"\r\nUpgrade: websocket\r\nConnection: upgrade"),
        lambda: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + dice.randbytes(100),
    ]
    return dice.choice(recipes)()


def malformed_json(dice, text):
    """A body that is no AdmissionReview."""
    good = json.loads(text)

    def changed(change):
        copy = json.loads(text)
        change(copy)
        return json.dumps(copy)

    recipes = [
        lambda: text[:dice.randrange(1, len(text))],
        lambda: text + dice.choice(["x", "{}", "]", ",", "\x00"]),
        lambda: text.replace('"request":', '"request"' + dice.choice([";", " ", "::", ":,"]), 1),
        lambda: text.replace('"image":', '"image":"a/b:v1","image":', 1),
        lambda: text.replace('"uid":', '"uid":"x","uid":', 1),
        lambda: text.replace('"object":', '"object":null,"object":', 1),
        lambda: "[" * dice.choice([70, 5000, 200_000]),
        lambda: '{"a":' * dice.choice([70, 5000, 50_000]),
        lambda: text.replace('"name":"web"', '"name":' + "[" * 100 + "]" * 100, 1),
        lambda: changed(lambda r: r.pop("request")),
        lambda: changed(lambda r: r["request"].pop("uid")),
        lambda: changed(lambda r: r["request"].pop("object")),
        lambda: changed(lambda r: r["request"].update(uid=7)),
        lambda: changed(lambda r: r["request"].update(operation="PATCH")),
        lambda: changed(lambda r: r["request"]["object"]["spec"].update(containers="x")),
        lambda: changed(lambda r: r["request"]["object"]["spec"]["containers"][0].update(image=5)),
        lambda: changed(lambda r: r.update(apiVersion="admission.k8s.io/v1beta1")),
        lambda: changed(lambda r: r.update(kind="List")),
        lambda: json.dumps([good]),
        lambda: dice.choice(["", "null", "true", "0", '""', "[]", "{}", "NaN", "\ufeff{}"]),
        lambda: text.replace("registry.corp", "registry\n.corp", 1),
        lambda: text.replace("registry.corp", "\\ud800", 1),
        lambda: text.replace("registry.corp", "\\x41", 1),
    ]
    body = dice.choice(recipes)()
    if dice.randrange(25) == 0:
        return text.encode().replace(b"registry.corp", b"\xff\xfe", 1)
    return body.encode()


def assault(server, body, json_too):
    """Sends COUNT malformed requests; returns what came back for each that was wrong to answer."""
    dice = random.Random(SEED)
    hello = client_hello()
    ask(server.port, post(body))
    before = server.rss()
    kept, wrong = None, []
    for turn in range(COUNT):
        kind = turn % 4
        if kind == 0:
            answer = send_raw(server.port, malformed_tls(dice, hello))
        elif kind == 1 or not json_too:
            answer = send_tls(server.port, malformed_http(dice, body.encode()))
        else:  # bodies go over a kept connection, as an API server's do
            kept = kept or connect(server.port)
            sent = malformed_json(dice, body)
            kept.sendall(post(sent, dice.choice(["/validate", "/mutate"])))
            status, head, answer = read_answer(kept)
            if not 400 <= status < 500:
                wrong.append((turn, status, sent[:300], answer[:300]))
            if "connection: close" in head.lower():
                kept = None
        if b'"allowed":true' in answer.replace(b" ", b""):
            wrong.append((turn, answer[:300]))
        assert server.alive(), f"the server ended at request {turn} of seed {SEED}"
    assert wrong == []
    grown = server.rss() - before
    assert grown < (200 if SANITIZED else 20) << 20, f"memory grew by {grown >> 20} MiB"
    assert server.alive()


def test_malformed_requests_never_allow_hang_or_crash_the_program(belay, denied_review):
    server = belay()
    status, _, answer = ask(server.port, post(denied_review))
    assert status == 200 and b'"allowed":false' in answer.replace(b" ", b"")
    assault(server, denied_review, json_too=True)
    assert ask(server.port, post(denied_review))[0] == 200


def test_malformed_requests_never_hang_or_crash_the_server(echo, denied_review):
    server = echo()
    assault(server, denied_review, json_too=False)
    assert ask(server.port, post(b"{}"))[0] == 200


@pytest.mark.parametrize("path", ["/validate", "/mutate"])
def test_b34_what_is_too_large_is_never_a_verdict(belay, denied_review, path):
    server = belay()
    padded = denied_review.replace('"dryRun"', '"padding":"' + "x" * (8 << 20) + '","dryRun"')
    with connect(server.port) as sock:
        try:
            sock.sendall(post(padded, path))
        except OSError:
            pass
        status, _, answer = read_answer(sock)
    assert status == 413 and b"allowed" not in answer
    deep = denied_review.replace('"dryRun"', '"deep":' + "[" * 65 + "]" * 65 + ',"dryRun"')
    status, _, answer = ask(server.port, post(deep, path))
    assert status == 400 and b"allowed" not in answer
