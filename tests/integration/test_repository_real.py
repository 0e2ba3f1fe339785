"""A repository in a registry that other people wrote, over real connections."""

from __future__ import annotations

import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from oras_adapters.http.tls import ssl_context
from oras_adapters.http.urllib3_transport import Urllib3Transport
from oras_core.content.sources import BytesSource
from oras_core.content.verify import VerifyingReader
from oras_core.credentials import StaticCredentials
from oras_core.errors import (
    AuthenticationError,
    DigestMismatchError,
    NotFoundError,
    RegistryError,
    TlsError,
    UnsupportedError,
)
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.ports.credentials import Credential
from oras_core.registry.profiles import HostProfile
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.transports.retries import RetryPolicy
from oras_core.testing.contracts.content import TargetContract
from support.cutting_proxy import Cut, CuttingProxy

MiB = 1024 * 1024
BRISK = RetryPolicy(attempts=4, backoff=0.01)


@pytest.fixture
def transport():
    with Urllib3Transport() as transport:
        yield transport


def connect(server, transport, **options):
    credential = Credential(server.username, server.password) if server.username else None
    options.setdefault(
        "credentials", StaticCredentials({server.address: credential} if credential else {})
    )
    return RemoteRegistry(
        server.address,
        transport,
        plain_http=server.scheme == "http",
        retry_policy=BRISK,
        **options,
    )


@pytest.fixture
def registry(open_registry, transport):
    return connect(open_registry, transport)


@pytest.fixture
def repository(registry, repository_name):
    return registry.repository(repository_name)


def blob_of(content):
    return Descriptor.of(content, "application/octet-stream")


def push_blob(repository, content, **options):
    blob = blob_of(content)
    repository.push(blob, BytesSource(content), **options)
    return blob


def push_artifact(repository, *contents, tag="v1"):
    layers = [push_blob(repository, content) for content in contents]
    config = push_blob(repository, b"{}")
    config = Descriptor(media_types.OCI_EMPTY, config.digest, config.size)
    manifest = codec.encode_manifest(config=config, layers=layers)
    repository.push_reference(manifest.descriptor, BytesSource(manifest.content), tag)
    return manifest


def read(repository, blob):
    with closing(repository.fetch(blob)) as stream:
        return VerifyingReader(stream, blob).read()


class TestRepositoryIsATarget(TargetContract):
    @pytest.fixture
    def target(self, repository):
        return repository


class TestRepositoryThatSendsChunksIsATarget(TargetContract):
    @pytest.fixture
    def target(self, open_registry, transport, repository_name):
        profile = HostProfile(chunked=True, chunk_size=500_000)
        return connect(open_registry, transport, profile=profile).repository(repository_name)


# --- What it costs ------------------------------------------------------------------------


def test_push_takes_two_requests_per_blob_and_one_for_the_manifest(open_registry, repository):
    with open_registry.recording() as requests:
        push_artifact(repository, b"layer")
    assert [(sent.method, sent.status) for sent in requests] == [
        ("HEAD", 404), ("GET", 404),  # the blob, and the tags of the repository
        ("POST", 202), ("PUT", 201), ("HEAD", 404), ("POST", 202), ("PUT", 201), ("PUT", 201),
    ]  # fmt: skip
    assert len({sent.remote_address for sent in requests}) == 1
    assert all(sent.user_agent.startswith("oras-sdk") for sent in requests)


def test_r37_an_existing_blob_takes_one_request(open_registry, repository):
    content = os.urandom(1000)
    push_blob(repository, content)
    with open_registry.recording() as requests:
        push_blob(repository, content)
    assert [(sent.method, sent.status) for sent in requests] == [("HEAD", 200)]


def test_each_read_takes_one_request(open_registry, repository):
    manifest = push_artifact(repository, b"layer")
    with open_registry.recording() as requests:
        assert repository.resolve("v1").plain() == manifest.descriptor.plain()
        assert repository.fetch_reference("v1")[1] == manifest.content
        assert read(repository, manifest.layers[0]) == b"layer"
    assert [sent.method for sent in requests] == ["HEAD", "GET", "GET"]


