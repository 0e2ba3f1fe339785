"""A repository as a target, with a registry in the same process."""

from __future__ import annotations

import gc
import os
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from oras_core.content.graph import ManifestCache
from oras_core.content.sources import BytesSource
from oras_core.content.verify import VerifyingReader
from oras_core.errors import (
    DigestMismatchError,
    InvalidReferenceError,
    NotFoundError,
    RegistryNotFoundError,
    SizeLimitError,
)
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.limits import Limits
from oras_core.ports.content import (
    Deleter,
    Mounter,
    MultiTagPusher,
    ReferenceFetcher,
    ReferencePusher,
    TagLister,
    Target,
    Untagger,
)
from oras_core.registry.profiles import HostProfile
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.transports.retries import RetryPolicy
from oras_core.testing.contracts.content import TargetContract
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.scripted_transport import Answer, ScriptedTransport

ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def server():
    return EmbeddedRegistry()


@pytest.fixture
def registry(server):
    return RemoteRegistry("localhost:5000", server, plain_http=True, retry_policy=ONCE)


@pytest.fixture
def repository(registry):
    return registry.repository("app")


@pytest.fixture
def blob():
    return Descriptor.of(os.urandom(100_001), "application/octet-stream")


def lines(server, start=0):
    return [f"{sent.method} {sent.path.removeprefix('/v2/')}" for sent in server.requests[start:]]


def push_blob(repository, content, **options):
    blob = Descriptor.of(content, "application/octet-stream")
    repository.push(blob, BytesSource(content), **options)
    return blob


def manifest_of(*layers, **members):
    config = Descriptor.of(b"{}", media_types.OCI_EMPTY)
    return codec.encode_manifest(config=config, layers=layers, **members)


def push_artifact(repository, *contents, tag=None, **members):
    layers = [push_blob(repository, content) for content in contents]
    push_blob(repository, b"{}")
    manifest = manifest_of(*layers, **members)
    repository.push_manifest(manifest.content, manifest.media_type, tag)
    return manifest


class TestRepositoryIsATarget(TargetContract):
    @pytest.fixture
    def target(self, repository):
        return repository


class TestRepositoryThatSendsChunksIsATarget(TargetContract):
    @pytest.fixture
    def target(self, server):
        profile = HostProfile(chunked=True, chunk_size=100_000, probes_by_mount=False)
        registry = RemoteRegistry("reg.io", server, retry_policy=ONCE, profile=profile)
        return registry.repository("a/b")


@pytest.mark.parametrize(
    "ability",
    [
        Target,
        ReferenceFetcher,
        ReferencePusher,
        TagLister,
        Mounter,
        MultiTagPusher,
        Deleter,
        Untagger,
    ],
)
def test_a_repository_implements_its_ports(repository, ability):
    assert isinstance(repository, ability)


# --- What it costs ------------------------------------------------------------------------


def test_new_artifact_takes_two_requests_per_blob_and_three_checks(server, repository):
    blob = push_blob(repository, b"layer")
    for number in range(5):
        push_blob(repository, b"another layer %d" % number)
    push_blob(repository, b"{}")
    manifest = manifest_of(blob)
    repository.push_reference(manifest.descriptor, BytesSource(manifest.content), "v1")
    methods = Counter(line.split()[0] for line in lines(server))
    assert methods == {"HEAD": 2, "GET": 1, "POST": 7, "PUT": 8}
    assert repository.resolve("v1").digest == manifest.digest


def test_an_existing_blob_takes_one_request(server, registry, repository):
    blob = push_blob(repository, b"layer")
    start = len(server.requests)
    push_blob(registry.repository("app"), b"layer")
    assert lines(server, start) == [f"HEAD app/blobs/{blob.digest}"]


def test_a_fetch_takes_one_request(server, repository):
    manifest = push_artifact(repository, b"layer", tag="v1")
    start = len(server.requests)
    descriptor, content = repository.fetch_reference("v1")
    assert (descriptor.digest, content) == (manifest.digest, manifest.content)
    repository.resolve("v1")
    repository.fetch(manifest.layers[0]).close()
    assert lines(server, start) == [
        "GET app/manifests/v1",
        "HEAD app/manifests/v1",
        f"GET app/blobs/{manifest.layers[0].digest}",
    ]


