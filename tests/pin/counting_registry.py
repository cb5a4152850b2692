"""A registry that has every tag and counts the connections that are open at once."""

from __future__ import annotations

import http.server
import ssl
import threading

from support.certificates import make_certificate
from support.images import digest_of


def digest_of_path(path: str) -> str:
    """What the registry says that "/v2/shop/web/manifests/v1" points to."""
    return digest_of(path.encode())


class CountingRegistry:
    """`most` is the largest number of connections seen at once, `asked` every path asked for."""

    def __init__(self, directory, authority) -> None:
        directory.mkdir()
        certificate, key = make_certificate(str(directory), "registry", issuer=authority)
        self._lock = threading.Lock()
        self._open = self.most = 0
        self.asked: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                with outer._lock:
                    outer._open += 1
                    outer.most = max(outer.most, outer._open)
                super().setup()

            def finish(self):
                super().finish()
                with outer._lock:
                    outer._open -= 1

            def do_HEAD(self):
                with outer._lock:
                    outer.asked.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
                self.send_header("Docker-Content-Digest", digest_of_path(self.path))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request, client_address):  # a client that went
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True,
                                                  do_handshake_on_connect=False)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
