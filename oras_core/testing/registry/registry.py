"""A registry as an `HttpTransport`: it answers requests in the same process.

A test needs no socket. `oras_adapters.registry_server` serves it on a port for other
clients.
"""

from __future__ import annotations

import io
import time
from collections import deque
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

from oras_core.ports.files import FileTree
from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.testing.registry.auth import (
    Access,
    BasicAccess,
    OpenAccess,
    TokenService,
    Users,
)
from oras_core.testing.registry.blobs import EmbeddedBlobs
from oras_core.testing.registry.manifests import EmbeddedManifests
from oras_core.testing.registry.routes import ApiError, Call, json_answer
from oras_core.testing.registry.storage import EmbeddedStorage
from oras_core.testing.registry.uploads import EmbeddedUploads

__all__ = ["EmbeddedRegistry", "RecordedRequest"]

MAX_RECORDED: Final = 10_000
"""Number of requests that are recorded: a server that runs for days needs bounded memory."""


UPLOAD_LIFETIME: Final = 3600.0
"""Seconds that an upload session is kept without a request."""

READS: Final = ("GET", "HEAD")


@frozen
class RecordedRequest:
    """A request that was answered.

    Attributes:
        method: the HTTP method.
        path: the path of the URL.
        query: the query of the URL, or an empty string.
        headers: the header fields as received. Their repr hides secrets.
        status: the status of the answer.
        url: the whole URL.
    """

    method: str
    path: str
    query: str
    headers: Headers
    status: int
    url: str


class EmbeddedRegistry(HttpTransport):
    """A registry by the OCI distribution spec 1.1. Thread-safe.

    It answers at any host name. It stores everything in `files`, and serves what `files`
    contains already. While it copies the bytes of a blob, it holds no lock but that of the
    upload session.

    Args:
        files: the storage; None for memory.
        users: passwords by name, or `Logins`; if given, Basic authentication is required.
        token_service: if given, its bearer tokens are required.
        referrers: whether the registry has a referrers API (R31).
        sparse: whether a manifest is accepted if the registry lacks its blobs, or an index
            if the registry lacks its manifests.
        read_only: whether every request that would change the content is refused.
        upload_lifetime: seconds without a request after which an upload session expires.
        now: the clock for `upload_lifetime`.

    Raises:
        ValueError: if both `users` and `token_service` are given.
    """

    def __init__(
        self,
        files: FileTree | None = None,
        *,
        users: Users | None = None,
        token_service: TokenService | None = None,
        referrers: bool = True,
        sparse: bool = False,
        read_only: bool = False,
        upload_lifetime: float = UPLOAD_LIFETIME,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if users is not None and token_service is not None:
            raise ValueError("users belong to the token service where there is one")
        self._access = _access(users, token_service)
        storage = EmbeddedStorage(MemoryFileTree() if files is None else files)
        self._handlers = _handlers(
            EmbeddedBlobs(storage),
            EmbeddedUploads(storage, lifetime=upload_lifetime, now=now),
            EmbeddedManifests(storage, referrers=referrers, sparse=sparse),
        )
        self._read_only = read_only
        self._requests: deque[RecordedRequest] = deque(maxlen=MAX_RECORDED)
        self._lock = Lock()

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """The requests answered so far, oldest first; at most `MAX_RECORDED`."""
        with self._lock:
            return tuple(self._requests)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer `request`; see the port. Errors of the request body are raised unchanged."""
        response = self._access.answer(request) or self._answer(request)
        self._record(request, response.status)
        if request.method != "HEAD":
            return response
        response.close()
        return HttpResponse(
            response.status,
            response.headers,
            body=io.BytesIO(),
            reason=response.reason,
            url=request.url,
        )

    def _answer(self, request: HttpRequest) -> HttpResponse:
        try:
            call = Call.of(request)
            if call.kind == "none":
                raise ApiError(404, "UNSUPPORTED", "there is no such endpoint")
            self._access.check(call)
            if self._read_only and call.method not in READS:
                reads = {"Allow": ", ".join(READS)}
                raise ApiError(405, "UNSUPPORTED", "the registry is read-only", reads)
            handlers = self._handlers[call.kind]
            handler = handlers.get("GET" if call.method == "HEAD" else call.method)
            if handler is None:
                heads = ["HEAD"] if "GET" in handlers else []
                allowed = {"Allow": ", ".join([*handlers, *heads])}
                raise ApiError(405, "UNSUPPORTED", f"{call.method} is not for this", allowed)
            return handler(call)
        except ApiError as error:
            return error.response()

    def _record(self, request: HttpRequest, status: int) -> None:
        url = urlsplit(request.url)
        with self._lock:
            self._requests.append(
                RecordedRequest(
                    request.method, url.path, url.query, request.headers, status, request.url
                )
            )


def _access(users: Users | None, token_service: TokenService | None) -> Access:
    if token_service is not None:
        return token_service
    return OpenAccess() if users is None else BasicAccess(users)


Handler = Callable[[Call], HttpResponse]


def _handlers(
    blobs: EmbeddedBlobs, uploads: EmbeddedUploads, manifests: EmbeddedManifests
) -> Mapping[str, Mapping[str, Handler]]:
    """Return the handlers by kind of endpoint and method; GET serves HEAD too."""
    return {
        "ping": {"GET": _pong},
        "catalog": {"GET": manifests.catalog},
        "blob": {"GET": blobs.get, "DELETE": blobs.delete},
        "uploads": {"POST": uploads.start},
        "upload": {
            "GET": uploads.status,
            "PATCH": uploads.append,
            "PUT": uploads.finish,
            "DELETE": uploads.cancel,
        },
        "manifest": {
            "GET": manifests.get,
            "PUT": manifests.put,
            "DELETE": manifests.delete,
        },
        "tags": {"GET": manifests.tags},
        "referrers": {"GET": manifests.referrers},
    }


def _pong(_: Call) -> HttpResponse:
    return json_answer(200, {})
