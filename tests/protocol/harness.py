"""Servers and raw clients for the protocol tests.

Two servers are tested: the program (`belay serve`), found in $BELAY_PROGRAM, and the server without
decisions (echo_server), found in $BELAY_ECHO_SERVER, whose deadlines can be made short. Clients are
plain sockets, because the point is to send what no library would.
"""
import os
import re
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from support import process_figures  # noqa: E402
from support.certificates import make_certificate  # noqa: E402,F401
from support.waiting import until  # noqa: E402
PROGRAM = os.environ.get("BELAY_PROGRAM", "")
ECHO_SERVER = os.environ.get("BELAY_ECHO_SERVER", "")
SANITIZED = os.environ.get("BELAY_TREE", "") in ("asan", "tsan")
# Counts of requests and sockets are multiplied by this (BELAY_PROTOCOL_SCALE=0.1 for a quick look).
SCALE = float(os.environ.get("BELAY_PROTOCOL_SCALE", "0.2" if SANITIZED else "1"))


def scaled(count):
    return max(1, int(count * SCALE))


def listening_ports(pid):
    """The ports a process listens on, from /proc: what it prints is not for tests to read."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        found = re.match(r"socket:\[(\d+)\]", link)
        if found:
            inodes.add(found[1])
    ports = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}", encoding="ascii") as lines:
            for line in list(lines)[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in inodes:
                    ports.add(int(fields[1].split(":")[1], 16))
    return ports


class Server:
    """A running server. `port` is its HTTPS port, `admin` its admin port (None for echo_server)."""

    def __init__(self, command, log, want_admin):
        self.log_path = log
        with open(log, "wb") as out:
            # A small quarantine, so that memory under AddressSanitizer says something.
            environment = {"ASAN_OPTIONS": "quarantine_size_mb=8", **os.environ}
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT,
                                            env=environment)
        self.port = self.admin = None
        deadline = time.time() + 30
        while time.time() < deadline and self.process.poll() is None:
            ports = listening_ports(self.process.pid)
            if want_admin:
                for port in ports:
                    if b" 200 " in plain_get(port, "/readyz")[:20]:
                        self.admin = port
                if self.admin and len(ports) > 1:
                    self.port = (ports - {self.admin}).pop()
            elif ports:
                self.port = ports.pop()
            if self.port:
                break
            time.sleep(0.05)
        assert self.port, f"{command} does not serve: {self.log()}"

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as lines:
            return lines.read()

    def alive(self):
        return self.process.poll() is None

    def rss(self):
        return process_figures.memory_bytes(self.process.pid)

    def cpu_seconds(self):
        return process_figures.cpu_seconds(self.process.pid)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """Ends the server in order and without a drain. Returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(40)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


def plain_get(port, path):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as sock:
            sock.settimeout(1)
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            return read_all(sock)
    except OSError:
        return b""


def tls_context(client=None):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if client:
        context.load_cert_chain(*client)
    return context


CONTEXT = tls_context()


def connect(port, context=None, timeout=15):
    sock = socket.create_connection(("127.0.0.1", port), timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return (context or CONTEXT).wrap_socket(sock)


def read_all(sock):
    """Everything until the peer closes; a reset ends it like a close."""
    data = b""
    try:
        while chunk := sock.recv(65536):
            data += chunk
    except (ConnectionError, ssl.SSLError):
        pass
    return data


def read_answer(sock):
    """One answer with a Content-Length: (status, head, body)."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65536)
        if not chunk:
            raise ConnectionError(f"closed within the head: {data!r}")
        data += chunk
    head, body = data.split(b"\r\n\r\n", 1)
    status = int(head.split(b" ", 2)[1])
    found = re.search(rb"\r\ncontent-length: (\d+)", head.lower())
    size = int(found[1]) if found and status != 100 else 0
    while len(body) < size:
        chunk = sock.recv(65536)
        if not chunk:
            raise ConnectionError("closed within the body")
        body += chunk
    return status, head.decode("latin-1"), body


def post(body=b"{}", path="/validate?timeout=5s", fields=""):
    if isinstance(body, str):
        body = body.encode()
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{fields}\r\n").encode() + body


def ask(port, request, context=None):
    """One connection, one request; everything that came back until the server closed."""
    with connect(port, context) as sock:
        sock.sendall(request)
        return read_answer(sock)


def rests(server, seconds=1):
    """Waits for a stretch of `seconds` in which the server takes no CPU to speak of (two ticks)."""
    def took_none():
        before = server.cpu_seconds()
        time.sleep(seconds)
        return server.cpu_seconds() - before <= 0.02
    until(took_none)


class Load(threading.Thread):
    """Sends `request` at a steady rate over kept connections until stopped, and keeps the times."""

    def __init__(self, port, request, rate, check=lambda status, body: status == 200,
                 context=None, new_connections=lambda: True):
        super().__init__()
        self.args = (port, request, check, context or CONTEXT)
        self.rate = rate
        self.new_connections = new_connections
        self.seconds, self.failures, self.connects = [], [], 0
        self.stopping = threading.Event()

    def run(self):
        port, request, check, context = self.args
        sock, pause, due = None, 1 / self.rate, time.monotonic()
        while not self.stopping.is_set():
            due += pause
            wait = due - time.monotonic()
            if wait > 0:
                self.stopping.wait(wait)
            else:
                due = time.monotonic()
            try:
                if sock is None:
                    if not self.new_connections():
                        break
                    sock = connect(port, context)
                    self.connects += 1
                begin = time.monotonic()
                sock.sendall(request)
                status, head, body = read_answer(sock)
                self.seconds.append(time.monotonic() - begin)
                if not check(status, body):
                    self.failures.append(f"{status} {body[:200]!r}")
                if "connection: close" in head.lower():
                    sock.close()
                    sock = None
            except OSError as error:
                self.failures.append(repr(error))
                sock = None
        if sock is not None:
            sock.close()

    def finish(self):
        self.stopping.set()
        self.join()


def start_loads(count, **arguments):
    loads = [Load(**arguments) for _ in range(count)]
    for load in loads:
        load.start()
    return loads


def p99(seconds):
    return statistics.quantiles(seconds, n=100)[98] if len(seconds) > 1 else 0
