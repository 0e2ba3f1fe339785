"""A registry that does what a table's row says, and remembers all that it is sent.

What a row does not speak of is answered as the spec says: content that was put on the shelf
is served, uploads go to an embedded registry.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from attrs import evolve, field, frozen

from oras_core.content.sources import BytesSource
from oras_core.model.digest import Digest
from oras_core.ports.http import HttpRequest
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.scripted_server import Connection, RawRequest, ScriptedServer

__all__ = [
    "HONEST",
    "Altered",
    "Answer",
    "Drip",
    "Echo",
    "Endless",
    "HangUp",
    "HostileRegistry",
    "Login",
    "Raw",
    "Received",
    "Reset",
    "Rule",
    "Shelf",
    "Stall",
    "ThenGone",
    "TokenExpired",
    "Touched",
    "WithHeaders",
]

LONG = 60.0
"""Seconds that a stalled answer waits: longer than any client of a row is given."""

BUFFER = 64 * 1024


@frozen
class Received:
    """One request as it came, with as much of its body as was read."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    @property
    def line(self) -> str:
        """Method and target."""
        return f"{self.method} {self.target}"

    @property
    def everything(self) -> bytes:
        """All that was sent, to look for what should not have been."""
        fields = "\n".join(f"{name}: {value}" for name, value in self.headers.items())
        return f"{self.line}\n{fields}\n".encode("utf-8", "surrogateescape") + self.body


# --- Ways to answer -----------------------------------------------------------------------


@frozen
class Answer:
    """A well-formed answer, unless it is told otherwise.

    Attributes:
        status: number and phrase.
        headers: fields; placeholders such as `{stranger}` become addresses.
        body: likewise, where it is text.
        framing: `length`, `chunked`, or `close` for an end by hanging up.
        length: what `Content-Length` says in place of the truth.
        cut: bytes of the body after which the connection is hung up.
        halfway: called when half of the body has been sent.
    """

    status: str = "200 OK"
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes | str = field(default=b"", repr=False)
    framing: str = "length"
    length: str | None = None
    cut: int | None = None
    halfway: Callable[[], object] | None = field(default=None, eq=False)

    def play(self, connection: Connection, scene: Scene) -> bool:
        """Answer; False where no further request can follow on this connection."""
        content = self.body
        content = scene.filled(content).encode() if isinstance(content, str) else content
        is_head = scene.request.method == "HEAD"
        fields = {name: scene.filled(value) for name, value in self.headers.items()}
        if self.framing == "chunked":
            fields["Transfer-Encoding"] = "chunked"
        elif self.framing == "length":
            fields["Content-Length"] = str(len(content)) if self.length is None else self.length
        version = "1.0" if self.framing == "close" else "1.1"
        head = [f"HTTP/{version} {self.status}", *(f"{n}: {v}" for n, v in fields.items())]
        connection.send("\r\n".join(head).encode("latin-1", "replace") + b"\r\n\r\n")
        if is_head:
            return self.framing != "close"
        sent = memoryview(content)[: len(content) if self.cut is None else self.cut]
        middle = len(sent) // 2
        self._send(connection, sent[:middle])
        if self.halfway is not None:
            self.halfway()
        self._send(connection, sent[middle:])
        if self.framing == "chunked" and self.cut is None:
            connection.send(b"0\r\n\r\n")
        lies = self.length is not None and self.length != str(len(content))
        return self.framing != "close" and self.cut is None and not lies

    def _send(self, connection: Connection, content: memoryview) -> None:
        if self.framing != "chunked":
            connection.send(content)
        elif content:
            connection.send(b"%x\r\n%s\r\n" % (len(content), bytes(content)))


@frozen
class Altered:
    """The honest answer, with something changed."""

    change: Callable[[Answer], Answer]

    def play(self, connection: Connection, scene: Scene) -> bool:
        """Answer so."""
        return self.change(scene.honest()).play(connection, scene)


