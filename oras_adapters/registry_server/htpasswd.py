"""Logins from a file of the program `htpasswd`, with bcrypt hashes."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets

from oras_core.errors import InvalidConfigurationError
from oras_core.testing.registry.auth import Logins

__all__ = ["HtpasswdLogins"]


class HtpasswdLogins(Logins):
    """Checks passwords against bcrypt hashes. Thread-safe."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Read the file.

        Raises:
            InvalidConfigurationError: if the file cannot be read, if a line is not
                `NAME:BCRYPT-HASH`, or if bcrypt is not installed.
        """
        try:
            import bcrypt  # noqa: PLC0415 - of the extra `testing`
        except ImportError as error:
            raise InvalidConfigurationError(
                os.fspath(path),
                "bcrypt is not installed; run: pip install 'oras-sdk[testing]'",
            ) from error
        self._matches = bcrypt.checkpw
        self._hashes = dict(_read(path))
        # A bcrypt hash is slow on purpose, and a client sends its password with each request.
        self._key = secrets.token_bytes(32)
        self._accepted: dict[str, bytes] = {}

    def accepts(self, name: str, password: str) -> bool:
        """Tell whether the password is that of the user `name`."""
        hashed = self._hashes.get(name)
        if hashed is None:
            return False
        digest = hmac.digest(self._key, password.encode(), hashlib.sha256)
        if hmac.compare_digest(self._accepted.get(name, b""), digest):
            return True
        if not self._matches(password.encode(), hashed):
            return False
        self._accepted[name] = digest
        return True


def _read(path: str | os.PathLike[str]) -> list[tuple[str, bytes]]:
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfigurationError(
            os.fspath(path), f"the file cannot be read: {error}"
        ) from error
    logins = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, hashed = line.strip().partition(":")
        if not (name and hashed.startswith(("$2a$", "$2b$", "$2y$"))):
            raise InvalidConfigurationError(
                f"{os.fspath(path)}, line {number}",
                "it is not NAME:BCRYPT-HASH; make the file by `htpasswd -B -c FILE NAME`",
            )
        logins.append((name, hashed.encode()))
    return logins
