"""Certificates that clients must refuse, and valid ones."""

from __future__ import annotations

import datetime as dt
import ssl
import warnings
from collections.abc import Mapping
from pathlib import Path

import trustme
from attrs import evolve, frozen

from support.certificates import CertificateFiles, write_certificates

__all__ = ["write_hostile_certificates"]


@frozen
class _OldTls(CertificateFiles):
    """The right certificate, by a version of TLS that is no longer safe."""

    def server_context(self) -> ssl.SSLContext:
        context = CertificateFiles.server_context(self)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that is the point
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        return context


def write_hostile_certificates(directory: Path) -> Mapping[str, CertificateFiles]:
    """Write certificates to `directory`; return them by their fault.

    `right` is right; `untrusted` is of another authority; `wrong-name` is for another host;
    `expired` has expired; `old` comes by TLS 1.1.
    """
    authority = trustme.CA()
    for name in ("right", "untrusted"):
        (directory / name).mkdir()
    right = _of(authority, directory / "right", "localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(str(right.ca_file))
    return {
        "right": right,
        "untrusted": write_certificates(directory / "untrusted"),
        "wrong-name": _of(authority, directory / "wrong-name", "registry.example"),
        "expired": _of(
            authority,
            directory / "expired",
            "127.0.0.1",
            not_after=dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        ),
        "old": _OldTls(
            right.ca_file,
            right.server_certificate,
            right.server_key,
            right.client_certificate,
            right.client_key,
        ),
    }


def _of(
    authority: trustme.CA,
    folder: Path,
    *names: str,
    not_after: dt.datetime | None = None,
) -> CertificateFiles:
    folder.mkdir(exist_ok=True)
    issued = authority.issue_cert(*names, not_after=not_after)
    certificate, key = folder / "server.pem", folder / "server.key"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    return evolve(
        CertificateFiles(folder / "ca.pem", certificate, key, certificate, key),
        ca_file=folder / "ca.pem",
    )
