"""What authentication costs and shows, with a registry and a token server that check."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from oras_adapters.http.urllib3_transport import Urllib3Transport
from oras_core.content.sources import BytesSource
from oras_core.content.verify import VerifyingReader
from oras_core.credentials import NoCredentials, StaticCredentials
from oras_core.errors import AuthenticationError, RegistryError
from oras_core.model.descriptor import Descriptor
from oras_core.ports.credentials import Credential
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.transports.retries import RetryPolicy

WRITER = Credential("writer", "writer-secret")
READERS = frozenset({"reader"})
READER = Credential("reader", "reader-secret")
SECRETS = (WRITER.password, READER.password, "an-old-one")


@pytest.fixture
def transport():
    with Urllib3Transport() as transport:
        yield transport


@pytest.fixture
def connect(transport):
    def connect(server, credential=None):
        return RemoteRegistry(
            server.address,
            transport,
            plain_http=True,
            credentials=StaticCredentials(credential) if credential else NoCredentials(),
            retry_policy=RetryPolicy(attempts=2, backoff=0.01),
        )

    return connect


def push(repository, content=None):
    content = os.urandom(1000) if content is None else content
    blob = Descriptor.of(content, "application/octet-stream")
    repository.push(blob, BytesSource(content))
    return blob


def read(repository, blob):
    with closing(repository.fetch(blob)) as stream:
        return VerifyingReader(stream, blob).read()


def test_threads_share_one_token(token_registry, connect, repository_name):
    repository = connect(token_registry, WRITER).repository(repository_name)
    push(repository)
    server = token_registry.token_server
    with server.recording() as tokens, ThreadPoolExecutor(8) as threads:
        blobs = list(threads.map(lambda _: push(repository), range(16)))
        assert all(threads.map(repository.exists, blobs))
    assert tokens == []


def test_push_and_later_reads_share_one_token(token_registry, connect, repository_name):
    repository = connect(token_registry, WRITER).repository(repository_name)
    with token_registry.token_server.recording() as tokens:
        blob = push(repository)
        read(repository, blob)
    (token,) = tokens
    assert token.scopes == (f"repository:{repository_name}:pull,push",)


def test_token_that_expires_between_requests_is_replaced(token_registry, connect, repository_name):
    repository = connect(token_registry, WRITER).repository(repository_name)
    server = token_registry.token_server
    with (
        server.under(expires_in=None, lifetime=-120),
        server.recording() as tokens,
        pytest.raises(AuthenticationError),
    ):
        push(repository)
    assert 1 <= len(tokens) <= 2
    assert read(repository, push(repository, b"x" * 10)) == b"x" * 10


@pytest.mark.parametrize("identity", ["writer", "reader"])
def test_identity_token(token_registry, connect, repository_name, identity):
    server = token_registry.token_server
    credential = Credential(identity_token=server.refresh_token_for(identity))
    repository = connect(token_registry, credential).repository(repository_name)
    with server.under(readers=READERS), server.recording() as tokens:
        if identity == "writer":
            read(repository, push(repository))
        else:
            with pytest.raises(AuthenticationError):
                push(repository)
    assert {token.method for token in tokens} == {"POST"}
    assert len(tokens) <= 2


def test_invalid_identity_token_is_an_error(token_registry, connect, repository_name):
    credential = Credential(identity_token="an-old-one")
    with (
        token_registry.token_server.recording() as tokens,
        pytest.raises(AuthenticationError) as caught,
    ):
        push(connect(token_registry, credential).repository(repository_name))
    assert len(tokens) == 2  # for the scope of the push, then for that of the request alone
    assert "an-old-one" not in str(caught.value)
    assert "log in again" in str(caught.value)


def test_read_only_user_can_pull_and_not_push(token_registry, connect, repository_name):
    blob = push(connect(token_registry, WRITER).repository(repository_name))
    repository = connect(token_registry, READER).repository(repository_name)
    read(repository, blob)
    with token_registry.token_server.under(readers=READERS), pytest.raises(AuthenticationError):
        push(repository)
    read(repository, blob)


def test_anonymous_user_can_pull_public_repositories(token_registry, connect, repository_name):
    name = f"public/{repository_name}"
    blob = push(connect(token_registry, WRITER).repository(name))
    repository = connect(token_registry).repository(name)
    with token_registry.token_server.recording() as tokens:
        read(repository, blob)
    assert [token.authorization for token in tokens] == [False]
    with pytest.raises(RegistryError):
        push(repository)


def test_mount_requests_scopes_for_both_repositories(token_registry, connect, repository_name):
    registry = connect(token_registry, WRITER)
    source = registry.repository(repository_name)
    blob = push(source)
    with token_registry.token_server.recording() as tokens:
        assert registry.repository(f"{repository_name}/other").mount(blob, source)
    target = f"repository:{repository_name}/other:pull,push"
    assert [token.scopes for token in tokens] == [
        (target,),  # to look for the blob
        (target, f"repository:{repository_name}:pull,push"),
    ]


def test_delete_works_with_a_token(token_registry, connect, repository_name):
    repository = connect(token_registry, WRITER).repository(repository_name)
    blob = push(repository)
    repository.delete(blob)
    assert not repository.exists(blob)


@pytest.mark.parametrize(
    ("server", "count"),
    [
        # The token server has refused the password: the registry is not asked again.
        ("token_registry", 1),
        # Each push looks for the blob by HEAD and by GET (R23); one request had the password.
        ("htpasswd_registry", 7),
    ],
)
def test_wrong_password_is_sent_once(server, count, request, connect, repository_name):
    registry = request.getfixturevalue(server)
    repository = connect(registry, Credential("writer", "wrong")).repository(repository_name)
    with registry.recording() as requests:
        for _ in range(3):
            with pytest.raises(AuthenticationError):
                push(repository)
    assert len(requests) == count
