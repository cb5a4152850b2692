"""What test_addresses.py looks at, run by it in a network and mount namespace of its own:

    unshare --net --mount python3 namespace_world.py PROGRAM DIRECTORY

An interface that swallows every packet is the way to everywhere, a name server with two faces the only
one, and each packet is seen. One belay is asked to pin every image of VECTORS; what packets it sent for
each goes to standard output as JSON. Nothing here touches the machine's own network.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from capture import Capture  # noqa: E402
from dns import NameServer  # noqa: E402
from support.certificates import make_certificate  # noqa: E402
from support.hostile_registry import HostileRegistry  # noqa: E402
from webhook import Webhook, pod, policy  # noqa: E402

PUBLIC, PUBLIC6, PRIVATE = "93.184.215.14", "2606:2800:21f::14", "10.20.30.40"
NAME_SERVER = "127.0.0.53"
METADATA = "169.254.169.254"

# Names of images, which nobody listed.
UNLISTED = [
    "127.1:5000/x", "127.0.0.1:5000/x", "localhost/x", "localhost:5000/x", "0.0.0.0:5000/x", "0:5000/x",
    "2130706433:5000/x", "0x7f.0.0.1:5000/x", "0x7f000001:5000/x", "017700000001:5000/x", "0177.0.0.1/x",
    "169.254.169.254/latest", "169.254.169.254:80/x", "2852039166:80/x", "0xa9fea9fe:80/x", "169.254.43518:80/x",
    "[::1]:5000/x", "[::]:5000/x", "[::ffff:127.0.0.1]:5000/x", "[::ffff:169.254.169.254]:80/x", "[::ffff:a9fe:a9fe]:80/x",
    "[64:ff9b::a9fe:a9fe]:80/x", "[2002:a9fe:a9fe::1]:80/x", "[fe80::1]:5000/x", "[fd00:ec2::254]:80/x",
    "metadata.google.internal/x", "kubernetes.default.svc/x", "kubernetes.default.svc.cluster.local:443/x",
    "10.0.0.1:6443/x", "10.96.0.1/x", "192.168.0.1:5000/x", "172.17.0.1:5000/x", "100.100.100.200/x", "evil.test/x",
    "public.test.evil.test/x", "public.test:8443/x", "public.test./x", f"{PUBLIC}/x"]

# Addresses that no name may lead to, whoever listed it.
REFUSED = [
    "0.0.0.0", "0.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.1.2.3", "127.255.255.254", METADATA,
    "169.254.0.1", "169.254.170.2", "10.0.0.1", "10.255.255.254", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.0.0.1",
    "192.0.0.192", "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1",
    "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::1", "2002:7f00:1::1", "2001:0:a9fe:a9fe::1", "fe80::1", "febf::1", "fec0::1",
    "fc00::1", "fd00:ec2::254", "ff02::1", "ff05::1"]
# Those that stay refused where private addresses are allowed.
NEVER = [METADATA, "169.254.170.2", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
         "2002:a9fe:a9fe::1", "fe80::1", "fd00:ec2::254", "ff02::1", "::"]

TWO_FACED = {  # the addresses of each answer, in turn
    f"two-faced-{at}.test": [[PUBLIC], [bad], [PUBLIC], [bad]] for at, bad in enumerate(
        [METADATA, "127.0.0.1", "10.0.0.1", "::1", "::ffff:169.254.169.254"])}
MIXED = {f"mixed-{at}.test": [[PUBLIC, bad]] for at, bad in enumerate([METADATA, "127.0.0.1", "10.0.0.1"])}


def name_of(address: str, kind: str) -> str:
    return f"{kind}-{address.replace(':', 'x').replace('.', '-')}.test"


NAMES = {"public.test": [[PUBLIC]], "private.test": [[PRIVATE]], "private-unlisted.test": [[PRIVATE]], "evil.test": [[METADATA]],
         **TWO_FACED, **MIXED, **{name_of(one, "to"): [[one]] for one in REFUSED},
         **{name_of(one, "never"): [[one]] for one in NEVER}}
LISTED = [name for name in NAMES if name not in ("evil.test", "private-unlisted.test")]
MAY_BE_PRIVATE = [name for name in LISTED if name == "private.test" or name.startswith("never-")]


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def tun_device(name: str) -> int:
    """A network interface whose packets this process reads."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, 0x400454CA, struct.pack("16sH", name.encode(), 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    return device


def swallow(device: int) -> None:
    while os.read(device, 65536):
        pass


def make_network(directory: Path) -> None:
    run("ip", "link", "set", "lo", "up")
    threading.Thread(target=swallow, args=(tun_device("out"),), daemon=True).start()
    for address in (f"{PUBLIC}/32", f"{PRIVATE}/32", "198.51.100.2/32"):
        run("ip", "addr", "add", address, "dev", "out")
    run("ip", "-6", "addr", "add", f"{PUBLIC6}/128", "dev", "out", "nodad")
    run("ip", "link", "set", "out", "up")
    run("ip", "route", "add", "default", "dev", "out", "src", "198.51.100.2")
    run("ip", "-6", "route", "add", "default", "dev", "out", "src", PUBLIC6)
    (directory / "resolv.conf").write_text(f"nameserver {NAME_SERVER}\noptions timeout:1 attempts:1\n")
    (directory / "nsswitch.conf").write_text("hosts: files dns\n")
    (directory / "hosts").write_text("127.0.0.1 localhost\n")
    run("mount", "--make-rprivate", "/")
    for name in ("resolv.conf", "nsswitch.conf", "hosts"):
        run("mount", "--bind", str(directory / name), f"/etc/{name}")


def main(program: Path, directory: Path) -> None:
    make_network(directory)
    capture = Capture()
    names = NameServer(NAME_SERVER, NAMES)
    authority = make_certificate(directory, "authority")
    serving = tuple(f"DNS:{name}" for name in LISTED)
    registries = [HostileRegistry(directory, authority, "good", address=address, port=443, names=serving)
                  for address in (PUBLIC, PRIVATE)]
    belay = Webhook(program, directory / "belay", make_certificate(directory, "serving", issuer=authority),
                    [policy("pinned", "shop", pin={"enabled": True})],
                    [{"host": name, "ca": authority[0], **({"allowPrivate": True} if name in MAY_BE_PRIVATE else {})}
                     for name in LISTED])
    own = {("127.0.0.1", belay.port), ("127.0.0.1", belay.admin)}

    # The capture sees what it is there to see.
    for bad in (METADATA, "127.0.0.1", "fd00:ec2::254", "64:ff9b::7f00:1"):
        probe = socket.socket(socket.AF_INET6 if ":" in bad else socket.AF_INET)
        probe.setblocking(False)
        probe.connect_ex((bad, 443))
        probe.close()
    seen_probes = [to for to in capture.take() if to not in own]

    results = {}

    def look(vector: str, image: str, times: int) -> None:
        names.asked.clear()
        answers = [belay.mutate(pod(f"{image}:v{at}")) for at in range(times)]
        packets = [to for to in capture.take() if to not in own and to != (NAME_SERVER, 53)]
        results[vector] = {"packets": packets, "names": sorted(set(names.asked)), "pinned": [bool(one.patch) for one in answers],
                           "allowed": all(one.allowed for one in answers), "warnings": [one.warnings for one in answers]}

    for image in [*UNLISTED, "private-unlisted.test/x"]:
        look(image, image, 1)
    for name in LISTED:
        look(name, f"{name}/x", 4 if name in TWO_FACED else 1)
    log = belay.log()
    belay.stop()
    for one in registries:
        one.close()
    print(json.dumps({"probes": seen_probes, "results": results, "log": log}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
