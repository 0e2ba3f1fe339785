"""The root of the error tree, and the redaction of URLs."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

__all__ = [
    "OrasError",
    "redact_url",
]


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
    host = parts.netloc.rpartition("@")[2]
    if not host and (parts.netloc or parts.path.startswith("//")):
        # In the rebuilt URL the path would become the host, with its user information.
        return "<unparsable URL>"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


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
