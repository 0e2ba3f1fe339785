"""Everything that people do with a registry that demands who they are, and what that costs.

A real registry, in each of its usual combinations: bearer tokens or passwords; plain HTTP, HTTPS
with a private authority, HTTPS that demands a certificate of clients too.
"""

from __future__ import annotations

import io
import os
import threading
import time
import uuid
from contextlib import closing
from itertools import product

import pytest
from attrs import evolve

from oras_adapters.http.tls import ssl_context
from oras_adapters.http.urllib3_transport import Urllib3Transport
from oras_core.content.sources import BytesSource
from oras_core.content.verify import VerifyingReader
from oras_core.credentials import NoCredentials, StaticCredentials
from oras_core.errors import AuthenticationError, TlsError, TransportError
from oras_core.model.descriptor import Descriptor
from oras_core.ports.credentials import Credential
from oras_core.ports.http import HttpRequest
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.transports.retries import RetryPolicy
from support.docker_registry import guarded_registry

WRITER = Credential("writer", "writer-secret")
READER = Credential("reader", "reader-secret")
WRONG = Credential("writer", "guessed-secret")
SECRETS = (WRITER.password, READER.password, WRONG.password)
USERS = {one.username: one.password for one in (WRITER, READER)}
KINDS = list(product(("token", "htpasswd"), ("none", "tls", "mutual")))


def only(*words):
    """Run a test with the registries that have all `words` in their names."""
    kinds = [kind for kind in KINDS if set(words) <= {*kind, "https" if kind[1] != "none" else ""}]
    return pytest.mark.parametrize("registry", kinds, ids="-".join, indirect=True)


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def registry(request, tmp_path_factory):
    auth, tls = request.param
    directory = tmp_path_factory.mktemp("guarded")
    with guarded_registry(directory, USERS, auth=auth, tls=tls) as registry:
        yield registry


@pytest.fixture
def tokens(registry):
    """Compare the token requests since the last call: method, who asks, scopes, status."""
    server = registry.config.token_server
    seen = len(server.requests) if server else 0

    def compare(*expected):
        nonlocal seen
        if server is None:
            return
        found = [
            (one.method, "somebody" if one.authorization else "nobody", *one.scopes, one.status)
            for one in server.requests[seen:]
        ]
        seen += len(found)
        assert found == list(expected)

    return compare


class Observed:
    """A transport that remembers what was last sent as `Authorization`."""

    def __init__(self, transport):
        self._transport = transport
        self.authorization = ""

    def send(self, request):
        self.authorization = request.headers.get("Authorization", "")
        return self._transport.send(request)


@pytest.fixture
def transport(registry):
    certificate, key = registry.client_certificate or (None, None)

    def tls(_):
        return ssl_context(
            ca_bundle=str(registry.ca_file),
            client_certificate=certificate and str(certificate),
            client_key=key and str(key),
        )

    options = {} if registry.ca_file is None else {"tls": tls}
    with Urllib3Transport(**options) as transport:
        yield Observed(transport)


@pytest.fixture
def connect(registry, transport):
    def connect(credential, name):
        remote = RemoteRegistry(
            registry.address,
            transport,
            plain_http=registry.scheme == "http",
            credentials=StaticCredentials(credential) if credential else NoCredentials(),
            retry_policy=RetryPolicy(attempts=2, backoff=0.01),
        )
        return remote.repository(name)

    return connect


@pytest.fixture
def name():
    return f"private/{uuid.uuid4().hex}"


def push(repository, *sources):
    """Push blobs, then a manifest that names them."""
    blobs = []
    for source in sources or [BytesSource(os.urandom(1000))]:
        blob = Descriptor.of(source.content, "application/octet-stream")
        repository.push(blob, source)
        blobs.append(blob)
    return blobs


def pull(repository, blob):
    with closing(repository.fetch(blob)) as stream:
        return VerifyingReader(stream, blob).read()


def scope(name, actions):
    return f"repository:{name}:{actions}"


def statuses(requests):
    return [request.status for request in requests]


def test_anonymous_pull(registry, connect, tokens):
    name = f"public/{uuid.uuid4().hex}"
    (blob,) = push(connect(WRITER, name))
    tokens(("GET", "somebody", scope(name, "pull,push"), 200))
    repository = connect(None, name)
    if registry.config.token_server is None:
        with pytest.raises(AuthenticationError):
            pull(repository, blob)
        return
    pull(repository, blob)
    pull(repository, blob)
    tokens(("GET", "nobody", scope(name, "pull"), 200))


def test_pull(registry, connect, tokens, name):
    (blob,) = push(connect(WRITER, name))
    tokens(("GET", "somebody", scope(name, "pull,push"), 200))
    repository = connect(READER, name)
    with registry.recording() as requests:
        pull(repository, blob)
        pull(repository, blob)
    # Refused once, to learn how; from then on in advance.
    assert statuses(requests) == [401, 200, 200]
    tokens(("GET", "somebody", scope(name, "pull"), 200))


