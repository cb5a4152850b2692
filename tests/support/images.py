"""Images small enough to make by the dozen: OCI layouts and the blobs behind them.

An Image is one platform, an Index several. Both know their manifest's bytes, so a test knows the
digest before any registry says it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

OCI, DOCKER = "oci", "docker"
MANIFEST_TYPES = {OCI: "application/vnd.oci.image.manifest.v1+json",
                  DOCKER: "application/vnd.docker.distribution.manifest.v2+json"}
INDEX_TYPES = {OCI: "application/vnd.oci.image.index.v1+json",
               DOCKER: "application/vnd.docker.distribution.manifest.list.v2+json"}
CONFIG_TYPES = {OCI: "application/vnd.oci.image.config.v1+json",
                DOCKER: "application/vnd.docker.container.image.v1+json"}
LAYER_TYPES = {OCI: "application/vnd.oci.image.layer.v1.tar+gzip",
               DOCKER: "application/vnd.docker.image.rootfs.diff.tar.gzip"}
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def text_of(value) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def descriptor(media_type: str, data: bytes, **more) -> dict:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data), **more}


@dataclass
class Image:
    """One platform, with a layer of one file that holds `content`."""
    content: str = "a"
    labels: dict = field(default_factory=dict)
    annotations: dict = field(default_factory=dict)
    created: str = "2026-11-01T10:00:00Z"
    architecture: str = "amd64"
    form: str = OCI

    def __post_init__(self) -> None:
        plain = _tar(self.content.encode())
        layer = gzip.compress(plain, mtime=0)
        config = text_of({
            "architecture": self.architecture, "os": "linux", "created": self.created,
            "config": {"Labels": self.labels}, "history": [{"created": self.created}],
            "rootfs": {"type": "layers", "diff_ids": [digest_of(plain)]}})
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPES[self.form],
                    "config": descriptor(CONFIG_TYPES[self.form], config),
                    "layers": [descriptor(LAYER_TYPES[self.form], layer)]}
        if self.annotations:
            manifest["annotations"] = self.annotations
        self.media_type, self.manifest = MANIFEST_TYPES[self.form], text_of(manifest)
        self.blobs, self.children = [layer, config], []

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    def described(self, **more) -> dict:
        return descriptor(self.media_type, self.manifest, **more)


class Index:
    """An image for several platforms."""

    def __init__(self, images: list[Image], annotations: dict | None = None, form: str = OCI) -> None:
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPES[form], "manifests": [
            one.described(platform={"architecture": one.architecture, "os": "linux"}) for one in images]}
        if annotations:
            index["annotations"] = annotations
        self.media_type, self.manifest = INDEX_TYPES[form], text_of(index)
        self.blobs, self.children = [], images

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


class Attached:
    """An artifact that says something of another manifest, as `oras attach` and signers make them."""

    def __init__(self, subject: Image, annotations: dict, artifact_type: str = "application/vnd.example.scan") -> None:
        empty = b"{}"
        self.media_type, self.artifact_type, self.annotations = MANIFEST_TYPES[OCI], artifact_type, annotations
        self.manifest = text_of({
            "schemaVersion": 2, "mediaType": self.media_type, "artifactType": artifact_type,
            "config": descriptor(EMPTY_TYPE, empty), "layers": [descriptor(EMPTY_TYPE, empty)],
            "subject": subject.described(), "annotations": annotations})
        self.blobs, self.children = [empty], []

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


class Referrers:
    """The index of attached artifacts that the tag schema keeps at `sha256-<hex>`."""

    def __init__(self, *artifacts: Attached) -> None:
        self.media_type = INDEX_TYPES[OCI]
        self.manifest = text_of({"schemaVersion": 2, "mediaType": self.media_type, "manifests": [
            descriptor(one.media_type, one.manifest, artifactType=one.artifact_type, annotations=one.annotations)
            for one in artifacts]})
        self.blobs, self.children = [], list(artifacts)


def write_layout(directory: Path, one: Image | Index, tag: str) -> None:
    """An OCI layout that holds the image under one tag."""
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def keep(image) -> None:
        for data in (*image.blobs, image.manifest):
            (blobs / digest_of(data).split(":")[1]).write_bytes(data)
        for child in image.children:
            keep(child)

    keep(one)
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (directory / "index.json").write_bytes(text_of({"schemaVersion": 2, "manifests": [
        descriptor(one.media_type, one.manifest, annotations={"org.opencontainers.image.ref.name": tag})]}))


def _tar(content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("content")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()
