"""Connections that are kept for later requests, and their pools, one for each way to a server.

After an exchange a connection is used again only if the whole request was sent, the whole
response was read, and the server has sent nothing else. So no response, whatever the server does,
is taken for the response to another request.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from oras_adapters.http.framing import (
    BodyFrame,
    BrokenFrameError,
    OpenFrame,
    SizedFrame,
    framing_of,
)
from oras_adapters.http.heads import HeadParser, ResponseHead
from oras_adapters.http.links import Dialing, Link, open_link
from oras_adapters.http.receiver import HungUpError, Receiver, WireError
from oras_adapters.http.routes import ProxyLogin, Route
from oras_core.cancellation import current_token

if TYPE_CHECKING:
    import ssl

__all__ = [
    "Answer",
    "ConnectionPool",
    "ConnectionPools",
    "KeptConnection",
]

SEND_PIECE: Final = 256 * 1024
"""Bytes handed to the system at a time: more saves nothing."""

_SWITCHING_PROTOCOLS: Final = 101
_FINAL: Final = 200


class Answer(NamedTuple):
    """A response whose body is still to be read.

    Attributes:
        head: the head, without fields that do not count.
        body: the body.
    """

    head: ResponseHead
    body: BodyFrame


class KeptConnection:
    """Sends requests and receives their responses on one connection.

    Attributes:
        link: the open connection.
        used: whether it was given back to its pool before.
    """

    def __init__(self, link: Link, timeout: float, parse: HeadParser) -> None:
        """Use `link`; `timeout` is in seconds, for sending and for receiving."""
        self.link = link
        self.used = False
        self._sock: Any = link.sock
        self._timeout = timeout
        self._parse = parse
        self._receiver = Receiver(link.sock, timeout, link.errors)
        self._reusable = True
        self._body: BodyFrame | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether the last exchange is complete, so that another request may be sent."""
        complete = self._body is None or self._body.ended
        return self._reusable and complete and self._receiver.is_empty

    @property
    def is_quiet(self) -> bool:
        """Whether the server has sent nothing, and not hung up, since the last exchange."""
        return self._receiver.is_idle()

    def exchange(self, method: str, head: bytes, body: Iterator[bytes] | None) -> Answer:
        """Send a request and receive the head of its response.

        Sending stops where the server answers early; the connection is then not used again.

        Args:
            method: the request's method.
            head: the request's head.
            body: the request's body in pieces, as they are to be sent.

        Raises:
            WireError: if the response is malformed or missing.
            MalformedHeadError: likewise.
            OSError: if the connection breaks.
            Exception: what `body` raises.
        """
        self._reusable = False
        self._receiver.begin()
        whole = self._send(head, body)
        response = self._final_head()
        framing = framing_of(method, response, self._receiver)
        self._body = framing.body
        self._reusable = whole and framing.kept
        if framing.fields is not response.fields:
            response = response._replace(fields=framing.fields)
        return Answer(response, framing.body)

    def drain(self, limit: int, seconds: float) -> None:
        """Read the rest of the body, if it is at most `limit` bytes and arrives in `seconds`."""
        body = self._body
        if not self._reusable or body is None or isinstance(body, OpenFrame):
            return
        if isinstance(body, SizedFrame) and body.left > limit:
            return
        end = time.monotonic() + seconds
        try:
            while limit > 0 and not body.ended and (left := end - time.monotonic()) > 0:
                self._sock.settimeout(left)
                limit -= len(body.read(limit))
        except (OSError, BrokenFrameError, WireError):
            self._reusable = False
        finally:
            self._sock.settimeout(self._timeout)

    def close(self) -> None:
        """Close the connection."""
        self._reusable = False
        self.link.close()

    # --- Sending --------------------------------------------------------------------------

    def _send(self, head: bytes, body: Iterator[bytes] | None) -> bool:
        """Send a request; return whether all of it was sent."""
        if body is None:
            self._sock.sendall(head)
            return True
        try:
            self._send_watching(head)
            for piece in body:
                self._send_watching(piece)
        except _AnsweredError:
            return False
        return True

    def _send_watching(self, data: bytes) -> None:
        """Send `data`, unless the server answers or hangs up."""
        sock = self._sock
        if not isinstance(sock, socket.socket):  # TLS within TLS can only wait
            sock.sendall(data)
            return
        view, errors = memoryview(data), self.link.errors
        sock.settimeout(0)
        try:
            while view:
                self._check_unanswered()
                try:
                    view = view[sock.send(view[:SEND_PIECE]) :]
                except errors.blocked as error:
                    writing = not isinstance(error, errors.unread)
                    if not _wait(sock, self._timeout, writing=writing):
                        raise TimeoutError("timed out") from None
        except errors.hung_up:
            # The server has hung up; it may have answered before.
            raise _AnsweredError from None
        finally:
            sock.settimeout(self._timeout)

    def _check_unanswered(self) -> None:
        try:
            answered = self._receiver.has_final_answer()
        except WireError:
            raise _AnsweredError from None
        if answered:
            raise _AnsweredError

    # --- Receiving ------------------------------------------------------------------------

    def _final_head(self) -> ResponseHead:
        while True:
            head = self._parse(self._receiver.head())
            if head.status == _SWITCHING_PROTOCOLS:
                raise WireError("the server switched to another protocol without being asked")
            if head.status >= _FINAL:
                return head


# `epoll` would cost three more system calls.
_Selector: Final = getattr(selectors, "PollSelector", selectors.SelectSelector)


def _wait(sock: socket.socket, seconds: float, *, writing: bool) -> bool:
    """Wait until `sock` can be read, or with `writing` also written; False if not in time."""
    events = selectors.EVENT_READ | selectors.EVENT_WRITE if writing else selectors.EVENT_READ
    with _Selector() as selector:
        selector.register(sock, events)
        return bool(selector.select(seconds))


class _AnsweredError(Exception):
    """The server answered, or hung up, before the request was sent."""


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
