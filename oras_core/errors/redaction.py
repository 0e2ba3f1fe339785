"""Removal of secrets and of control characters from texts that people read (R32).

The query of a presigned URL holds a signature, and user information may hold a password; neither
belongs in a message or a log (CWE-209, CWE-532). Control characters could steer a terminal.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final
from urllib.parse import urlsplit, urlunsplit

__all__ = [
    "may_be_printed",
    "one_line",
    "redact_name",
    "redact_text",
    "redact_url",
]

_UNPARSABLE: Final = "<unparsable URL>"

MAX_TEXT: Final = 4096
"""Characters of a foreign text that are shown or searched."""

MAX_CAUSES: Final = 16
"""Exceptions of a chain that are searched."""


@cache
def _digest() -> re.Pattern[str]:
    return re.compile(r"sha[0-9]+:|[a-z0-9+._-]+:[0-9a-fA-F]{32}")


@cache
def _name_with_password() -> re.Pattern[str]:
    return re.compile(r"\A((?:[a-z][a-z0-9+.-]*://)?+[^:@]*):.*@", re.IGNORECASE | re.DOTALL)


@cache
def _credentials() -> re.Pattern[str]:
    return re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")


@cache
def _urls() -> re.Pattern[str]:
    # With a password, a URL extends to the last `@`: the password may contain anything.
    return re.compile(r"(?i)\b[a-z][a-z0-9+.-]*://(?:[^\s/@:]*:.*@)?[^\s\"'<>)]*")


@cache
def _queries() -> re.Pattern[str]:
    return re.compile(r"\?[^\s'\"<>)]+")


def redact_url(url: str) -> str:
    """Return `url` without user information, query and fragment."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # a password with a slash in it would look like a port and a path
    except ValueError:
        return _UNPARSABLE
    host = parts.netloc.rpartition("@")[2]
    # A password may contain `/`, `?` or `#`, which end the host.
    may_be_cut = not parts.netloc or ":" in parts.netloc or "@" in parts.netloc
    if "@" in parts.path or (may_be_cut and "@" in f"{parts.query}{parts.fragment}"):
        return _UNPARSABLE
    if not host and (parts.netloc or parts.path.startswith("//")):
        # In the rebuilt URL the path would become the host, with its user information.
        return _UNPARSABLE
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def redact_name(text: str) -> str:
    """Return the name of a registry or a reference without a password before `@`.

    A digest may follow `@` as well; the text before it stays.
    """
    name, _, rest = text.rpartition("@")
    if _digest().match(rest):
        return f"{redact_name(name)}@{rest}"
    return _name_with_password().sub(r"\1:<hidden>@", text)


def one_line(text: str) -> str:
    """Return `text` as one line, with a space in place of each run of unprintable characters."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())


def redact_text(text: str) -> str:
    """Return one line without credentials, user information and queries of URLs.

    For texts of other libraries and of servers, which may repeat a request.
    """
    line = _credentials().sub(r"\1 <hidden>", one_line(text[:MAX_TEXT]))
    line = _urls().sub(lambda found: redact_url(found[0]), line)
    return _queries().sub("", line)


def may_be_printed(error: BaseException | None) -> bool:
    """Tell whether `error` and its causes, which a traceback prints, hold nothing to redact."""
    for _ in range(MAX_CAUSES):
        if error is None:
            return True
        if str(error) != redact_text(str(error)):
            return False
        error = error.__cause__ or error.__context__
    return False