# --- Blobs --------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_size", [1, 33_333, 50_000, 100_001, 10**9])
def test_chunks_become_one_blob(repository, chunk_size):
    content = os.urandom(100_001 if chunk_size > 1 else 7)
    blob = push_blob(repository, content, chunk_size=chunk_size)
    assert repository.fetch(blob).read() == content


def test_empty_blob_is_pushed_and_fetched(repository):
    blob = push_blob(repository, b"")
    assert repository.exists(blob)
    assert repository.fetch(blob).read() == b""


def test_range_of_a_blob_is_fetched(repository):
    content = os.urandom(1000)
    blob = push_blob(repository, content)
    assert repository.fetch_range(blob, 990, 10).read() == content[990:]


def test_a_mount_transfers_no_bytes(server, registry, repository):
    blob = push_blob(repository, b"layer")
    other = registry.repository("org/other")
    start = len(server.requests)
    assert other.mount(blob, repository) is True
    assert [line.split()[0] for line in lines(server, start)] == ["HEAD", "GET", "POST"]
    assert other.exists(blob)


def test_a_mount_of_a_missing_blob_starts_the_upload(server, registry, repository):
    other = registry.repository("org/other")
    blob = Descriptor.of(b"layer", "application/octet-stream")
    assert other.mount(blob, repository) is False
    other.push(blob, BytesSource(b"layer"))
    assert [line.split()[0] for line in lines(server)] == ["HEAD", "GET", "POST", "PUT"]
    assert other.exists(blob)


def test_an_impossible_mount_takes_no_request(server, repository):
    blob = Descriptor.of(b"layer", "application/octet-stream")
    elsewhere = RemoteRegistry("reg.io", server, retry_policy=ONCE).repository("org/other")
    index = codec.encode_index(manifests=[]).descriptor
    assert repository.mount(blob, elsewhere) is False
    assert repository.mount(blob, object()) is False
    assert repository.mount(blob, repository) is False
    assert repository.mount(index, elsewhere) is False
    assert server.requests == ()


def test_threads_share_a_repository(repository):
    contents = [os.urandom(10_000) for _ in range(16)]
    with ThreadPoolExecutor(8) as executor:
        blobs = list(executor.map(lambda content: push_blob(repository, content), contents))
        fetched = list(executor.map(lambda blob: repository.fetch(blob).read(), blobs))
    assert fetched == contents


# --- Manifests and tags -------------------------------------------------------------------


def test_the_manifest_size_limit_applies_to_every_operation(server):
    limits = Limits(manifest_size=300)
    registry = RemoteRegistry("reg.io", server, retry_policy=ONCE, limits=limits)
    repository = registry.repository("app")
    manifest = push_artifact(RemoteRegistry("reg.io", server).repository("app"), b"x", tag="v1")
    assert len(manifest.content) > 300
    with pytest.raises(SizeLimitError):
        repository.fetch_reference("v1")
    with pytest.raises(SizeLimitError):
        repository.fetch(manifest.descriptor)
    with pytest.raises(SizeLimitError):
        repository.push_manifest(manifest.content, manifest.media_type, "v2")


@pytest.mark.parametrize("page_size", [None, 1, 2, 3, 100])
def test_tags_come_page_by_page(repository, page_size):
    manifest = push_artifact(repository)
    for tag in ("v1", "v2", "v3", "latest"):
        repository.tag(manifest.descriptor, tag)
    assert sorted(repository.tags(page_size)) == ["latest", "v1", "v2", "v3"]


def test_r27_the_page_size_is_sent_on_request_and_within_the_limit_of_the_host(server):
    registry = RemoteRegistry("1.dkr.ecr.eu-west-1.amazonaws.com", server, retry_policy=ONCE)
    repository = registry.repository("app")
    push_artifact(repository, tag="v1")
    start = len(server.requests)
    assert list(repository.tags()) == list(repository.tags(5000)) == ["v1"]
    assert [sent.query for sent in server.requests[start:]] == ["", "n=1000"]


