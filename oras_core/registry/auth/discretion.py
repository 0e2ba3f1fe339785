"""Removal of credentials that a registry repeats in an error body.

Some error bodies contain the refused password. Error bodies become part of error messages and
logs, which other people may read (CWE-209, CWE-532).
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterable
from urllib.parse import quote, quote_plus

from oras_core.ports.content import ByteStream
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport

__all__ = ["Discreet", "without_repeated"]


class Discreet:
    """A transport whose error responses do not repeat the secrets that were sent."""

    def __init__(self, transport: HttpTransport, secrets: Collection[str], *, limit: int) -> None:
        """Wrap `transport`; for the arguments see `without_repeated`."""
        self._transport = transport
        self._secrets = secrets
        self._limit = limit

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`; raises as the transport does."""
        return without_repeated(self._transport.send(request), self._secrets, limit=self._limit)


def without_repeated(
    response: HttpResponse, secrets: Collection[str], *, limit: int
) -> HttpResponse:
    """Return the response; an error response that repeats a secret gets an empty body.

    A successful response is returned unchanged: its body is a blob or a manifest.

    Args:
        response: the response.
        secrets: the secrets that were sent; empty ones are ignored.
        limit: maximum number of bytes to search, and to make an error message of.
    """
    sought = {form for secret in secrets if secret for form in _forms(secret)}
    if response.status < 400 or not sought:
        return response
    return response.with_body(_DiscreetStream(response.body, sought, limit))


def _forms(secret: str) -> Iterable[bytes]:
    """Return the secret as plain text, as a JSON string, and as it stands in a URL or a form."""
    text = secret.encode("utf-8", "surrogateescape")
    return text, json.dumps(secret)[1:-1].encode(), quote(text).encode(), quote_plus(text).encode()


class _DiscreetStream:
    """A body that is searched before the first read returns."""

    def __init__(self, stream: ByteStream, sought: Collection[bytes], limit: int) -> None:
        self._stream = stream
        self._sought = sought
        self._limit = limit
        self._looked_through: io.BytesIO | None = None

    def read(self, size: int = -1, /) -> bytes:
        if self._looked_through is None:
            beginning = self._beginning()
            repeats = any(form in beginning for form in self._sought)
            self._looked_through = io.BytesIO(b"" if repeats else beginning)
            if repeats:
                self._stream.close()
                self._stream = io.BytesIO()
        piece = self._looked_through.read(size)
        if size < 0:
            return piece + self._stream.read(-1)
        return piece or self._stream.read(size)

    def _beginning(self) -> bytes:
        pieces = []
        left = self._limit
        while left > 0 and (piece := self._stream.read(left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        self._stream.close()
