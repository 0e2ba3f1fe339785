"""Certificate folders for single registries: `certs.d` of docker and podman."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from oras_core.errors import InvalidConfigurationError
from oras_core.model.hosts import canonical_registry

__all__ = ["HostCertificates", "find_certificates"]

_LOGGER = logging.getLogger(__name__)

_NO_NAMES: Final = frozenset({"", ".", ".."})


class HostCertificates(NamedTuple):
    """The PEM files of one registry's folder.

    Attributes:
        authorities: `*.crt`: authorities to trust in addition to the usual ones.
        client_certificate: the first `*.cert`; empty for none.
        client_key: the `*.key` of the same name.
    """

    authorities: tuple[str, ...] = ()
    client_certificate: str = ""
    client_key: str = ""


def find_certificates(directories: Iterable[str], host: str) -> HostCertificates:
    """Return the files in the first folder for `host` below `directories`.

    An unreadable folder counts as absent, as with docker and podman.

    Args:
        directories: `certs.d` folders in the order of their precedence.
        host: `HOST` or `HOST:PORT`, which is the folder's name in some spelling.

    Raises:
        InvalidConfigurationError: if a certificate lacks its key, or a key its certificate.
    """
    if host in _NO_NAMES or "/" in host:
        return HostCertificates()
    wanted = canonical_registry(host)
    for directory in directories:
        for folder in _entries(Path(directory)) or ():
            if canonical_registry(folder.name) != wanted:
                continue
            paths = _entries(folder)
            if paths is not None:
                return _sorted_out(paths)
    return HostCertificates()


def _entries(folder: Path) -> list[Path] | None:
    """Return the entries of a folder; None if the folder is absent or unreadable."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        _LOGGER.debug("cannot read the folder %s: %s", folder, error.strerror)
        return None


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
