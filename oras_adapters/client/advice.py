"""Advice on errors: a note that says what to do, in terms of the client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from oras_core.errors import (
    AccessDeniedError,
    AuthenticationError,
    ContentError,
    CredentialError,
    FileAccessError,
    InvalidManifestError,
    NotFoundError,
    OrasError,
    RateLimitedError,
    RegistryError,
    SizeLimitError,
    SourceChangedError,
    TlsError,
    TransportError,
    UnsafeArchiveError,
    UnsafePathError,
)

__all__ = ["advising"]

_ADVICE: Final[tuple[tuple[type[OrasError], str], ...]] = (
    (
        AuthenticationError,
        "log in with client.login({host!r}, USER, PASSWORD) or `docker login {host}`",
    ),
    (
        AccessDeniedError,
        "check the name, and what the credential may do; some registries deny what is not there",
    ),
    (RateLimitedError, "wait, log in for a higher limit, or set a lower concurrency"),
    (NotFoundError, "check the name; client.tags() and client.manifest() show what exists"),
    (
        TlsError,
        "name the authority by the setting tls.extra_authorities, or set plain_http of the host",
    ),
    (TransportError, "check the host, the port, the proxy settings and the timeout; try again"),
    (SourceChangedError, "push again once nothing writes to the file"),
    (
        SizeLimitError,
        "if the size is right, raise the limit: limits= of Client, limit= of read",
    ),
    (ContentError, "try again; if it fails again, the source holds damaged bytes"),
    (UnsafeArchiveError, "ask who pushed it; include= and exclude= of pull choose other files"),
    (UnsafePathError, "ask who pushed it; include= and exclude= of pull choose other files"),
    (FileAccessError, "check the path, its permissions and the free space"),
    (
        InvalidManifestError,
        "check that the host is a registry, and the name that of an artifact; ask who pushed it",
    ),
    (CredentialError, "check the credential stores, which the setting credentials.stores names"),
)
"""The first type that fits counts."""

_TO_DO: Final = "To do: "


@contextmanager
def advising(*special: tuple[type[OrasError], str]) -> Iterator[None]:
    """Add a note that says what to do to an error of the library that leaves the block.

    A verb with two places opens two blocks, one in the other: the first adds the note.

    Args:
        special: kinds of errors with the advice that is right for one verb only.
    """
    try:
        yield
    except OrasError as error:
        if not any(note.startswith(_TO_DO) for note in getattr(error, "__notes__", ())):
            advice = _advice(error, (*special, *_ADVICE))
            if advice:
                host = urlsplit(getattr(error, "url", "")).netloc
                error.add_note(f"{_TO_DO}{advice.format(host=host)}.")
        raise


def _advice(error: OrasError, known: Iterable[tuple[type[OrasError], str]]) -> str:
    """Return what to do about an error; empty if its message says so."""
    if isinstance(error, InvalidManifestError) and not error.what:
        return ""  # an argument: the message says what is wrong with it
    for kind, advice in known:
        if isinstance(error, kind):
            return advice
    return _about_status(error.status) if isinstance(error, RegistryError) else ""


def _about_status(status: int) -> str:
    if status < 400:
        return "check that {host} is a registry, and that no proxy or web page answers for it"
    if status < 500:
        return "check the request; the log of the registry says more"
    return "try again later; the log of the registry says more"