def WithHeaders(**fields: str) -> Altered:  # noqa: N802 - reads as the others in the tables
    """The honest answer, with further header fields; `_` stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return Altered(lambda honest: evolve(honest, headers={**honest.headers, **named}))


@frozen
class Touched:
    """The honest answer, while something is done to the row's folder.

    Attributes:
        act: given the folder in which all of the row happens.
        when: `before` the answer, `halfway` through it, or `midbody`: when the part of the
            request's body that the rule reads has come.
    """

    act: Callable[[Path], object]
    when: str = "before"

    def play(self, connection: Connection, scene: Scene) -> bool:
        """Answer so."""
        root = scene.registry.root
        if self.when == "halfway":
            honest = scene.honest()
            return evolve(honest, halfway=lambda: self.act(root)).play(connection, scene)
        self.act(root)
        if self.when == "midbody":
            request = scene.request
            left = int(request.headers.get("content-length", 0)) - len(request.body)
            rest = connection.read(left)
            if len(rest) < left:
                return False  # the client has given up, as it should
            scene = evolve(scene, request=evolve(request, body=request.body + rest))
        return scene.honest().play(connection, scene)


@frozen
class TokenExpired:
    """What a registry answers to a token that is no longer good, which is from now on."""

    def play(self, connection: Connection, scene: Scene) -> bool:
        """Ask for another one."""
        scene.registry.expire(scene.request.headers.get("authorization", ""))
        return scene.honest().play(connection, scene)


@frozen
class Echo:
    """An error that repeats what it was sent as `Authorization`, and as a form."""

    status: str

    def play(self, connection: Connection, scene: Scene) -> bool:
        """Answer so."""
        sent = scene.request.headers.get("authorization", "")
        pair = b""
        if sent.startswith("Basic "):
            pair = base64.b64decode(sent.removeprefix("Basic "))
        said = " ".join([sent, pair.decode("latin-1"), scene.request.body.decode("latin-1")])
        body = json.dumps({"errors": [{"code": "DENIED", "message": f"{said} is not welcome"}]})
        fields = {"WWW-Authenticate": 'Basic realm="x"'} if "401" in self.status else {}
        return Answer(self.status, fields, body.encode()).play(connection, scene)


@frozen
class _Honest:
    def play(self, connection: Connection, scene: Scene) -> bool:
        """Answer as the spec says."""
        return scene.honest().play(connection, scene)


HONEST = _Honest()


@frozen
class Raw:
    """Bytes that may be no HTTP at all, and then a hang-up."""

    content: bytes

    def play(self, connection: Connection, scene: Scene) -> bool:
        """Send them."""
        connection.send(self.content)
        return False


@frozen
class Endless:
    """A head, and after it the same bytes over and over until the client has enough."""

    head: bytes
    piece: bytes
    seconds: float = 20.0

    def play(self, connection: Connection, scene: Scene) -> bool:
        """Send until the client hangs up."""
        end = time.monotonic() + self.seconds
        connection.send(self.head)
        while time.monotonic() < end:
            connection.send(self.piece)
        return False


@frozen
class Drip:
    """An answer of which a byte comes now and then."""

    head: bytes
    interval: float = 0.05
    byte: bytes = b"x"

    def play(self, connection: Connection, scene: Scene) -> bool:
        """Send until the client hangs up."""
        connection.send(self.head)
        end = time.monotonic() + LONG
        while time.monotonic() < end and not connection.wait(self.interval):
            connection.send(self.byte)
        return False


@frozen
class Stall:
    """Nothing, after the given bytes; the connection stays open."""

    head: bytes = b""

    def play(self, connection: Connection, scene: Scene) -> bool:
        """Wait until the row ends."""
        connection.send(self.head)
        connection.wait(LONG)
        return False


@frozen
class Reset:
    """A connection broken off, after the given bytes."""

    head: bytes = b""

    def play(self, connection: Connection, scene: Scene) -> bool:
        """Break off."""
        connection.send(self.head)
        connection.reset()
        return False


@frozen
class ThenGone:
    """The honest answer, after which the connection, though said to be kept, goes.

    Attributes:
        resets: whether it goes without the goodbye of TCP.
    """

    resets: bool = False

    def play(self, connection: Connection, scene: Scene) -> bool:
        """Answer, and go."""
        scene.honest().play(connection, scene)
        if self.resets:
            connection.reset()
        return False


@frozen
class Surrounded:
    """The honest answer, with bytes before or after it."""

    before: bytes = b""
    after: bytes = b""

    def play(self, connection: Connection, scene: Scene) -> bool:
        """Send all."""
        connection.send(self.before)
        kept = scene.honest().play(connection, scene)
        connection.send(self.after)
        return kept


@frozen
class HangUp:
    """A connection closed in place of an answer."""

    def play(self, connection: Connection, scene: Scene) -> bool:
        """Close."""
        return False


Play = (
    Answer | Altered | Touched | TokenExpired | Echo | Raw | Endless | Drip | Stall | Reset
    | ThenGone | Surrounded | HangUp | _Honest
)  # fmt: skip


@frozen
class Rule:
    """What answers a request whose `METHOD /target` matches: one after the other, the last stays.

    `reads` is how many bytes of a request's body are read before the answer; None for all.
    """

    pattern: str
    plays: tuple[Play, ...]
    reads: int | None = None


# --- What is served honestly --------------------------------------------------------------


@frozen
class Login:
    """The users of the registry, and their authentication.

    Attributes:
        scheme: `basic` or `bearer`.
        username: the one user.
        password: of the user.
        realm: the token server's address; the registry itself by default.
        identity: a refresh token that is taken in place of the password.
        demands: whether the registry asks everybody for it; rules may do so where it does not.
    """

    scheme: str = "basic"
    username: str = "alice"
    password: str = field(default="", repr=False)
    realm: str = "{origin}/token"
    identity: str = field(default="", repr=False)
    demands: bool = True

    def basic(self) -> str:
        """The field value of the user's Basic credential."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


