"""A token server on the loopback interface, after the distribution project's token specification.

It answers `GET /token` (Basic credentials or none) and the OAuth2 form of it, `POST /token` with a
refresh token or a password, and remembers every request so that a test can count them.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attrs import evolve, field, frozen

from oras_adapters.http.tls import wrap_connected
from support.token_signer import TokenSigner


@frozen
class TokenPolicy:
    """The users, their permissions, and the lifetime of their tokens.

    `readers` may only pull; other users get all scopes that they request. A client without
    credentials may pull from repositories whose name starts with one of `public_prefixes`.
    `expires_in` is the number of seconds in the answer (None omits it), `lifetime` the number
    of seconds in the token.
    """

    users: Mapping[str, str]
    readers: frozenset[str] = frozenset()
    public_prefixes: tuple[str, ...] = ("public/",)
    expires_in: int | None = 300
    lifetime: int = 300

    def knows(self, username: str, password: str) -> bool:
        """Tell whether these credentials belong to a user."""
        return self.users.get(username) == password

    def grant(self, subject: str, scope: str) -> dict[str, object]:
        """Return the token's entry for one requested scope; `subject` is empty without a user."""
        kind, _, rest = scope.partition(":")
        name, _, requested = rest.rpartition(":")
        actions = requested.split(",")
        if not subject:
            public = kind == "repository" and name.startswith(self.public_prefixes)
            actions = [action for action in actions if public and action == "pull"]
        elif subject in self.readers:
            actions = [action for action in actions if action == "pull"]
        return {"type": kind, "name": name, "actions": actions}