def test_push(registry, connect, tokens, name):
    repository = connect(WRITER, name)
    with registry.recording() as requests:
        (blob,) = push(repository)
        push(repository)
        pull(repository, blob)
    assert statuses(requests).count(401) == 1
    tokens(("GET", "somebody", scope(name, "pull,push"), 200))


def test_push_after_pull(registry, connect, tokens, name):
    (blob,) = push(connect(WRITER, name))
    tokens(("GET", "somebody", scope(name, "pull,push"), 200))
    repository = connect(WRITER, name)
    with registry.recording() as requests:
        pull(repository, blob)
        push(repository)
        pull(repository, blob)
    # The scope grows without another refusal, and what has grown serves for less.
    assert statuses(requests).count(401) == 1
    tokens(
        ("GET", "somebody", scope(name, "pull"), 200),
        ("GET", "somebody", scope(name, "pull,push"), 200),
    )


class Waiting:
    """Content that is given out only after something has happened."""

    def __init__(self, content, until):
        self.content, self.size = content, len(content)
        self._until = [until]

    def open(self):
        while self._until:
            self._until.pop()()
        return io.BytesIO(self.content)


@only("token")
def test_token_expires_during_a_push(registry, connect, transport, tokens, name):
    server = registry.config.token_server
    usual = server.policy
    # The registry allows for clocks that are a minute apart: this one ends in a few seconds,
    # which the client is not told.
    server.policy = evolve(usual, lifetime=-56, expires_in=3600)

    def expire():
        pinged = HttpRequest(
            "GET", f"{registry.url}/v2/", {"Authorization": transport.authorization}
        )
        deadline = time.monotonic() + 20
        while transport.send(pinged).status != 401:
            assert time.monotonic() < deadline
            threading.Event().wait(0.05)
        server.policy = usual

    try:
        repository = connect(WRITER, name)
        contents = [os.urandom(1000) for _ in range(4)]
        first, second, *rest = contents
        blobs = push(
            repository,
            BytesSource(first),
            Waiting(second, expire),
            *map(BytesSource, rest),
        )
    finally:
        server.policy = usual
    assert [pull(repository, blob) for blob in blobs] == contents
    tokens(*[("GET", "somebody", scope(name, "pull,push"), 200)] * 2)


def test_wrong_password(registry, connect, tokens, name):
    repository = connect(WRONG, name)
    with registry.recording() as requests:
        for _ in range(3):
            with pytest.raises(AuthenticationError) as caught:
                push(repository)
            assert caught.value.status == 401
    assert set(statuses(requests)) == {401}
    # A token server may refuse the scope with 401, so a smaller scope is tried once. After that
    # the password is not sent again, neither to the token server nor to the registry.
    tokens(
        ("GET", "somebody", scope(name, "pull,push"), 401),
        ("GET", "somebody", scope(name, "pull"), 401),
    )
    # Without a token server, each push looks for the blob by HEAD and by GET (R23).
    assert len(requests) == (7 if registry.config.token_server is None else 1)


@only("token")
def test_user_without_rights(registry, connect, tokens, name):
    server = registry.config.token_server
    (blob,) = push(connect(WRITER, name))
    tokens(("GET", "somebody", scope(name, "pull,push"), 200))
    repository = connect(READER, name)
    with server.under(readers=frozenset({"reader"})):
        pull(repository, blob)
        with pytest.raises(AuthenticationError) as caught:
            push(repository)
        pull(repository, blob)
    assert (caught.value.status, caught.value.codes) == (401, ("UNAUTHORIZED",))
    tokens(
        ("GET", "somebody", scope(name, "pull"), 200),
        # To look for the blob, again after the refusal of the upload, and for the pull.
        *[("GET", "somebody", scope(name, "pull,push"), 200)] * 3,
    )


def test_anonymous_push_is_refused(registry, connect, tokens, name):
    with pytest.raises(AuthenticationError):
        push(connect(None, name))
    # For the look for the blob, and for the upload that its token did not allow.
    tokens(*[("GET", "nobody", scope(name, "pull,push"), 200)] * 2)


@only("https")
def test_untrusted_server_gets_no_password(registry, name):
    with Urllib3Transport() as distrusting:
        remote = RemoteRegistry(
            registry.address,
            distrusting,
            plain_http=False,
            credentials=StaticCredentials(WRITER),
            retry_policy=RetryPolicy(attempts=1),
        )
        with pytest.raises(TlsError, match="certificate is not trusted"):
            push(remote.repository(name))


@only("mutual")
def test_client_without_a_certificate_is_refused(registry, name):
    with Urllib3Transport(tls=lambda _: ssl_context(ca_bundle=str(registry.ca_file))) as bare:
        remote = RemoteRegistry(
            registry.address,
            bare,
            plain_http=False,
            credentials=StaticCredentials(WRITER),
            retry_policy=RetryPolicy(attempts=1),
        )
        with pytest.raises(TransportError):
            push(remote.repository(name))
