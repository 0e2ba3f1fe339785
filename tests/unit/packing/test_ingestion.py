"""Large content travels while its digest is being computed."""

from __future__ import annotations

import contextlib
import os
import threading

import pytest
from attrs import evolve

from oras_core.cancellation import CancelToken
from oras_core.content.sources import BytesSource, FileSource
from oras_core.errors import CancelledError, NotFoundError, SourceChangedError, TransportError
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import sanitize_path
from oras_core.packing import ingestion
from oras_core.ports.http import HttpResponse
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.transports.retries import RetryPolicy
from oras_core.testing import EmbeddedRegistry, MemoryFileTree
from oras_core.testing.contracts.tree_access import read, write
from oras_core.verbs.pull import pull
from oras_core.verbs.push import Directory, File
from oras_core.verbs.push import push as push_artifact

TYPE = "application/octet-stream"
LARGE = os.urandom(100_000)


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch):
    monkeypatch.setattr(ingestion, "INGESTION_SIZE", 50_000)


class Between:
    """A transport to a registry, which a test can put its word in."""

    def __init__(self):
        self.registry = EmbeddedRegistry()
        self.answers = {}

    def send(self, request):
        answer = self.answers.get(request.method)
        return self.registry.send(request) if answer is None else answer(request)

    def methods(self):
        return [request.method for request in self.registry.requests]


@pytest.fixture
def between():
    return Between()


@pytest.fixture
def repository(between):
    policy = RetryPolicy(attempts=3, backoff=0)
    registry = RemoteRegistry("r.example", between, plain_http=True, retry_policy=policy)
    return registry.repository("a/b")


def push(repository, *contents, tag="v1", **options):
    files = [File(f"file-{n}", BytesSource(c)) for n, c in enumerate(contents)]
    return push_artifact(repository, tag, files, scratch=MemoryFileTree(), **options)


def pulled(repository, tag="v1"):
    tree = MemoryFileTree()
    return [tree.open(path).read() for path in pull(repository, tag, tree).files]


def blob_of(repository, content):
    with_size = Descriptor.of(content, TYPE)
    return repository.exists(with_size)


def test_large_file_is_sent_by_one_patch_and_its_digest_by_the_put(between, repository):
    push(repository, LARGE)
    uploads = [r for r in between.registry.requests if "/uploads/" in r.path]
    large = [r.method for r in uploads if r.method == "PATCH"]
    assert large == ["PATCH"]
    assert pulled(repository) == [LARGE]


def test_small_file_is_hashed_first(between, repository):
    push(repository, LARGE[:49_999])
    assert "PATCH" not in between.methods()


def test_file_for_an_existing_tag_is_hashed_first(between, repository):
    push(repository, LARGE)
    so_far = len(between.methods())
    push(repository, LARGE)
    assert between.methods()[so_far:] == ["GET"]
    push(repository, LARGE, b"small")
    assert between.methods().count("PATCH") == 1
    assert pulled(repository) == [LARGE, b"small"]


def test_same_artifact_gets_a_further_tag(repository):
    push(repository, LARGE)
    root = push(repository, LARGE, further_tags=["v2"])
    assert repository.resolve("v2").digest == root.digest


def test_large_files_are_sent_concurrently(between, repository):
    together = threading.Barrier(2, timeout=10)

    def answer(request):
        together.wait()
        return between.registry.send(request)

    between.answers["PATCH"] = answer
    push(repository, LARGE, LARGE[::-1])
    assert pulled(repository) == [LARGE, LARGE[::-1]]


def test_registry_without_streamed_uploads_is_probed_once(between, repository):
    def refuse(request):
        request.body.open().close()
        return HttpResponse(405, body=BytesSource(b"").open())

    asked = []
    between.answers["PATCH"] = lambda request: asked.append(1) or refuse(request)
    push(repository, LARGE)
    push(repository, LARGE[::-1], tag="v2")
    assert asked == [1]
    assert pulled(repository) == [LARGE]
    assert between.methods().count("DELETE") == 1


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_temporary_refusal_does_not_disable_streamed_uploads(between, repository, status):
    asked = []

    def refuse(request):
        asked.append(1)
        request.body.open().close()
        return HttpResponse(status, body=BytesSource(b"").open())

    between.answers["PATCH"] = refuse
    assert repository.ingest(BytesSource(LARGE), TYPE) == Descriptor.of(LARGE, TYPE)
    del between.answers["PATCH"]
    repository.ingest(BytesSource(LARGE), TYPE)
    assert blob_of(repository, LARGE)


def test_interrupted_streamed_upload_is_not_streamed_again(between, repository):
    asked = []

    def break_off(request):
        stream = request.body.open()
        asked.append(1)
        stream.read(10)
        raise TransportError("PATCH", request.url, "reset")

    between.answers["PATCH"] = break_off
    push(repository, LARGE)
    assert asked == [1]
    assert pulled(repository) == [LARGE]


def test_received_part_of_an_interrupted_upload_is_not_sent_again(between, repository):
    sent = []

    def break_off(request):
        with contextlib.closing(request.body.open()) as stream:
            sent.append(stream.read(60_000))
        between.answers.clear()
        between.registry.send(request.with_body(BytesSource(sent[0])))
        raise TransportError("PATCH", request.url, "reset")

    between.answers["PATCH"] = break_off
    push(repository, LARGE)
    assert sent == [LARGE[:60_000]]
    patches = [r for r in between.registry.requests if r.method == "PATCH"]
    assert [r.headers.get("Content-Range") for r in patches] == [None, "60000-99999"]
    assert pulled(repository) == [LARGE]


