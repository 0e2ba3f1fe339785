"""The root of the error tree, and the redaction of URLs."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

__all__ = [
    "OrasError",
    "redact_name",
    "redact_url",
]


_DIGEST: Final = re.compile(r"sha[0-9]+:|[a-z0-9+._-]+:[0-9a-fA-F]{32}")


def redact_url(url: str) -> str:
    """Return `url` without user information, query and fragment.

    The query of a presigned URL holds a signature, and user information may hold a
    password; neither belongs in a message or a log (R32).
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # a password with a slash in it would look like a port and a path
    except ValueError:
        return "<unparsable URL>"
    rest = f"{parts.path}?{parts.query}#{parts.fragment}"
    is_cut = "@" in rest and "@" not in parts.netloc and ":" in parts.netloc
    if is_cut or "@" in parts.path:
        # A password may contain `/`, `?` or `#`, which end the host.
        return "<unparsable URL>"
    host = parts.netloc.rpartition("@")[2]
    if not host and (parts.netloc or parts.path.startswith("//")):
        # In the rebuilt URL the path would become the host, with its user information.
        return "<unparsable URL>"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def redact_name(text: str) -> str:
    """Return the name of a registry or a reference without a password before `@`.

    A digest may follow `@` as well; the text before it stays.
    """
    name, at, rest = text.rpartition("@")
    if at and _DIGEST.match(rest):
        return f"{redact_name(name)}@{rest}"
    scheme, separator, user = name.rpartition("://")
    first, colon, _ = user.partition(":")
    if not at or not colon:
        return text
    return f"{scheme}{separator}{first}:<hidden>@{rest}"


def _restore(
    kind: type[OrasError], message: tuple[object, ...], facts: dict[str, object]
) -> OrasError:
    error = kind.__new__(kind, *message)
    error.args = message
    error.__dict__.update(facts)
    return error


class OrasError(Exception):
    """The root of all errors of this library."""

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the message and the facts: an error may cross to another process."""
        return _restore, (type(self), self.args, self.__dict__)
