"""Removal of credentials that a registry repeats in an error body.

Some error bodies contain the refused password. Error bodies become part of error messages and
logs, which other people may read (CWE-209, CWE-532).
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterable
from urllib.parse import quote, quote_plus

from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.responses import settled

__all__ = ["Discreet", "without_repeated"]


class Discreet:
    """A transport whose error responses do not repeat the secrets that were sent."""

    def __init__(self, transport: HttpTransport, secrets: Collection[str]) -> None:
        """Wrap `transport`; empty `secrets` are ignored."""
        self._transport = transport
        self._secrets = secrets

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`; raises as the transport does."""
        return without_repeated(self._transport.send(request), self._secrets)


def without_repeated(response: HttpResponse, secrets: Collection[str]) -> HttpResponse:
    """Return the response; an error response that repeats one of `secrets` gets an empty body.

    A successful response is returned unchanged: its body is a blob or a manifest.
    """
    sought = {form for secret in secrets if secret for form in _forms(secret)}
    if response.status < 400 or not sought:
        return response
    response = settled(response)
    said = response.body.read()
    return response.with_body(io.BytesIO(b"" if any(form in said for form in sought) else said))


def _forms(secret: str) -> Iterable[bytes]:
    """Return the secret as plain text, as a JSON string, and as encoded in a URL or a form."""
    text = secret.encode("utf-8", "surrogateescape")
    return text, json.dumps(secret)[1:-1].encode(), quote(text).encode(), quote_plus(text).encode()