def test_lost_part_of_an_upload_is_sent_again(between, repository):
    def forget(request):
        response = between.registry.send(request)
        return evolve(response, headers=response.headers.with_fields({"Range": "0-9"}))

    between.answers["PATCH"] = forget
    push(repository, LARGE)
    assert pulled(repository) == [LARGE]


def test_upload_of_an_existing_blob_is_stopped(between, repository):
    push(repository, LARGE, tag="other")
    looked = threading.Event()
    read = []

    def look(request):
        response = between.registry.send(request)
        looked.set()
        return response

    def slowly(request):
        stream = request.body.open()
        read.append(len(stream.read(10)))
        assert looked.wait(10)
        while chunk := stream.read(10):
            read.append(len(chunk))
        raise AssertionError("it was sent to its end")

    between.answers |= {"HEAD": look, "PATCH": slowly}
    assert repository.ingest(BytesSource(LARGE), TYPE) == Descriptor.of(LARGE, TYPE)
    assert sum(read) < len(LARGE)
    assert between.methods()[-1] == "DELETE"


def test_a_file_that_changes_is_an_error_and_leaves_nothing(between, repository):
    tree = MemoryFileTree()
    path = sanitize_path("large")

    def write(content):
        with tree.create(path) as file:
            file.write(content)
            file.commit()

    write(LARGE)
    source = FileSource(tree, path)

    def change(request):
        stream = request.body.open()
        stream.read(10)
        write(LARGE[::-1])
        while stream.read(1000):
            continue
        raise AssertionError("the change went unnoticed")

    between.answers["PATCH"] = change
    file = File("large", source)
    with pytest.raises(SourceChangedError):
        push_artifact(repository, "v1", [file], scratch=MemoryFileTree())
    # Another thread may still look for the config; a HEAD leaves nothing.
    assert [method for method in between.methods() if method != "HEAD"][-1] == "DELETE"
    with pytest.raises(NotFoundError):
        repository.resolve("v1")


def test_failure_stops_concurrent_uploads(between, repository):
    begun, failed = threading.Event(), threading.Event()

    class Failing(BytesSource):
        def open(self):
            assert begun.wait(10)
            failed.set()
            raise SourceChangedError("file", "it vanished")

    def endless(request):
        stream = request.body.open()
        begun.set()
        assert failed.wait(10)
        while stream.read(1):
            continue
        raise AssertionError("it was sent to its end")

    between.answers["PATCH"] = endless
    files = [File("a", BytesSource(LARGE * 10)), File("b", Failing(LARGE))]
    with pytest.raises(SourceChangedError):
        push_artifact(repository, "v1", files, scratch=MemoryFileTree())
    assert not [t for t in threading.enumerate() if t.name.startswith("oras-")]


@pytest.mark.parametrize("host", ["ghcr.io", "public.ecr.aws", "europe-docker.pkg.dev", "gcr.io"])
def test_registries_known_to_refuse_streamed_uploads_get_none(between, host):
    repository = RemoteRegistry(host, between).repository("a/b")
    repository.push(Descriptor.of(LARGE, TYPE), BytesSource(LARGE))
    repository.ingest(BytesSource(LARGE), TYPE)
    assert "PATCH" not in between.methods()


def test_refused_upload_start_is_an_error_of_the_push(between, repository):
    between.answers["POST"] = lambda _: HttpResponse(403, body=BytesSource(b"").open())
    assert repository.ingest(BytesSource(LARGE), TYPE) == Descriptor.of(LARGE, TYPE)


# --- Directories --------------------------------------------------------------------------


def folder():
    tree = MemoryFileTree()
    write(tree, "random", LARGE)
    write(tree, "sub/run", b"#!/bin/sh\n", executable=True)
    return tree


def push_folder(repository, tag="v1", **options):
    contents = [Directory("data", folder())]
    return push_artifact(repository, tag, contents, scratch=MemoryFileTree(), **options)


def assert_there(repository, tag="v1"):
    tree = MemoryFileTree()
    pull(repository, tag, tree)
    assert read(tree, "data/random") == LARGE


def patches(between):
    return between.methods().count("PATCH")


def test_directory_is_sent_while_it_is_packed(between, repository, monkeypatch):
    streamed = push_folder(repository)
    assert patches(between) == 1
    assert_there(repository)
    monkeypatch.setattr(ingestion, "INGESTION_SIZE", 10**9)
    assert push_folder(repository, "v2") == streamed
    assert patches(between) == 1


def test_directory_for_an_existing_tag_is_packed_first(between, repository):
    push_folder(repository)
    push_folder(repository)
    assert patches(between) == 1


def test_interrupted_upload_of_a_directory_is_repeated(between, repository):
    def broken(request):
        with contextlib.closing(request.body.open()) as stream:
            stream.read(1000)
        raise TransportError("PATCH", request.url, "reset")

    between.answers["PATCH"] = broken
    push_folder(repository)
    assert_there(repository)


def test_a_directory_that_changes_while_it_is_sent_is_an_error(between, repository):
    class Changing(MemoryFileTree):
        def open(self, path):
            stream = super().open(path)
            write(self, str(path), b"other")
            return stream

    tree = Changing()
    write(tree, "random", LARGE)
    with pytest.raises(SourceChangedError):
        push_artifact(repository, "v1", [Directory("data", tree)], scratch=MemoryFileTree())
    assert "DELETE" in between.methods()


def test_cancelled_push_stops_packing(between, repository):
    token = CancelToken()

    def cancelling(request):
        with contextlib.closing(request.body.open()) as stream:
            stream.read(1000)
            token.cancel()
            stream.read(1000)
        raise AssertionError("it read on")

    between.answers["PATCH"] = cancelling
    with token.scope(), pytest.raises(CancelledError):
        push_folder(repository)
    assert not [thread for thread in threading.enumerate() if thread.name == "oras-pack"]
