"""Authentication by a backend of the program's own, in place of the core's Authorizer."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping
from typing import Any

from attrs import evolve

from oras._client.response import Response
from oras.auth.base import AuthBackend
from oras_core.model.limits import MAX_ERROR_BODY
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.transports.redirects import origin_of

__all__ = ["BackendAuthorization"]


class BackendAuthorization:
    """What one backend knows and does, for all registries of a client. Thread-safe.

    The header that the backend offers unasked belongs to the registry that it was first
    sent to, or that the backend made it for; another one gets it only if the backend
    answers that registry's own challenge with it (R10).

    Attributes:
        backend: has `authenticate_request`, and maybe `get_auth_header`.
    """

    def __init__(self, backend: Any) -> None:
        """Ask `backend`, by one thread at a time."""
        self.backend = backend
        self._offered = ""
        self._owner = ""
        self._lock = threading.Lock()

    def __call__(self, transport: HttpTransport, origin: str) -> HttpTransport:
        """Return a transport that authenticates requests to `origin`, and no others."""
        return _BackendTransport(transport, origin_of(origin), self)

    def header_for(self, origin: str) -> dict[str, str]:
        """Return what may be sent to `origin` unasked."""
        with self._lock:
            if isinstance(self.backend, AuthBackend):
                self.backend.known_at(origin)  # so that its header is the one for there
            header = self._own_header()
            value = header.get("Authorization", "")
            if value and value != self._offered:
                self._offered, self._owner = value, origin
            return header if value and self._owner == origin else {}

    def answer(
        self, response: Response, headers: Mapping[str, str], origin: str, *, refresh: bool
    ) -> dict[str, str] | None:
        """Return the header fields that the backend answers a refusal with; None if it cannot."""
        with self._lock:
            fields, changed = self.backend.authenticate_request(
                response, dict(headers), refresh=refresh
            )
            value = self._own_header().get("Authorization", "")
            if changed and value:
                self._offered, self._owner = value, origin
            return dict(fields) if changed else None

    def _own_header(self) -> dict[str, str]:
        offer = getattr(self.backend, "get_auth_header", None)
        if offer is None:
            return {}
        try:
            return dict(offer() or {})
        except (AttributeError, NotImplementedError):
            return {}  # of backends that have nothing before they are asked


class _BackendTransport:
    """Sends as oras-py does: once unasked, once after a 401 or 403, once more after a 403."""

    def __init__(
        self, transport: HttpTransport, origin: str, authorization: BackendAuthorization
    ) -> None:
        self._transport = transport
        self._origin = origin
        self._authorization = authorization

    def send(self, request: HttpRequest) -> HttpResponse:
        if origin_of(request.url) != self._origin or "Authorization" in request.headers:
            return self._transport.send(request)
        sent = request.with_headers(self._authorization.header_for(self._origin))
        response = self._transport.send(sent)
        for refusals, refresh in ((frozenset({401, 403}), False), (frozenset({403}), True)):
            answered = origin_of(response.url or request.url)
            if response.status not in refusals or answered != self._origin:
                break
            said = _read(response)
            fields = self._authorization.answer(
                Response(evolve(response, body=io.BytesIO(said)), sent),
                sent.headers,
                self._origin,
                refresh=refresh,
            )
            if fields is None:
                return evolve(response, body=io.BytesIO(said))
            sent = sent.with_headers(fields)
            response = self._transport.send(sent)
        return response


def _read(response: HttpResponse) -> bytes:
    """Return what matters of the body, and give the connection back."""
    body = bytearray()
    with response:
        while chunk := response.body.read(MAX_ERROR_BODY - len(body)):
            body += chunk
    return bytes(body)
