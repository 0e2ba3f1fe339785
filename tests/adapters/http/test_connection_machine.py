"""One client and one connection at a time, whose server does what it likes, in any order.

    tox -e sequences

Whatever is cut, doubled, early, informational, with or without a body: a request gets the
response that was sent for it, or an error. No response ever reaches another request.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from oras_adapters.http import kept_connections, urllib3_transport
from oras_adapters.http.heads import parse_by_library, parser
from oras_adapters.http.links import Link
from oras_adapters.http.urllib3_transport import Timeouts, Urllib3Transport
from oras_core.content.sources import BytesSource
from oras_core.errors import TransportError
from oras_core.ports.http import HttpRequest

SEQUENCES = int(os.environ.get("ORAS_SEQUENCES", "150"))

TIMEOUTS = Timeouts(connect=1.0, read=0.002)
"""Short: all that a server sends has arrived when the client reads."""


def sized(status, body, *fields):
    head = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(head).encode() + body


def chunked(status, body, *fields):
    head = [f"HTTP/1.1 {status}", *fields, "Transfer-Encoding: chunked", "", ""]
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    return "\r\n".join(head).encode() + chunks + b"0\r\n\r\n"


def both(status, body, *fields):
    return chunked(status, body, *fields, "Content-Length: 2")


def until_close(status, body, *fields):
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode() + body


def old(status, body, *fields):
    return sized(status, body, *fields).replace(b"HTTP/1.1", b"HTTP/1.0")


FRAMES = (sized, chunked, both, until_close, old)
STRAYS = (b"", b"x", b"\r\n", b"HTTP/1.1 ", sized("200 OK", b"stray"), chunked("200 OK", b"stray"))
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

plans = st.fixed_dictionaries(
    {
        "informational": st.sampled_from([b"", HINTS, HINTS * 2, CONTINUE]),
        "frame": st.sampled_from(FRAMES),
        "status": st.sampled_from(["200 OK", "200 OK", "204 No", "304 No", "404 No"]),
        "fields": st.sampled_from([()] * 4 + [("Connection: close",), ("X-A: b",)]),
        "body": st.sampled_from([True, True, True, False]),  # also where none is allowed
        "after": st.sampled_from((b"",) * 6 + STRAYS),
        "cut": st.sampled_from([None] * 9 + [1, 20, -1]),
        "closes": st.sampled_from([False] * 4 + [True]),
        "early": st.sampled_from([False] * 4 + [True]),
    }
)


class ServedSocket(socket.socket):
    """The client's end of a connection; the server acts whenever something was sent."""

    server: Server

    def send(self, data, *flags):
        sent = super().send(data, *flags)
        self.server.act()
        return sent

    def sendall(self, data, *flags):
        super().sendall(data, *flags)
        self.server.act()


class Server:
    """The other end of one connection."""

    def __init__(self):
        self._end, client = socket.socketpair()
        self._end.settimeout(0)
        self.client = ServedSocket(fileno=client.detach())
        self.client.server = self
        self.client.settimeout(TIMEOUTS.read)
        self._received = b""
        self.plan = {}
        self._answered = True
        self.open = True

    def expect(self, plan):
        self.plan, self._answered, self._received = plan, False, b""

    def act(self):
        try:
            while data := self._end.recv(1 << 16):
                self._received += data
        except BlockingIOError:
            pass
        head, found, body = self._received.partition(b"\r\n\r\n")
        if self._answered or not found:
            return
        if not self.plan["early"] and len(body) < _length(head):
            return
        self._answered = True
        self._answer(head.split()[1])

    def _answer(self, path):
        plan = self.plan
        answer = plan["frame"](plan["status"], path if plan["body"] else b"", *plan["fields"])
        answer = answer[: plan["cut"]] if plan["cut"] else answer + plan["after"]
        self.send(plan["informational"] + answer)
        if plan["closes"] or plan["cut"]:
            self.close()

    def send(self, data):
        if self.open:
            with suppress(OSError):  # the client has hung up
                self._end.sendall(data)

    def close(self):
        if self.open:
            self.open = False
            self._end.close()


def _length(head):
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


class KeptConnections(RuleBasedStateMachine):
    """Requests and a server's faults, in any order."""

    parse = staticmethod(parser())

    def __init__(self):
        super().__init__()
        self.servers = []
        self.number = 0
        self.plan = None
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(urllib3_transport, "DRAIN_SECONDS", TIMEOUTS.read)
        self._patch.setattr(kept_connections, "open_link", self._connect)
        self.transport = Urllib3Transport(timeouts=TIMEOUTS, parse=self.parse)

    def _connect(self, *_):
        server = Server()
        self.servers.append(server)
        server.expect(self.plan)
        return Link(server.client)

    @rule(
        plan=plans,
        method=st.sampled_from(["GET", "HEAD", "PUT"]),
        reads=st.sampled_from(["all", "pieces", "some", "none"]),
    )
    def ask(self, plan, method, reads):
        self.number += 1
        self.plan = plan
        for server in self.servers:
            server.expect(plan)
        path = f"/{self.number}-{'x' * (self.number % 7)}"
        body = BytesSource(bytes(3000)) if method == "PUT" else None
        request = HttpRequest(method, f"http://registry.test{path}", body=body)
        try:
            response = self.transport.send(request)
        except TransportError:
            return
        with response:
            assert response.status == int(plan["status"][:3])
            self._read(response, reads, self._expected(plan, method, path.encode()))

    @staticmethod
    def _expected(plan, method, path):
        bodiless = method == "HEAD" or plan["status"][:3] in {"204", "304"}
        return path if plan["body"] and not bodiless else b""

    def _read(self, response, reads, expected):
        if reads == "none":
            return
        size = {"all": -1, "pieces": 2, "some": 1}[reads]
        body = b""
        try:
            while (piece := response.body.read(size)) and reads == "pieces":
                body += piece
            body += piece
        except TransportError:
            return
        # Without a length, a client cannot see that a body is truncated or followed by more bytes.
        if reads == "some" or self.plan["frame"] is until_close:
            assert body.startswith(expected) or expected.startswith(body)
        else:
            assert body == expected

    @precondition(lambda self: any(server.open for server in self.servers))
    @rule(data=st.sampled_from(STRAYS[1:]), closes=st.booleans())
    def send_while_idle(self, data, closes):
        for server in self.servers:
            server.send(data)
            if closes:
                server.close()

    @rule()
    def close_the_transport(self):
        self.transport.close()

    @invariant()
    def at_most_one_connection_is_kept(self):
        assert sum(server.client.fileno() >= 0 for server in self.servers) <= 1

    def teardown(self):
        self.transport.close()
        self._patch.undo()
        for server in self.servers:
            server.close()
            server.client.close()


class KeptConnectionsByLibrary(KeptConnections):
    """The same with the parser of the standard library."""

    parse = staticmethod(parse_by_library)


SETTINGS = settings(
    max_examples=SEQUENCES,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
KeptConnections.TestCase.settings = SETTINGS
KeptConnectionsByLibrary.TestCase.settings = SETTINGS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]

TestKeptConnections = KeptConnections.TestCase
TestKeptConnectionsByLibrary = KeptConnectionsByLibrary.TestCase


def test_both_parsers_are_driven():
    assert KeptConnections.parse is not parse_by_library, "httptools is not installed"
    assert KeptConnectionsByLibrary.parse is parse_by_library