@frozen
class TokenRequest:
    """One request that the token server answered, with the parameters of its query or form."""

    method: str
    path: str
    parameters: Mapping[str, tuple[str, ...]] = field(repr=False)
    authorization: bool
    status: int
    user_agent: str

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes asked for, in their order."""
        return tuple(
            scope for value in self.parameters.get("scope", ()) for scope in value.split(" ")
        )

    def parameter(self, name: str) -> str | None:
        """Return the first value of a parameter, or None if it was not sent."""
        values = self.parameters.get(name, ())
        return values[0] if values else None


@frozen
class _RefusedError(Exception):
    status: int
    body: Mapping[str, object]


class TokenServer:
    """Issues tokens for one service while the `with` block lasts.

    `policy` is what it goes by; `under` changes it for a while.
    """

    def __init__(
        self,
        policy: TokenPolicy,
        *,
        service: str = "registry.test",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Set the server up; it listens from `__enter__` on."""
        self.policy = policy
        self.service = service
        self.signer = TokenSigner(issuer="token-server.test")
        self._tls = tls
        self._lock = threading.Lock()
        self._requests: list[TokenRequest] = []
        self._subjects_by_refresh_token: dict[str, str] = {}

    def __enter__(self) -> TokenServer:
        """Listen on a random port."""
        self._listener = _Listener(self, self._tls)
        self._thread = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the port and every connection, and wait for the threads."""
        self._listener.shutdown()
        self._thread.join()
        self._listener.end_connections()
        self._listener.server_close()

    @property
    def address(self) -> str:
        """Host and port."""
        host = "127.0.0.1" if self._tls is None else "localhost"
        return f"{host}:{self._listener.server_address[1]}"

    @property
    def realm(self) -> str:
        """The address that the registry's challenge names."""
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{self.address}/token"

    @property
    def requests(self) -> tuple[TokenRequest, ...]:
        """All requests answered so far, the oldest first."""
        with self._lock:
            return tuple(self._requests)

    @contextmanager
    def recording(self) -> Iterator[list[TokenRequest]]:
        """Collect the requests of the block in a list, which is filled when the block ends."""
        recorded: list[TokenRequest] = []
        start = len(self.requests)
        try:
            yield recorded
        finally:
            recorded.extend(self.requests[start:])

    @contextmanager
    def under(self, **changes: Any) -> Iterator[TokenPolicy]:
        """Go by a changed policy within the block: the attributes of `TokenPolicy` by name."""
        usual = self.policy
        self.policy = evolve(usual, **changes)
        try:
            yield self.policy
        finally:
            self.policy = usual

    def refresh_token_for(self, username: str) -> str:
        """Return a new refresh token (an identity token, as a login stores it) of a user."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._subjects_by_refresh_token[token] = username
        return token

    def answer(
        self, method: str, target: str, headers: Message, body: str
    ) -> tuple[int, Mapping[str, object]]:
        """Answer one request with a status and a JSON object, and remember the request."""
        url = urlsplit(target)
        parameters = {
            name: tuple(values)
            for name, values in parse_qs(url.query if method == "GET" else body).items()
        }
        authorization = headers.get("Authorization")
        answer: Mapping[str, object]
        try:
            if url.path != "/token":
                raise _RefusedError(404, {"error": "not_found"})
            if method == "GET":
                answer = self._answer_get(parameters, authorization)
            else:
                answer = self._answer_post(parameters)
            status = 200
        except _RefusedError as refusal:
            status, answer = refusal.status, refusal.body
        with self._lock:
            self._requests.append(
                TokenRequest(
                    method=method,
                    path=url.path,
                    parameters=parameters,
                    authorization=authorization is not None,
                    status=status,
                    user_agent=headers.get("User-Agent") or "",
                )
            )
        return status, answer

    def _answer_get(
        self, parameters: Mapping[str, tuple[str, ...]], authorization: str | None
    ) -> dict[str, object]:
        if parameters.get("service") != (self.service,):
            raise _RefusedError(400, _error("UNSUPPORTED", "the service is unknown"))
        subject = ""
        if authorization is not None:
            username, password = _basic_credentials(authorization)
            if not self.policy.knows(username, password):
                raise _RefusedError(401, _error("UNAUTHORIZED", "incorrect username or password"))
            subject = username
        answer = self._token(subject, parameters.get("scope", ()))
        answer["token"] = answer["access_token"]
        if subject and parameters.get("offline_token") == ("true",):
            answer["refresh_token"] = self.refresh_token_for(subject)
        return answer

    def _answer_post(self, parameters: Mapping[str, tuple[str, ...]]) -> dict[str, object]:
        for name in ("grant_type", "service", "client_id"):
            if len(parameters.get(name, ())) != 1:
                raise _RefusedError(400, {"error": "invalid_request", "error_description": name})
        if parameters["service"] != (self.service,):
            raise _RefusedError(400, {"error": "invalid_request", "error_description": "service"})
        match parameters["grant_type"]:
            case ("refresh_token",):
                refresh_token = _only(parameters, "refresh_token")
                with self._lock:
                    subject = self._subjects_by_refresh_token.get(refresh_token, "")
                if not subject:
                    raise _RefusedError(400, {"error": "invalid_grant"})
                return {
                    **self._token(subject, parameters.get("scope", ())),
                    "refresh_token": refresh_token,
                }
            case ("password",):
                subject = _only(parameters, "username")
                if not self.policy.knows(subject, _only(parameters, "password")):
                    raise _RefusedError(400, {"error": "invalid_grant"})
                answer = self._token(subject, parameters.get("scope", ()))
                if parameters.get("access_type") == ("offline",):
                    answer["refresh_token"] = self.refresh_token_for(subject)
                return answer
            case _:
                raise _RefusedError(400, {"error": "unsupported_grant_type"})

    def _token(self, subject: str, scope_values: Sequence[str]) -> dict[str, object]:
        policy = self.policy
        scopes = [scope for value in scope_values for scope in value.split(" ")]
        access = [policy.grant(subject, scope) for scope in scopes]
        token = self.signer.sign(subject, self.service, access, policy.lifetime)
        answer: dict[str, object] = {"access_token": token}
        if policy.expires_in is not None:
            answer["expires_in"] = policy.expires_in
        return answer


def _error(code: str, message: str) -> dict[str, object]:
    return {"errors": [{"code": code, "message": message, "detail": None}]}


def _basic_credentials(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    username, colon, password = decoded.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise _RefusedError(401, _error("UNAUTHORIZED", "Basic credentials are needed"))
    return username, password


def _only(parameters: Mapping[str, tuple[str, ...]], name: str) -> str:
    values = parameters.get(name, ())
    if len(values) != 1:
        raise _RefusedError(400, {"error": "invalid_request", "error_description": name})
    return values[0]


class _Listener(ThreadingHTTPServer):
    """The socket side: one thread per connection, all of which can be ended."""

    daemon_threads = False

    def __init__(self, token_server: TokenServer, tls: ssl.SSLContext | None) -> None:
        self.token_server = token_server
        self._tls = tls
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self._tls is not None:
            # The handshake must happen in the connection's thread: here it would block the others.
            connection = wrap_connected(
                self._tls, connection, server_side=True, do_handshake_on_connect=False
            )
        with self._connections_lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        with self._connections_lock:
            self._connections -= {request}
        super().shutdown_request(request)

    def end_connections(self) -> None:
        """End the connections that clients keep for later: their threads wait in a read."""
        with self._connections_lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client was quicker

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: a client that hangs up or distrusts the certificate is part of tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def do_GET(self) -> None:
        self._respond("")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self._respond(self.rfile.read(length).decode())

    def _respond(self, body: str) -> None:
        status, answer = self.server.token_server.answer(
            self.command, self.path, self.headers, body
        )
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Stay silent: the requests are remembered instead."""