class Shelf:
    """Hostile content: manifests by name, blobs by digest."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}

    def put_blob(self, content: bytes) -> str:
        """Keep a blob and return its digest."""
        digest = str(Digest.of(content))
        self.blobs[digest] = content
        return digest

    def put_manifest(self, content: bytes, media_type: str, *names: str) -> str:
        """Keep a manifest under its digest and further names; return the digest."""
        digest = str(Digest.of(content))
        for name in (digest, *names):
            self.manifests[name] = (media_type, content)
        return digest

    def answer(self, request: Received) -> Answer | None:
        """Return what is on the shelf; None where it is not."""
        path = urlsplit(request.target).path
        if request.method not in ("GET", "HEAD"):
            return None
        name = path.rpartition("/")[2]
        if "/manifests/" in path and name in self.manifests:
            media_type, content = self.manifests[name]
            fields = {
                "Content-Type": media_type,
                "Docker-Content-Digest": str(Digest.of(content)),
            }
            return Answer(headers=fields, body=content)
        if "/blobs/" in path and name in self.blobs:
            return _ranged(request, self.blobs[name])
        return None


def _ranged(request: Received, content: bytes) -> Answer:
    fields = {"Content-Type": "application/octet-stream"}
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if asked is None:
        return Answer(headers=fields, body=content)
    start = int(asked[1])
    end = min(int(asked[2] or len(content) - 1), len(content) - 1)
    if start > end:
        return Answer("416 Range Not Satisfiable", {"Content-Range": f"bytes */{len(content)}"})
    fields["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
    return Answer("206 Partial Content", fields, content[start : end + 1])


# --- The registry -------------------------------------------------------------------------


@frozen
class Scene:
    """One request and its answer."""

    request: Received
    registry: HostileRegistry

    def filled(self, text: str) -> str:
        """Replace placeholders by addresses."""
        for name, address in self.registry.addresses.items():
            text = text.replace(f"{{{name}}}", address)
        return text

    def honest(self) -> Answer:
        """Return what the spec says."""
        return self.registry.honest(self.request)


class HostileRegistry(ScriptedServer):
    """Answers by rules, the first that matches; everything else as the spec says.

    A context manager. `addresses` are what placeholders in rules stand for.
    """

    def __init__(
        self,
        *rules: Rule,
        shelf: Shelf | None = None,
        login: Login | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        # Small buffers keep the bytes that the registry has not read in the client.
        super().__init__(self._serve, tls=tls, buffer=BUFFER)
        self._rules = [(re.compile(rule.pattern), list(rule.plays), rule.reads) for rule in rules]
        self._shelf = shelf or Shelf()
        self._login = login
        self._embedded = EmbeddedRegistry()
        self._received: list[Received] = []
        self._tokens: set[str] = set()
        self._guard = threading.Lock()
        self.root = Path()
        self.garbage: list[bytes] = []
        self.addresses: dict[str, str] = {"origin": self.url, "host": self.address}

    @property
    def received(self) -> list[Received]:
        """All requests so far, in the order in which they began to be answered."""
        with self._guard:
            return list(self._received)

    def _serve(self, connection: Connection) -> None:
        try:
            while self._serve_one(connection):
                pass
        except ValueError as error:  # it spoke no HTTP
            with self._guard:
                self.garbage.append(repr(error).encode())
            with suppress(OSError):
                connection.send(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        except OSError:
            return  # it hung up, or has nothing more to say

    def _serve_one(self, connection: Connection) -> bool:
        head = connection.read_head()
        if head is None:
            return False
        method, target, _ = head.line.split(" ", 2)
        request = Received(method, target, head.headers)
        play, reads = self._chosen(request)
        body = _read_body(connection, head, reads)
        request = evolve(request, body=body)
        with self._guard:
            self._received.append(request)
        goes_on = play.play(connection, Scene(request, self))
        if isinstance(play, Touched) and play.when == "midbody":
            return goes_on
        return goes_on and len(body) == int(head.headers.get("content-length", len(body)))

    def _chosen(self, request: Received) -> tuple[Play, int | None]:
        for pattern, plays, reads in self._rules:
            if pattern.search(request.line):
                with self._guard:
                    return (plays.pop(0) if len(plays) > 1 else plays[0]), reads
        return HONEST, None

    # --- Honesty --------------------------------------------------------------------------

    def honest(self, request: Received) -> Answer:
        """Return what a registry by the spec answers."""
        if urlsplit(request.target).path == "/token":
            return self._token(request)
        demands = self._login is not None and self._login.demands
        if demands and not self._is_let_in(request):
            return self.challenge(request)
        return self._shelf.answer(request) or self._embedded_answer(request)

    def challenge(self, request: Received) -> Answer:
        """Return the 401 that says how to log in."""
        login = self._login or Login()
        field_ = 'Basic realm="hostile"'
        if login.scheme == "bearer":
            name = "/".join(urlsplit(request.target).path.split("/")[2:-2]) or "app"
            scope = f"repository:{name.partition('/blobs')[0]}:pull"
            field_ = f'Bearer realm="{login.realm}",service="hostile",scope="{scope}"'
        body = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "who is it?"}]})
        return Answer("401 Unauthorized", {"WWW-Authenticate": field_}, body)

    def _is_let_in(self, request: Received) -> bool:
        login = self._login or Login()
        shown = request.headers.get("authorization", "")
        if login.scheme == "basic":
            return shown == login.basic()
        with self._guard:
            return shown.removeprefix("Bearer ") in self._tokens

    def _token(self, request: Received) -> Answer:
        login = self._login or Login()
        form = parse_qs(request.body.decode("ascii", "replace"))
        known = login.identity and form.get("refresh_token") == [login.identity]
        if not known and request.headers.get("authorization") != login.basic():
            return Answer("401 Unauthorized", {}, json.dumps({"errors": []}))
        with self._guard:
            token = f"b34rer-{len(self._tokens)}"
            self._tokens.add(token)
        return Answer(body=json.dumps({"token": token, "access_token": token, "expires_in": 300}))

    def expire(self, authorization: str) -> None:
        """Let the token that a header field shows be no longer good."""
        with self._guard:
            self._tokens.discard(authorization.removeprefix("Bearer "))

    def _embedded_answer(self, request: Received) -> Answer:
        body = None
        if request.method in ("POST", "PUT", "PATCH"):
            body = BytesSource(request.body)
        sent = HttpRequest(
            request.method, f"http://registry{request.target}", request.headers, body
        )
        with self._embedded.send(sent) as response:
            content = response.body.read(-1)
            fields = response.headers.without("Content-Length", "Connection")
            return Answer(
                f"{response.status} {response.reason or 'Said'}",
                dict(fields),
                content,
                length=response.headers.get("Content-Length") if request.method == "HEAD" else None,
            )


def _read_body(connection: Connection, head: RawRequest, reads: int | None) -> bytes:
    if head.headers.get("transfer-encoding", "") == "chunked":
        return b"".join(_chunks(connection))
    length = int(head.headers.get("content-length") or 0)
    return connection.read(length if reads is None else min(reads, length))


def _chunks(connection: Connection) -> Iterator[bytes]:
    while size := int(connection.read_line().strip() or b"0", 16):
        yield connection.read(size)
        connection.read_line()
    connection.read_line()