# --- Blobs --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, 100_000, 5 * MiB + 1])
@pytest.mark.parametrize("chunk_size", [None, 2 * MiB])
def test_blobs_of_all_sizes(repository, size, chunk_size):
    content = os.urandom(size)
    blob = push_blob(repository, content, chunk_size=chunk_size)
    assert repository.exists(blob)
    assert read(repository, blob) == content


def test_r17_chunks(open_registry, repository):
    content = os.urandom(5 * MiB)
    with open_registry.recording() as requests:
        blob = push_blob(repository, content, chunk_size=2 * MiB)
    methods = [sent.method for sent in requests]
    assert methods == ["HEAD", "GET", "POST", "PATCH", "PATCH", "PATCH", "PUT"]
    assert read(repository, blob) == content


def test_part_of_a_blob(repository):
    content = os.urandom(100_000)
    blob = push_blob(repository, content)
    for start, length in [(0, 1), (50_000, 1000), (99_999, 1), (0, 100_000)]:
        with closing(repository.fetch_range(blob, start, length)) as stream:
            assert stream.read() == content[start : start + length]


def test_r21_mount(open_registry, registry, repository):
    content = os.urandom(100_000)
    blob = push_blob(repository, content)
    other = registry.repository(f"{repository.name}/other")
    with open_registry.recording() as requests:
        assert other.mount(blob, repository) is True
    assert [(sent.method, sent.status) for sent in requests] == [
        ("HEAD", 404), ("GET", 404), ("POST", 201),
    ]  # fmt: skip
    assert read(other, blob) == content


def test_r21_mount_of_a_missing_blob_becomes_an_upload(open_registry, registry, repository):
    content = os.urandom(100_000)
    other = registry.repository(f"{repository.name}/other")
    with open_registry.recording() as requests:
        assert other.mount(blob_of(content), repository) is False
        push_blob(other, content)
    assert [(sent.method, sent.status) for sent in requests] == [
        ("HEAD", 404), ("GET", 404), ("POST", 202), ("PUT", 201),
    ]  # fmt: skip


def test_upload_with_a_wrong_digest_stores_nothing(open_registry, repository):
    blob = blob_of(b"right" * 1000)
    with open_registry.recording() as requests, pytest.raises(DigestMismatchError):
        repository.push(blob, BytesSource(b"wrong" * 1000))
    assert not repository.exists(blob)
    assert 201 not in {sent.status for sent in requests}


def test_concurrent_uploads_and_downloads(repository):
    contents = [os.urandom(200_000) for _ in range(16)]
    with ThreadPoolExecutor(8) as executor:
        blobs = list(executor.map(lambda content: push_blob(repository, content), contents))
        assert list(executor.map(lambda blob: read(repository, blob), blobs)) == contents


# --- Broken connections -------------------------------------------------------------------


@pytest.fixture
def cut(open_registry, transport, repository_name):
    """A repository at the end of a way with the given cuts."""
    proxies = []

    def make(*cuts):
        proxy = CuttingProxy(open_registry.address, cuts).__enter__()
        proxies.append(proxy)
        registry = RemoteRegistry(proxy.address, transport, plain_http=True, retry_policy=BRISK)
        return registry.repository(repository_name), proxy

    yield make
    transport.close()
    for proxy in proxies:
        proxy.__exit__()


