"""`ClientAttributes`: the attributes of a client, with defaults, and assignable at any time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from oras._client.connections import Connections
from oras._client.session import Session
from oras.auth import AuthBackend, get_auth_backend
from oras_core.forks import ConnectionHolder
from oras_core.lazy import made_once

__all__ = ["ClientAttributes"]


class ClientAttributes(ConnectionHolder):
    """The attributes of a client.

    A subclass need not call `super().__init__`, so each attribute has a default.

    Attributes:
        hostname: the registry of names that have none. None means Docker Hub.
        headers: header fields sent with every request to a registry.
        prefix: the scheme for the registry used last, `http` or `https`. Assign one to use it
            for all registries; `https` on the loopback interface is tried first there.
        tls_verify: True, False to verify no certificate, or the path of a CA bundle.
        timeout: seconds for connecting and for each read and write, or both one after the other;
            None to follow the settings. It has no effect after the first request.
        auth: the authentication backend.
        connections: gives access to the core's registry objects.
    """

    _in_a_worker = "Make one in the worker, where the same settings and credentials apply."

    _own_methods: ClassVar[Mapping[str, object]]
    chosen_prefix: str | None = None
    tls_verify: bool | str = True
    timeout: float | tuple[float, float] | None = None
    own_session: Any = None
    _hostname: str | None = None

    do_request: Callable[..., Any]

    @made_once
    def headers(self) -> dict[str, str]:
        """Header fields sent with every request to a registry."""
        return {}

    @made_once
    def connections(self) -> Connections:
        """Gives access to the core's registry objects."""
        return Connections(self)  # pyright: ignore[reportArgumentType] - it does not read made_once

    @made_once
    def auth(self) -> Any:
        """The authentication backend."""
        return get_auth_backend("token", session=self.session, hostname=self.hostname)

    @made_once
    def _default_session(self) -> Session:
        return Session(self)  # pyright: ignore[reportArgumentType] - it does not read made_once

    @property
    def hostname(self) -> str | None:
        """The registry of names that have none. None means Docker Hub."""
        return self._hostname

    @hostname.setter
    def hostname(self, hostname: str | None) -> None:
        self._hostname = hostname
        backend = vars(self).get("auth")
        if isinstance(backend, AuthBackend):
            backend.hostname = hostname

    @property
    def prefix(self) -> str:
        """The scheme for the registry used last, or else for `hostname`."""
        return self.connections.current_scheme(self.hostname)

    @prefix.setter
    def prefix(self, prefix: str) -> None:
        self.chosen_prefix = prefix

    @property
    def _tls_verify(self) -> bool | str:
        return self.tls_verify

    @_tls_verify.setter
    def _tls_verify(self, verify: bool | str) -> None:
        self.tls_verify = verify

    @property
    def session(self) -> Any:
        """The object that sends requests.

        Assign a `requests.Session`, or a compatible object, to send all requests through it.
        Credentials and retries still apply.
        """
        return self._default_session if self.own_session is None else self.own_session

    @session.setter
    def session(self, session: Any) -> None:
        self.own_session = None if session is self._default_session else session
