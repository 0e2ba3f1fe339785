"""`reporting`: the boundary at which errors of the core become those of the client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from oras import _transports
from oras_core.errors import OrasError, RegistryError, TransportError
from oras_core.ports.http import HttpRequest

if TYPE_CHECKING:
    from oras._client.response import Response

__all__ = ["reporting"]


@contextmanager
def reporting() -> Iterator[None]:
    """Raise the errors of the core as classes that oras-py's callers catch.

    Raises:
        RegistryError: also a ValueError; see `oras.errors`.
        Exception: an exception that a user's method raised.
    """
    try:
        yield
    except OrasError as error:
        if isinstance(error, _transports.PassedError):
            raise error.error from error.error.__cause__
        from oras._client.translation import translated  # noqa: PLC0415 - only errors need it

        other: Any = translated(error)
        if isinstance(error, RegistryError) and getattr(other, "response", error) is None:
            other.response = _response_of(error)
        if isinstance(error, (RegistryError, TransportError)) and other is not error:
            other.request = HttpRequest(error.method, error.url)
        if other is error:
            raise
        raise other.with_traceback(error.__traceback__) from error.__cause__


def _response_of(error: RegistryError) -> Response:
    """Return a response with the facts of an error. The core does not keep the original."""
    from oras._client.response import Response  # noqa: PLC0415 - only errors need it

    entries = [{"code": code, "message": error.detail} for code in error.codes or ("UNKNOWN",)]
    document = json.dumps({"errors": entries}).encode()
    return Response.of(error.status, {"Content-Type": "application/json"}, document, url=error.url)