@pytest.mark.parametrize("chunk_size", [None, MiB])
def test_interrupted_upload_is_repeated(cut, chunk_size):
    repository, proxy = cut(Cut("up", 2 * MiB), Cut("up", MiB // 2))
    content = os.urandom(4 * MiB)
    blob = push_blob(repository, content, chunk_size=chunk_size)
    assert proxy.uncut == 0
    assert read(repository, blob) == content


def test_upload_with_lost_responses_is_repeated(cut):
    repository, proxy = cut(Cut("down", 100))
    content = os.urandom(100_000)
    assert read(repository, push_blob(repository, content)) == content
    assert proxy.uncut == 0


def test_r35_interrupted_download_is_resumed(open_registry, repository, cut):
    content = os.urandom(8 * MiB)
    blob = push_blob(repository, content)
    broken, proxy = cut(Cut("down", 3 * MiB), Cut("down", 2 * MiB))
    with open_registry.recording() as requests:
        assert read(broken, blob) == content
    assert proxy.uncut == 0
    assert [sent.method for sent in requests] == ["GET"] * 3
    assert [sent.status for sent in requests].count(206) == 2


# --- Manifests and tags -------------------------------------------------------------------


def test_manifest_without_its_blobs_is_refused(repository):
    manifest = codec.encode_manifest(config=blob_of(b"{}"), layers=[blob_of(b"never pushed")])
    with pytest.raises(RegistryError) as caught:
        repository.push_manifest(manifest.content, manifest.media_type, "v1")
    assert set(caught.value.codes) == {"MANIFEST_BLOB_UNKNOWN"}


@pytest.mark.parametrize("page_size", [None, 1, 3, 5, 100])
def test_r27_tags(repository, page_size):
    push_artifact(repository, tag="v0")
    manifest = repository.resolve("v0")
    tags = [f"v{number}" for number in range(5)]
    for tag in tags[1:]:
        repository.tag(manifest, tag)
    assert sorted(repository.tags(page_size)) == tags


def test_tags_of_a_missing_repository_are_an_error(repository):
    with pytest.raises(NotFoundError):
        list(repository.tags())


def test_delete_removes_manifests_and_blobs(repository):
    manifest = push_artifact(repository, os.urandom(100))
    repository.delete(manifest.descriptor)
    assert not repository.exists(manifest.descriptor)
    with pytest.raises(NotFoundError):
        repository.resolve("v1")
    repository.delete(manifest.layers[0])
    assert not repository.exists(manifest.layers[0])
    with pytest.raises(NotFoundError):
        repository.delete(manifest.layers[0])


def test_r34_untagging_removes_the_tag_or_nothing(repository):
    manifest = push_artifact(repository, os.urandom(100), tag="v1")
    repository.tag(manifest.descriptor, "v2")
    try:
        repository.untag("v1")
    except UnsupportedError:
        assert sorted(repository.tags()) == ["v1", "v2"]
    else:
        assert list(repository.tags()) == ["v2"]
    assert repository.resolve("v2").digest == manifest.digest


def test_r27_r28_catalog_is_paginated(open_registry, registry, repository):
    names = {repository.name, f"{repository.name}/a", f"{repository.name}/b"}
    for name in names:
        push_blob(registry.repository(name), b"x")
    # This registry pages its repositories, and has no pages of tags.
    with open_registry.recording() as requests:
        listed = list(registry.catalog(2))
    assert names <= set(listed)
    assert len(listed) == len(set(listed))
    assert len(listed) // 2 <= len(requests) <= len(listed) // 2 + 1


# --- Logins and TLS -----------------------------------------------------------------------


@pytest.fixture(params=["htpasswd_registry", "token_registry"])
def guarded(request):
    return request.getfixturevalue(request.param)


def test_push_and_read_with_a_credential(guarded, transport, repository_name):
    registry = connect(guarded, transport)
    registry.ping()
    repository = registry.repository(repository_name)
    content = os.urandom(MiB)
    manifest = push_artifact(repository, content)
    assert read(repository, manifest.layers[0]) == content
    other = registry.repository(f"{repository_name}/other")
    assert other.mount(manifest.layers[0], repository) is True


@pytest.mark.parametrize("credential", [None, Credential("writer", "wrong")])
def test_wrong_or_missing_credential_is_an_error(guarded, transport, repository_name, credential):
    known = {guarded.address: credential} if credential else {}
    registry = connect(guarded, transport, credentials=StaticCredentials(known))
    with pytest.raises(RegistryError) as caught:
        push_blob(registry.repository(repository_name), os.urandom(100))
    assert isinstance(caught.value, AuthenticationError)
    assert "wrong" not in str(caught.value)


def test_push_and_read_over_tls(tls_registry, repository_name):
    trusting = Urllib3Transport(tls=lambda _: ssl_context(ca_bundle=str(tls_registry.ca_file)))
    with trusting:
        repository = connect(tls_registry, trusting).repository(repository_name)
        content = os.urandom(MiB)
        blob = push_blob(repository, content, chunk_size=MiB // 2)
        assert read(repository, blob) == content


def test_untrusted_server_gets_no_request(tls_registry, transport):
    registry = connect(tls_registry, transport)
    with tls_registry.recording() as requests, pytest.raises(TlsError):
        registry.repository(uuid.uuid4().hex).exists(blob_of(b"x"))
    assert requests == []
