"""Certificates for tests and benchmarks, made by openssl: ECDSA P-256, as belay makes them."""

from __future__ import annotations

import subprocess
from pathlib import Path

EC_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
LOCAL_NAMES = ("DNS:localhost", "IP:127.0.0.1")


def make_certificate(directory, file, names=LOCAL_NAMES, issuer=None) -> tuple[str, str]:
    """`file`.crt and `file`.key in `directory`, good for two days; returns both paths.

    `names` are entries of subjectAltName. With `issuer`, a pair of such paths, the certificate is
    signed by it; without, by itself, and is its own authority."""
    certificate, key = (str(Path(directory) / f"{file}.{end}") for end in ("crt", "key"))
    named = ["-subj", f"/CN={file}", "-addext", "subjectAltName=" + ",".join(names)]
    if issuer is None:
        _openssl("req", "-x509", *EC_KEY, "-days", "2", *named, "-keyout", key, "-out", certificate)
        return certificate, key
    request = str(Path(directory) / f"{file}.csr")
    _openssl("req", "-new", *EC_KEY, *named, "-keyout", key, "-out", request)
    _openssl("x509", "-req", "-in", request, "-CA", issuer[0], "-CAkey", issuer[1], "-CAcreateserial",
             "-copy_extensions", "copy", "-days", "2", "-out", certificate)
    return certificate, key


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
