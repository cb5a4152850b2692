"""TLS: what is offered, who is let in, and certificates that change while connections go on."""
import os
import shutil
import signal
import ssl
import subprocess
import time

import pytest

from harness import (ask, connect, make_certificate, post, read_answer, start_loads, tls_context,
                     scaled)


def s_client(port, *flags, text=b""):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *flags],
                          input=text, capture_output=True, timeout=20, check=False)


@pytest.mark.parametrize("version, served", [("-tls1", False), ("-tls1_1", False),
                                             ("-tls1_2", True), ("-tls1_3", True)])
def test_tls_1_2_and_later_are_served(echo, version, served):
    done = s_client(echo().port, version, "-cipher", "ALL:@SECLEVEL=0")
    assert (b"Cipher is (NONE)" not in done.stdout) == served, done.stdout


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA",
                                    "ECDHE-ECDSA-AES128-SHA256"])
def test_ciphers_without_forward_secrecy_or_aead_are_rejected(echo, cipher):
    done = s_client(echo().port, "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0")
    assert b"Cipher is (NONE)" in done.stdout


def test_renegotiation_is_rejected(echo):
    server = echo()
    done = s_client(server.port, "-tls1_2", text=b"R\n")
    assert b"no renegotiation" in done.stderr, done.stderr
    assert ask(server.port, post())[0] == 200


def test_sessions_are_not_resumed_and_nothing_is_compressed(echo):
    done = s_client(echo().port, "-tls1_3", text=b"Q\n")
    assert b"Compression: NONE" in done.stdout
    assert b"New Session Ticket" not in done.stdout and b"session ticket:" not in done.stdout


def test_http_1_1_is_chosen_where_alpn_is_offered(echo):
    context = tls_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with connect(echo().port, context) as sock:
        assert sock.selected_alpn_protocol() == "http/1.1"
        sock.sendall(post())
        assert read_answer(sock)[0] == 200


def test_a_client_without_a_certificate_of_the_ca_is_rejected(echo, certificates):
    server = echo("--client-ca", certificates["authority"][0])
    assert ask(server.port, post(), tls_context(certificates["client"]))[0] == 200
    for context in (tls_context(), tls_context(certificates["other"])):
        with pytest.raises((OSError, ssl.SSLError)):
            ask(server.port, post(), context)
    assert ask(server.port, post(), tls_context(certificates["client"]))[0] == 200


def copy_pair(source, target):
    for old, new in zip(source, target):
        shutil.copyfile(old, new + ".new")
        os.replace(new + ".new", new)


@pytest.mark.parametrize("kind", ["echo", "belay"])
def test_a_new_certificate_serves_new_connections_and_fails_none(kind, request, certificates,
                                                                 tmp_path, allowed_review):
    pair = (str(tmp_path / "tls.crt"), str(tmp_path / "tls.key"))
    copy_pair(certificates["server"], pair)
    server = request.getfixturevalue(kind)(pair=pair)
    kept = connect(server.port)
    shown = kept.getpeercert(binary_form=True)
    loads = start_loads(4, port=server.port, rate=20,
                        request=post(allowed_review, fields="Connection: close\r\n"))
    loads += start_loads(4, port=server.port, rate=20, request=post(allowed_review))
    seen = {shown}
    for turn in range(max(3, scaled(10))):
        copy_pair(make_certificate(str(tmp_path), f"turn{turn}"), pair)
        server.signal(signal.SIGHUP)
        deadline = time.time() + 10
        while time.time() < deadline:
            with connect(server.port) as sock:
                certificate = sock.getpeercert(binary_form=True)
            if certificate not in seen:
                break
            time.sleep(0.02)
        assert certificate not in seen, "the new certificate is not shown"
        seen.add(certificate)
    for load in loads:
        load.finish()
        assert load.failures == [] and load.seconds
    kept.sendall(post(allowed_review))
    assert read_answer(kept)[0] == 200
    kept.close()
