"""The sides of the comparison as processes: belay, nginx with a static answer, the Go stand-in.

Each is pinned to one core, serves TLS on 127.0.0.1 with the same ECDSA certificate, and is stopped
by its own process id. CPU time and memory are read from /proc, children included.
"""

import contextlib
import http.client
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from support import process_figures  # noqa: E402
SERVER_CORE, LOAD_CORE = "0", "1"

NGINX_CONF = """
worker_processes 1; daemon off; pid {work}/nginx.pid; error_log {work}/nginx.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 120s;
  client_body_buffer_size 64k; client_max_body_size 8m;
  client_body_temp_path {work}/nginx-body; proxy_temp_path {work}/nginx-proxy;
  fastcgi_temp_path {work}/nginx-fcgi; uwsgi_temp_path {work}/nginx-uwsgi;
  scgi_temp_path {work}/nginx-scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {work}/tls.crt; ssl_certificate_key {work}/tls.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{ default_type application/json; return 200 '{answer}'; }}
  }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def trusting_context():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Process:
    """A server that runs pinned to the servers' core."""

    def __init__(self, name, command, work, core=SERVER_CORE, environment=None):
        self.name = name
        self.log = open(work / f"{name}.log", "wb")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["taskset", "-c", core, *map(str, command)],
            stdout=subprocess.DEVNULL, stderr=self.log, env={**os.environ, **(environment or {})},
        )

    def pids(self):
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [pid, *map(int, children.split())]

    def cpu_seconds(self):
        return sum(map(process_figures.cpu_seconds, self.pids()))

    def memory_mib(self):
        return sum(map(process_figures.memory_bytes, self.pids())) / 2**20

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Server(Process):
    """A process that answers on a TLS port."""

    def __init__(self, name, command, work, port, environment=None):
        super().__init__(name, command, work, environment=environment)
        self.port = port
        self.url = f"https://127.0.0.1:{port}/validate"

    def wait(self, seconds=10.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return self
            time.sleep(0.01)
        log = pathlib.Path(self.log.name).read_text(encoding="utf-8", errors="replace")
        raise SystemExit(f"{self.name} does not listen:\n{log[-2000:]}")

    def post(self, body, connection=None):
        """One review over a connection of its own (or the one given): its answer."""
        own = connection or http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=trusting_context(), timeout=10
        )
        own.request("POST", "/validate?timeout=10s", body, {"Content-Type": "application/json"})
        response = own.getresponse()
        answer = response.read()
        if connection is None:
            own.close()
        if response.status != 200:
            raise SystemExit(f"{self.name} answers {response.status}: {answer[:300]!r}")
        return answer


def belay_command(program, work, port, admin_port):
    return [program, "serve", "--listen", f"127.0.0.1:{port}", "--admin-listen",
            f"127.0.0.1:{admin_port}", "--tls-cert", work / "tls.crt", "--tls-key", work / "tls.key",
            "--policy", HERE / "data" / "policy.yaml", "--threads", "1"]


def start_belay(program, work, policy=None, flags=()):
    port = free_port()
    command = [*belay_command(program, work, port, free_port()), *flags]
    if policy:
        command[command.index("--policy") + 1] = policy
    return Server("belay", command, work, port).wait()


def start_nginx(work, answer):
    port = free_port()
    conf = work / "nginx.conf"
    # A literal answer of the same bytes: quotes and variables would be read by nginx.
    text = answer.decode().replace("\\", "\\\\").replace("'", "\\'").replace("$", "")
    conf.write_text(NGINX_CONF.format(work=work, port=port, answer=text), encoding="utf-8")
    return Server("nginx", ["nginx", "-p", work, "-c", conf], work, port).wait()


def start_standin(work):
    port = free_port()
    command = [work / "standin", f"127.0.0.1:{port}", work / "tls.crt", work / "tls.key"]
    return Server("go stand-in", command, work, port, {"GOMAXPROCS": "1"}).wait()


def build_go(work):
    """The stand-in, the caller and kubeconform, from their pinned modules."""
    for folder, package in ((HERE / "go", "./standin"), (HERE / "go", "./caller"),
                            (HERE / "kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform")):
        subprocess.run(["go", "build", "-o", f"{work}/", package], cwd=folder, check=True)


def start_to_ready_ms(program, work):
    """From exec to the first 200 of /readyz."""
    port, admin_port = free_port(), free_port()
    command = belay_command(program, work, port, admin_port)
    begin = time.monotonic()
    server = Server("belay", command, work, port)
    try:
        while time.monotonic() < begin + 10:
            with contextlib.suppress(OSError, http.client.HTTPException):
                admin = http.client.HTTPConnection("127.0.0.1", admin_port, timeout=1)
                admin.request("GET", "/readyz")
                if admin.getresponse().status == 200:
                    return (time.monotonic() - begin) * 1000
            time.sleep(0.0005)
        raise SystemExit("belay does not get ready")
    finally:
        server.stop()


def idle_cost(program, work, body, connections=100, seconds=3.0):
    """(MiB, CPU seconds) of a server that holds that many connections, each used once."""
    server = start_belay(program, work)
    held = []
    try:
        for _ in range(connections):
            connection = http.client.HTTPSConnection(
                "127.0.0.1", server.port, context=trusting_context(), timeout=10
            )
            json.loads(server.post(body, connection))
            held.append(connection)
        time.sleep(0.2)
        before = server.cpu_seconds()
        time.sleep(seconds)
        return server.memory_mib(), server.cpu_seconds() - before
    finally:
        for connection in held:
            connection.close()
        server.stop()
