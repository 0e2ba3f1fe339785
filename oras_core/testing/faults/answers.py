"""Faults of answers: errors, and answers that a registry or a proxy has changed."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from attrs import define, evolve, field

from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.testing.faults.fault import Fault, empty_answer
from oras_core.testing.faults.streams import GzipStream
from oras_core.testing.registry.routes import ApiError

__all__ = ["CompressedBodies", "OtherHeaders", "OtherStatus", "Refused", "RelativeLocations"]


@define(eq=False)
class Refused(Fault):
    """Answers with an error status, without the wrapped transport: 429, 500, 503 and others.

    `code` is the error code in the body, such as `UNSUPPORTED`; empty for no body. `retry_after`
    is the value of `Retry-After`: seconds, or a date of HTTP; None for no field.
    """

    status: int = field(kw_only=True)
    code: str = field(default="", kw_only=True)
    retry_after: int | str | None = field(default=None, kw_only=True)

    def _misbehave(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002
        after = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.code:
            return ApiError(self.status, self.code, "refused on request", after).response()
        return empty_answer(self.status, after)


@define(eq=False)
class OtherStatus(Fault):
    """Replaces the status of successful answers by another, such as 200 or 204 for 201."""

    status: int = field(kw_only=True)

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        response = self.transport.send(request)
        if not 200 <= response.status < 300:
            return response
        return evolve(response, status=self.status)


@define(eq=False)
class OtherHeaders(Fault):
    """Replaces or removes header fields of the answers, such as a false `Content-Encoding`.

    `fields` has the new values by name; None removes a field.
    """

    fields: Mapping[str, str | None] = field(kw_only=True)

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        response = self.transport.send(request)
        new = {name: value for name, value in self.fields.items() if value is not None}
        headers = response.headers.without(*self.fields).with_fields(new)
        return evolve(response, headers=headers)


@define(eq=False)
class RelativeLocations(Fault):
    """Makes each `Location` relative to the origin: a path and a query."""

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        response = self.transport.send(request)
        location = response.headers.get("Location")
        if location is None:
            return response
        relative = urlunsplit(("", "", *urlsplit(location)[2:]))
        return evolve(response, headers=response.headers.with_fields({"Location": relative}))


@define(eq=False)
class CompressedBodies(Fault):
    """Compresses the bodies of GET by gzip, as some proxies do, and says so."""

    def _concerns(self, request: HttpRequest) -> bool:
        return request.method == "GET"

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        response = self.transport.send(request)
        if response.status != 200:
            return response
        headers = response.headers.without("Content-Length", "Accept-Ranges")
        encoded = evolve(response, headers=headers.with_fields({"Content-Encoding": "gzip"}))
        return encoded.with_body(GzipStream(response.body))
