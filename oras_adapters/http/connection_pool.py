"""Connections that are kept for later requests, for each server on the way to it."""

from __future__ import annotations

import ssl
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from oras_adapters.http.kept_connection import KeptConnection
from oras_adapters.http.receiver import HungUpError
from oras_adapters.http.routes import ProxyLogin, Route
from oras_adapters.http.urllib3_connection import Dialing, open_link
from oras_core.cancellation import current_token

__all__ = ["ConnectionPool", "ConnectionPools"]

HOSTS: Final = 32
"""Servers for which idle connections are kept; registries redirect to a few storage hosts."""


class ConnectionPool:
    """The connections to one server. Thread-safe."""

    def __init__(self, route: Route, dialing: Dialing, size: int) -> None:
        """Keep up to `size` idle connections."""
        self.route = route
        self.host_field: str = route.host_field
        self.fields: dict[str, str] = (
            ProxyLogin(route.proxy or "").fields if route.is_forwarded else {}
        )
        self._dialing = dialing
        self._size = size
        self._lock = threading.Lock()
        self._idle: list[KeptConnection] = []
        self._open: set[KeptConnection] = set()
        self._session: ssl.SSLSession | None = None
        # A program may delete a transport without closing it.
        weakref.finalize(self, _close_all, self._open)

    def take(self) -> KeptConnection:
        """Return an idle connection, or a new one; the thread's token can shut it down.

        Raises:
            HungUpError: if the server sends something before the request.
            Exception: what opening a connection raises.
        """
        while (connection := self._pop()) is not None:
            if connection.is_quiet:
                connection.link.lifeline.tie(current_token())
                return connection
            self._discard(connection)
        link = open_link(self.route, self._dialing, self._session)
        connection = KeptConnection(link, self._dialing.read, self._dialing.parse)
        if not connection.is_quiet:
            connection.close()
            raise HungUpError("the server sent data, or hung up, before the request")
        with self._lock:
            self._open.add(connection)
        return connection

    def give_back(self, connection: KeptConnection) -> None:
        """Keep a connection for the next request if its exchange is complete; else close it."""
        connection.link.lifeline.untie()
        if not connection.used:
            # Read once for each connection: with TLS 1.3 the session arrives with a response.
            connection.used = True
            self._session = connection.link.session or self._session
        with self._lock:
            kept = connection.is_fresh and len(self._idle) < self._size
            if kept:
                self._idle.append(connection)
        if not kept:
            self._discard(connection)

    def close(self) -> None:
        """Close the idle connections, and those in use after their exchange."""
        self._size = 0
        while (connection := self._pop()) is not None:
            self._discard(connection)

    def close_copies(self) -> None:
        """Close a forked process's copies of all connections, which the parent still uses."""
        _close_all(self._open)

    def _pop(self) -> KeptConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _discard(self, connection: KeptConnection) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()


def _close_all(connections: set[KeptConnection]) -> None:
    for connection in list(connections):
        connection.close()


class ConnectionPools:
    """The pools of one process. Thread-safe."""

    def __init__(self, new_pool: Callable[[str, str], ConnectionPool]) -> None:
        """Make pools by `new_pool`, which gets the scheme and the network location of a URL."""
        self._new_pool = new_pool
        self._pools: OrderedDict[tuple[str, str], ConnectionPool] = OrderedDict()
        self._lock = threading.Lock()

    def pool(self, scheme: str, location: str) -> ConnectionPool:
        """Return the pool for URLs of a scheme and a network location.

        Raises:
            ValueError: if they name no server.
            InvalidConfigurationError: if the proxy for the server cannot be used.
        """
        key = (scheme, location)
        with self._lock:
            pool = self._pools.get(key)
            if pool is not None:
                self._pools.move_to_end(key)
                return pool
            pool = self._pools[key] = self._new_pool(scheme, location)
            evicted = self._pools.popitem(last=False)[1] if len(self._pools) > HOSTS else None
        if evicted is not None:
            evicted.close()
        return pool

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            pools = list(self._pools.values())
            self._pools.clear()
        for pool in pools:
            pool.close()

    def close_copies(self) -> None:
        """Close a forked process's copies of all connections, which the parent still uses."""
        for pool in self._pools.values():
            pool.close_copies()
