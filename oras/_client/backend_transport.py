"""Authentication by a custom backend instead of the core's `Authorizer`."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from attrs import evolve

from oras._client.response import Response
from oras.auth.base import AuthBackend
from oras_core.forks import ForkSafeLock
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.responses import settled
from oras_core.registry.transports.redirects import origin_of

__all__ = ["BackendAuthorization"]


class BackendAuthorization:
    """Connects one backend with all registries of a client. Thread-safe.

    The backend's preemptive header belongs to the registry that first received it, or that
    the backend created it for. Another registry receives it only if the backend returns it
    in response to that registry's own challenge (R10).

    Attributes:
        backend: an object with `authenticate_request` and, optionally, `get_auth_header`.
    """

    def __init__(self, backend: Any) -> None:
        """Wrap `backend`, which is called by one thread at a time."""
        self.backend = backend
        self._offered = ""
        self._owner = ""
        self._lock = ForkSafeLock()

    def __call__(self, transport: HttpTransport, origin: str) -> HttpTransport:
        """Return a transport that authenticates requests to `origin` only."""
        return _BackendTransport(transport, origin_of(origin), self)

    def header_for(self, origin: str) -> dict[str, str]:
        """Return the header to send to `origin` before any challenge."""
        with self._lock:
            if isinstance(self.backend, AuthBackend):
                self.backend.known_at(origin)  # selects the header for this origin
            header = self._own_header()
            value = header.get("Authorization", "")
            if value and value != self._offered:
                self._offered, self._owner = value, origin
            return header if value and self._owner == origin else {}

    def answer(
        self, response: Response, headers: Mapping[str, str], origin: str, *, refresh: bool
    ) -> dict[str, str] | None:
        """Return the backend's answer to a 401 or 403 as header fields, or None."""
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
            return {}  # the backend has no preemptive header


class _BackendTransport:
    """Sends as oras-py does: once first, again after a 401 or 403, and again after a 403."""

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
            response = settled(response)
            said = response.body.read()
            fields = self._authorization.answer(
                Response(evolve(response, body=io.BytesIO(said)), sent),
                sent.headers,
                self._origin,
                refresh=refresh,
            )
            if fields is None:
                return evolve(response, body=io.BytesIO(said))
            sent = sent.with_headers(fields)
            response = self._transport.send(sent).following(response)
        return response
