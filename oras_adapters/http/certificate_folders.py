"""Folders of certificates by registry: docker's and podman's `certs.d`."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from attrs import frozen

from oras_core.errors import InvalidConfigurationError

__all__ = ["HostCertificates", "find_certificates"]

_LOGGER = logging.getLogger(__name__)

_NO_NAMES: Final = frozenset({"", ".", ".."})


@frozen
class HostCertificates:
    """What a folder holds for one registry: paths of PEM files.

    Attributes:
        authorities: `*.crt`: whom to trust besides the usual authorities.
        client_certificate: the first `*.cert`; empty for none.
        client_key: the `*.key` of the same name.
    """

    authorities: tuple[str, ...] = ()
    client_certificate: str = ""
    client_key: str = ""


def find_certificates(directories: Iterable[str], host: str) -> HostCertificates:
    """Return what the first of `directories` with a folder for `host` has in it.

    A folder that may not be looked into counts as absent, as docker and podman have it.

    Args:
        directories: `certs.d` folders, the first one to look into first.
        host: `HOST` or `HOST:PORT`, the name of the folder in them.

    Raises:
        InvalidConfigurationError: if a certificate lacks its key, or a key its certificate.
    """
    if host in _NO_NAMES or "/" in host:
        return HostCertificates()
    for directory in directories:
        folder = Path(directory, host)
        try:
            paths = sorted(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            _LOGGER.debug("cannot look into %s: %s", folder, error.strerror)
            continue
        return _sorted_out(paths)
    return HostCertificates()


def _sorted_out(paths: Iterable[Path]) -> HostCertificates:
    by_suffix: dict[str, list[Path]] = {".crt": [], ".cert": [], ".key": []}
    for path in paths:
        by_suffix.get(path.suffix, []).append(path)
    certificates, keys = by_suffix[".cert"], by_suffix[".key"]
    for path in (*certificates, *keys):
        other = path.with_suffix(".key" if path.suffix == ".cert" else ".cert")
        if other not in (*certificates, *keys):
            raise InvalidConfigurationError(str(path), f"{other.name} is missing beside it")
    first = certificates[0] if certificates else None
    return HostCertificates(
        tuple(map(str, by_suffix[".crt"])),
        str(first) if first else "",
        str(first.with_suffix(".key")) if first else "",
    )
