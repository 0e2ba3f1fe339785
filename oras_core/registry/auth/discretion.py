"""Keeping to ourselves what a registry repeats of the credential that it was shown.

Some error bodies say who was refused with which password; what they say becomes part of
messages and logs, which are read by others than those who may know it (CWE-209, CWE-532).
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection

from oras_core.ports.content import ByteStream
from oras_core.ports.http import HttpResponse

__all__ = ["without_repeated"]


def without_repeated(
    response: HttpResponse, secrets: Collection[str], *, limit: int
) -> HttpResponse:
    """Return an error answer whose body is empty if it repeats one of `secrets`.

    An answer that is no error is returned as it is: its body is content.

    Args:
        response: the answer.
        secrets: what was sent; empty ones count for nothing.
        limit: bytes that are looked at, which is all that an error message is made of.
    """
    sought = {form for secret in secrets if secret for form in _forms(secret)}
    if response.status < 400 or not sought:
        return response
    return response.with_body(_DiscreetStream(response.body, sought, limit))


def _forms(secret: str) -> tuple[bytes, bytes]:
    # As it is, and as JSON has it, where a quotation mark looks different.
    return secret.encode("utf-8", "surrogateescape"), json.dumps(secret)[1:-1].encode()


class _DiscreetStream:
    """A body that is looked through before its first byte is given out."""

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
