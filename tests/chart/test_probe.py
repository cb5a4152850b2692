"""`belay probe`, which `helm test` runs, before an API server of the test's own: what it makes of a denial,
of warnings, and of an answer without either. tests/e2e/test_probe.py asks a real one."""

from __future__ import annotations

import http.server
import json
import ssl
import subprocess
import threading

import pytest

from support.certificates import make_certificate

WARNING = 'mutable-tag: "belay.invalid/probe:latest" has tag "latest", which can move; Pod shop/web, policy "default".'
DENIAL = 'admission webhook "validate.belay.dev" denied the request: Pod shop/web: 1 problem'


@pytest.fixture
def probe(program, tmp_path):
    """probe(status, message, warnings, *words): what it says of an API server that answers so."""
    certificate, key = make_certificate(str(tmp_path), "api")[:2]

    def run(status: int, message: str, warnings: list[str], *words: str) -> subprocess.CompletedProcess:
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                assert "dryRun=All" in self.path and json.loads(body)["kind"] == "Pod"
                text = json.dumps({"kind": "Status", "message": message}).encode()
                self.send_response(status)
                for warning in warnings:
                    self.send_header("Warning", '299 - "' + warning.replace("\\", "\\\\").replace('"', '\\"') + '"')
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        config = tmp_path / "config"
        config.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "clusters": [{"name": "it", "cluster": {"server": f"https://127.0.0.1:{server.server_port}",
                                                    "certificate-authority": certificate}}],
            "users": [{"name": "it", "user": {"token": "secret"}}]}))
        try:
            # As kubectl finds it: no --kubeconfig.
            return subprocess.run([program, "probe", *words], text=True, capture_output=True, timeout=60,
                                  env={"KUBECONFIG": str(config)})
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
    return run


def test_a_denial_is_what_it_expects_by_itself(probe):
    done = probe(403, DENIAL, [])
    assert done.returncode == 0 and done.stdout.startswith("ok, denied by validate.belay.dev:\n"), done.stdout + done.stderr


def test_a_warning_of_belay_passes_where_it_is_expected(probe):
    done = probe(201, "", ["something else", WARNING], "--expect", "warned")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "ok, admitted with a warning from belay (mode warn):\n" + WARNING + "\n"


def test_a_warning_where_a_denial_is_expected_says_what_to_do(probe):
    done = probe(201, "", [WARNING])
    assert done.returncode == 1
    assert "Expected: denied. If this result is right, use --expect warned." in done.stdout


def test_a_warning_of_somebody_else_is_none_of_belay(probe):
    done = probe(201, "", ['would violate: "belay.invalid/probe:latest"', "mutable-tag: nothing of the probe"],
                 "--expect", "warned")
    assert done.returncode == 1 and done.stdout.startswith("admitted: a pod with image"), done.stdout


def test_admitted_says_that_nothing_shows_whether_belay_was_asked(probe):
    done = probe(201, "", [], "--expect", "admitted")
    assert done.returncode == 0 and "This does not show that belay was asked" in done.stdout


def test_a_denial_where_only_a_warning_is_expected_fails(probe):
    assert probe(403, DENIAL, [], "--expect", "warned").returncode == 1


def test_a_refusal_by_somebody_else_is_an_error(probe):
    done = probe(403, 'admission webhook "other" denied the request: no', [], "--expect", "warned")
    assert done.returncode == 2 and "other" in done.stderr
