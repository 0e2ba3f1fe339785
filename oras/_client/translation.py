"""Translate errors of the core into those that callers of oras-py catch.

A registry's error becomes its class in `oras.errors`, which is also a `ValueError`. If the
program has imported `requests`, errors of requests and connections also become the
matching exceptions of `requests`. The library itself does not need `requests`.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, Final, TypeVar

from oras import errors
from oras_core.errors import (
    AccessDeniedError,
    AuthenticationError,
    OrasError,
    RateLimitedError,
    RegistryError,
    RegistryNotFoundError,
    TlsError,
    TransportError,
    TransportTimeoutError,
    UnsafeRedirectError,
)

__all__ = ["translated"]

E = TypeVar("E", bound=OrasError)

_PUBLIC: Final[dict[type[OrasError], type[OrasError]]] = {
    AccessDeniedError: errors.AccessDeniedError,
    AuthenticationError: errors.AuthenticationError,
    RateLimitedError: errors.RateLimitedError,
    RegistryError: errors.RegistryError,
    RegistryNotFoundError: errors.RegistryNotFoundError,
}

# The first match counts. A timeout is also a ConnectionError, because the core does not say
# whether it expired while connecting, for which `requests` raises both.
_REQUESTS: Final[tuple[tuple[type[OrasError], tuple[str, ...]], ...]] = (
    (TransportTimeoutError, ("Timeout", "ConnectionError")),
    (TlsError, ("SSLError",)),
    (TransportError, ("ConnectionError",)),
    (RegistryError, ("HTTPError",)),
    (UnsafeRedirectError, ("RequestException",)),
)


def translated(error: E) -> E:
    """Return `error` as the class that callers of oras-py catch, with the same facts.

    Errors that need no translation are returned unchanged.
    """
    kind: Any = _PUBLIC.get(type(error), type(error))
    if "requests.exceptions" in sys.modules and "_oras_kind" not in vars(kind):
        kind = _kind_for_requests(kind)
    if kind is type(error):
        return error
    other: Any = kind.__new__(kind)
    other.args = error.args
    other.__dict__.update(error.__dict__)
    return other  # type: ignore[no-any-return]


@cache
def _kind_for_requests(kind: type[OrasError]) -> type[OrasError]:
    names = next((names for core, names in _REQUESTS if issubclass(kind, core)), ())
    if not names:
        return kind
    exceptions = sys.modules["requests.exceptions"]
    body = {
        "__doc__": kind.__doc__,
        "__module__": errors.__name__,  # tracebacks and reports show the public name
        "__new__": OSError.__new__,  # the root of the exceptions of `requests`
        "__reduce__": _reduce,
        "_oras_kind": kind,
        "response": None,
        "request": None,
    }
    return type(kind.__name__, (kind, *(getattr(exceptions, name) for name in names)), body)


def _reduce(error: Any) -> tuple[object, ...]:
    facts = {name: fact for name, fact in vars(error).items() if name not in _ANSWER}
    return _restore, (error._oras_kind, error.args, facts)


_ANSWER: Final = ("response", "request")
"""Attributes that hold a connection, and so cannot be pickled."""


def _restore(
    kind: type[OrasError], message: tuple[object, ...], facts: dict[str, object]
) -> OrasError:
    error = kind.__new__(kind)
    error.args = message
    error.__dict__.update(facts)
    return translated(error)
