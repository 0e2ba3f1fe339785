"""`Session`: the default value of a client's `session`."""

from __future__ import annotations

import json as json_module
from collections.abc import Mapping, MutableMapping
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

from oras import _transports
from oras._client.connections import Connections
from oras._client.failures import reporting
from oras_core.errors import UnsupportedError
from oras_core.forks import ClosedOnExit
from oras_core.ports.http import Headers, HttpRequest

if TYPE_CHECKING:
    from oras._client.response import Response

__all__ = ["Session"]

_OF_REQUESTS: Final = frozenset(
    {"adapters", "cert", "cookies", "get_adapter", "hooks", "max_redirects", "mount", "params"}
    | {"prepare_request", "proxies", "send", "stream", "trust_env"}
)
"""Attributes of `requests.Session` that need a real one."""


class SessionOwner(Protocol):
    """The attributes of a client that its session uses."""

    tls_verify: bool | str
    own_session: Any

    @property
    def auth(self) -> Any:
        """The authentication backend."""

    @property
    def headers(self) -> dict[str, str]:
        """Header fields sent with every request to a registry."""
        ...

    @property
    def connections(self) -> Connections:
        """Gives access to the core's registry objects."""
        ...


class Session(ClosedOnExit):
    """Sends requests for a client, with the interface of `requests.Session`.

    Cookies are never stored (R13). Attributes that this class does not have, such as `mount`,
    `proxies`, `cert` and `trust_env`, are those of a `requests.Session`: their first use makes
    one, and the client sends its requests through it from then on.
    """

    def __init__(self, client: SessionOwner) -> None:
        """Send requests for `client`."""
        self._client = client

    @property
    def headers(self) -> MutableMapping[str, str]:
        """The client's header fields, sent with every request to a registry."""
        return self._client.headers

    @property
    def verify(self) -> bool | str:
        """The client's `tls_verify`."""
        return self._client.tls_verify

    @verify.setter
    def verify(self, verify: bool | str) -> None:
        self._client.tls_verify = verify

    def request(
        self,
        method: str,
        url: str,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        stream: bool = False,
        **_: Any,
    ) -> Response:
        """Send an HTTP request with the registry's credentials and with retries.

        Other arguments of `requests` have no effect: certificate verification, timeouts and
        redirects are settings of the client.

        Args:
            method: the HTTP method.
            url: the absolute URL.
            data: the body: bytes, text, an open binary file, or an iterable of bytes.
            headers: header fields. The dictionary is not modified.
            json: an object to send as JSON instead of `data`.
            stream: do not read the body until it is accessed.

        Raises:
            TransportError: if there is no response.
        """
        from datetime import timedelta  # noqa: PLC0415 - only raw requests need it

        from oras._client.response import Response  # noqa: PLC0415 - only raw requests need it

        fields = Headers(headers or {})
        if json is not None:
            data = json_module.dumps(json).encode()
            if "Content-Type" not in fields:
                fields = fields.with_fields({"Content-Type": "application/json"})
        request = HttpRequest(method.upper(), url, fields, _transports.as_source(data))
        with reporting():
            started = monotonic()
            answer = self._client.connections.send(request)
            response = Response(answer, request, timedelta(seconds=monotonic() - started))
            if not stream:
                response.content  # noqa: B018 - reads the body and releases the connection
        return response

    def get(self, url: str, **options: Any) -> Response:
        """Send a GET; see `request`."""
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Any) -> Response:
        """Send a HEAD; see `request`."""
        return self.request("HEAD", url, **options)

    def post(self, url: str, **options: Any) -> Response:
        """Send a POST; see `request`."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Any) -> Response:
        """Send a PUT; see `request`."""
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Any) -> Response:
        """Send a PATCH; see `request`."""
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Any) -> Response:
        """Send a DELETE; see `request`."""
        return self.request("DELETE", url, **options)

    @property
    def auth(self) -> tuple[str, str] | None:
        """The user name and password that the program gave to the client, or None."""
        backend = self._client.auth
        return (backend.username, backend.password) if backend.username else None

    @auth.setter
    def auth(self, auth: tuple[str, str] | None) -> None:
        if auth is not None:
            self._client.auth.set_basic_auth(*auth)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the `requests.Session` that replaces this session."""
        if name not in _OF_REQUESTS:
            raise AttributeError(f"the session of a client has no attribute {name!r}")
        return getattr(self._replacement(name), name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute, maybe of the `requests.Session` that replaces this session."""
        if name in _OF_REQUESTS:
            setattr(self._replacement(name), name, value)
        else:
            super().__setattr__(name, value)

    def _replacement(self, name: str) -> Any:
        if self._client.own_session is None:
            try:
                session = import_module("requests").Session()
            except ImportError as error:
                raise UnsupportedError(
                    f"use session.{name}", "assign a requests.Session: pip install requests"
                ) from error
            from http.cookiejar import DefaultCookiePolicy  # noqa: PLC0415 - `requests` needs it

            session.headers.clear()
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            self._client.own_session = session
        return self._client.own_session

    def close(self) -> None:
        """Close the client's connections. The next request opens new ones."""
        self._client.connections.close()
