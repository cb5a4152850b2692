"""The image of pods' sandboxes: one static program, as an archive that `ctr images import` reads."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from pathlib import Path

NAME = "localhost/pause:1"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # of uname -> of OCI; elsewhere they agree


def archive(directory: Path) -> Path:
    """Compiles the program and packs it. Gives the archive's path, in `directory`."""
    program, packed = directory / "pause", directory / "pause.tar"
    subprocess.run(["gcc", "-Os", "-static", "-s", "-o", str(program), str(Path(__file__).with_name("pause.c"))],
                   check=True, capture_output=True)
    layer = _tar({"pause": program.read_bytes()}, mode=0o755)
    machine = platform.machine()
    config = json.dumps({
        "architecture": ARCHITECTURES.get(machine, machine), "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]}}).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [NAME], "Layers": ["layer.tar"]}]).encode()
    packed.write_bytes(_tar({"manifest.json": manifest, "config.json": config, "layer.tar": layer}))
    return packed


def _tar(files: dict[str, bytes], mode: int = 0o644) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
