"""Connections that wait for their next request."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from typing import Final

from attrs import frozen

from oras_adapters.http1_connection import Http1Connection
from oras_adapters.urllib3_connection import Route

__all__ = ["IdleConnections", "Loan"]

ROUTES: Final = 32
"""Servers for which connections are kept; registries redirect to a few storage hosts."""


class IdleConnections:
    """Connections that wait for their next request. Thread-safe."""

    def __init__(self, limit: int) -> None:
        """Keep up to `limit` for each server."""
        self._limit = limit
        self._kept: OrderedDict[Route, list[Http1Connection]] = OrderedDict()
        self._lock = threading.Lock()
        # Who forgets to close a client has nothing left open when it is gone.
        weakref.finalize(self, _close_all, self._kept)

    def take(self, route: Route) -> Http1Connection | None:
        """Return the one that was used last, if it can be used; None if there is none."""
        while True:
            with self._lock:
                kept = self._kept.get(route)
                connection = kept.pop() if kept else None
            if connection is None or connection.is_usable:
                return connection
            connection.close()

    def keep(self, route: Route, connection: Http1Connection) -> None:
        """Keep one that was used, if it can be used again."""
        surplus = [connection]
        if connection.ends_cleanly():
            with self._lock:
                kept = self._kept.setdefault(route, [])
                self._kept.move_to_end(route)
                if len(kept) < self._limit:
                    kept.append(surplus.pop())
                if len(self._kept) > ROUTES:
                    surplus += self._kept.popitem(last=False)[1]
        for left_over in surplus:
            left_over.close()

    def clear(self) -> None:
        """Close all."""
        with self._lock:
            _close_all(self._kept)


def _close_all(kept: dict[Route, list[Http1Connection]]) -> None:
    for connection in [connection for each in kept.values() for connection in each]:
        connection.close()
    kept.clear()


@frozen
class Loan:
    """A connection in use, and where it is to be given back."""

    connection: Http1Connection
    route: Route
    idle: IdleConnections

    def end(self) -> None:
        """Give it back."""
        self.idle.keep(self.route, self.connection)