def test_r27_entries_that_are_not_tags_are_skipped():
    body = '{"tags":["v1",null,"sha256:%s","\\u001b[31m","a/b",7,"v2"]}' % ("0" * 64)
    transport = ScriptedTransport(Answer(200, {}, body.encode()))
    registry = RemoteRegistry("reg.io", transport, retry_policy=ONCE)
    assert list(registry.repository("app").tags()) == ["v1", "v2"]


def test_the_tags_of_a_missing_repository_are_an_error(registry):
    with pytest.raises(RegistryNotFoundError) as caught:
        next(registry.repository("nothing").tags())
    assert caught.value.codes == ("NAME_UNKNOWN",)
    assert caught.value.operation == "list the tags of localhost:5000/nothing"


def test_deleting_removes_the_tags_and_untagging_keeps_the_manifest(repository):
    manifest = push_artifact(repository, b"layer", tag="v1")
    repository.tag(manifest.descriptor, "v2")
    repository.untag("v1")
    assert list(repository.tags()) == ["v2"]
    repository.delete(manifest.descriptor)
    assert not repository.exists(manifest.descriptor)
    repository.delete(manifest.layers[0])
    assert not repository.exists(manifest.layers[0])
    for remove in (lambda: repository.untag("v1"), lambda: repository.delete(manifest.descriptor)):
        with pytest.raises(NotFoundError):
            remove()
    with pytest.raises(InvalidReferenceError):
        repository.untag(str(manifest.digest))


def test_manifest_pushed_under_another_digest_is_refused(repository):
    first, second = manifest_of(), manifest_of(annotations={"a": "b"})
    with pytest.raises(DigestMismatchError):
        repository.push_manifest(first.content, first.media_type, str(second.digest))


def test_errors_name_the_operation_and_its_target(registry, blob):
    hub = RemoteRegistry("docker.io", ScriptedTransport(*[Answer(403)] * 4), retry_policy=ONCE)
    with pytest.raises(
        Exception, match=f"push blob {blob.digest} to docker.io/library/x"
    ) as caught:
        hub.repository("library/x").push(blob, _Sized(blob.size))
    assert caught.value.url.startswith("https://registry-1.docker.io/v2/library/x/")


class _Sized:
    def __init__(self, size):
        self.size = size

    def open(self):
        raise AssertionError("nothing is sent before the upload has begun")


def test_a_registry_to_registry_copy_streams(repository, registry):
    content = os.urandom(3_000_000)
    blob = push_blob(repository, content)

    class Fetched:
        size = blob.size

        def open(self):
            return repository.fetch(blob)

    other = registry.repository("other")
    other.push(blob, Fetched())
    with closing(other.fetch(blob)) as stream:
        assert stream.read() == content


@pytest.mark.parametrize("name", ["", "Upper", "a//b", "../a"])
def test_an_invalid_repository_name_is_refused(registry, name):
    with pytest.raises(InvalidReferenceError):
        registry.repository(name)


def test_repr_shows_the_name(repository):
    assert repr(repository) == "RemoteRepository('localhost:5000/app')"
    assert (repository.registry, repository.name) == ("localhost:5000", "app")


def test_a_copy_from_a_repository_verifies_once(server, repository):
    blob = push_blob(repository, b"layer")
    with closing(ManifestCache(repository).source(blob).open()) as stream:
        assert not isinstance(stream, VerifyingReader)
    with closing(repository.fetch(blob)) as stream:
        assert isinstance(stream, VerifyingReader)


def test_repositories_are_freed_without_the_garbage_collector(registry):
    """A plan of a mirror makes thousands of them: cycles of references would pile up."""
    manifest = push_artifact(registry.repository("app"), b"layer", tag="v1")
    repository = registry.repository("app")
    repository.tag(manifest.descriptor, "v2")
    repository.untag("v1")
    assert list(repository.tags()) == ["v2"]
    assert list(repository.referrers(manifest.descriptor)) == []
    repository.delete(manifest.descriptor)
    kept = weakref.ref(repository)
    gc.disable()
    try:
        del repository
        assert kept() is None
    finally:
        gc.enable()
