from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.copying.copy import copy
from oras_core.copying.options import CopyOptions
from oras_core.errors import (
    DigestMismatchError,
    NotFoundError,
    SizeMismatchError,
    UnsupportedError,
)
from oras_core.model import media_types
from oras_core.model.digest import Digest
from oras_core.packing.manifest import pack_manifest
from oras_core.registry.registry import RemoteRegistry
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_blob, push_document
from oras_core.testing.contracts.tree_access import names, write
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.testing.registry.registry import EmbeddedRegistry
from oras_core.verbs.pull import pull
from oras_core.verbs.push import Directory, push
from support.artifacts import all_files, file, layer, repository, tree_of
from support.tar_archives import member, tgz
from support.targets import EventRecorder, WatchedStore

# --- Scratch ------------------------------------------------------------------------------


def test_files_need_no_scratch_folder(target, folder):
    push(target, "v1", [file("a.txt", b"one")])
    pull(target, "v1", folder)
    assert all_files(folder) == {"a.txt": b"one"}


def test_a_directory_without_scratch_is_refused_before_anything_is_pushed(target):
    contents = [file("a.txt", b"one"), Directory("data", tree_of(x=b"ex"))]
    with pytest.raises(UnsupportedError, match=r"push the directory 'data'.*argument scratch"):
        push(target, "v1", contents)
    with pytest.raises(NotFoundError):
        target.resolve("v1")


# --- There and back -----------------------------------------------------------------------


def test_files_and_directories_round_trip(target, scratch, folder):
    root = push(
        target,
        "v1",
        [
            file("a.txt", b"one"),
            file("docs/b.txt", b"two", media_type="text/plain"),
            Directory("data", tree_of(x=b"ex", y=b"why")),
        ],
        scratch=scratch,
        artifact_type="application/vnd.example",
    )
    pulled = pull(target, "v1", folder)
    assert pulled.root.plain() == root.plain()
    assert [str(path) for path in pulled.files] == ["a.txt", "docs/b.txt", "data"]
    assert all_files(folder) == {
        "a.txt": b"one",
        "docs/b.txt": b"two",
        "data/x": b"ex",
        "data/y": b"why",
    }
    assert pulled.manifest.artifact_type == "application/vnd.example"
    assert [found.media_type for found in pulled.manifest.layers] == [
        media_types.OCI_LAYER_TAR,
        "text/plain",
        media_types.OCI_LAYER_TAR_GZIP,
    ]


_names = st.from_regex(r"[a-c]{1,2}\.txt", fullmatch=True)
_titles = st.lists(_names, min_size=1, max_size=2).map("/".join).map(lambda t: f"d/{t}")


def _apart(files):
    return not any(a != b and b.startswith(f"{a}/") for a in files for b in files)


@given(st.dictionaries(_titles, st.binary(max_size=3), max_size=5).filter(_apart))
def test_arbitrary_files_round_trip(files):
    target, folder = repository(), MemoryFileTree()
    contents = [file(title, content) for title, content in files.items()]
    push(target, "v1", contents, scratch=MemoryFileTree())
    pulled = pull(target, "v1", folder)
    assert all_files(folder) == files
    assert [str(path) for path in pulled.files] == list(files)


def test_a_blob_with_two_titles_is_transferred_once(target, scratch, folder):
    push(target, "v1", [file("a", b"same"), file("b/c", b"same")], scratch=scratch)
    watched = WatchedStore(target)
    pulled = pull(watched, "v1", folder)
    assert all_files(folder) == {"a": b"same", "b/c": b"same"}
    assert watched.fetched[Digest.of(b"same")] == 1
    assert len(pulled.files) == 2


def test_equal_directories_under_two_titles_both_appear(target, scratch, folder):
    contents = [Directory(title, tree_of(x=b"ex")) for title in ("one/data", "two/data")]
    push(target, "v1", contents, scratch=scratch)
    pull(target, "v1", folder)
    assert all_files(folder) == {"one/data/x": b"ex", "two/data/x": b"ex"}


def test_one_archive_under_two_titles_appears_twice(target, folder):
    archive = tgz(member("data/x", b"ex"))
    push_blob(target, archive)
    push_blob(target, b"{}")
    unpack = {media_types.ANNOTATION_UNPACK: "true"}
    titles = ("one/data", "two/data")
    manifest = pack_manifest([layer(archive, title, **unpack) for title in titles])
    push_document(target, manifest)
    pulled = pull(target, str(manifest.digest), folder)
    assert [str(path) for path in pulled.files] == ["one/data", "two/data"]
    assert all_files(folder) == {"one/data/x": b"ex", "two/data/x": b"ex"}


def test_file_with_the_content_of_the_config(target, scratch, folder):
    push(target, "v1", [file("empty.json", b"{}")], scratch=scratch)
    pull(target, "v1", folder)
    assert all_files(folder) == {"empty.json": b"{}"}


def test_file_with_the_media_type_of_a_manifest(scratch, folder):
    target = MemoryStore()
    content = pack_manifest([]).content
    inner = file("manifest.json", content, media_type=media_types.OCI_MANIFEST)
    push(target, "v1", [inner], scratch=scratch)
    pull(target, "v1", folder)
    assert all_files(folder) == {"manifest.json": content}


def test_push_and_pull_without_files(target, scratch, folder):
    push(target, "v1", [], scratch=scratch)
    assert pull(target, "v1", folder).files == ()
    assert names(folder) == []


# --- A registry ---------------------------------------------------------------------------


class TamperingTransport:
    """Changes the bodies of blobs on their way from a registry."""

    def __init__(self, server, change):
        self.server, self.change = server, change

    def send(self, request):
        response = self.server.send(request)
        if request.method != "GET" or "/blobs/" not in request.url:
            return response
        body = self.change(response.body.read())
        headers = response.headers.with_fields({"Content-Length": str(len(body))})
        return type(response)(response.status, headers, body=io.BytesIO(body))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda body: body.replace(b"g", b"f"), DigestMismatchError),
        (lambda body: body[:-1], SizeMismatchError),
        (lambda body: body + b"!", SizeMismatchError),
    ],
)
def test_changed_bytes_are_an_error(scratch, folder, change, error):
    server = EmbeddedRegistry()
    push(repository(server), "v1", [file("a", b"good")], scratch=scratch)
    write(folder, "a", b"old")
    with pytest.raises(error):
        pull(repository(TamperingTransport(server, change)), "v1", folder)
    assert all_files(folder) == {"a": b"old"}


def test_blobs_of_another_repository_are_mounted(scratch):
    server = EmbeddedRegistry()
    registry = RemoteRegistry("localhost:5000", server, plain_http=True)
    source, destination = registry.repository("one"), registry.repository("two")
    listener = EventRecorder()
    push(source, "v1", [file("a", b"one")], scratch=scratch)
    before = len(server.requests)
    root = copy(source, "v1", destination, options=CopyOptions(listener=listener)).root
    assert destination.resolve("v1").digest == root.digest
    assert listener.of(layer(b"one")) == [("skipped", "mounted")]
    assert not [
        request
        for request in server.requests[before:]
        if request.method == "GET" and "/blobs/" in request.path
    ]


def test_copy_between_registries_round_trips(scratch, folder):
    first, second, memory = repository(), repository(), MemoryStore()
    root = push(first, "v1", [file("a", b"one"), file("b", b"two")], scratch=scratch)
    copy(first, "v1", memory)
    copy(memory, "v1", second, "v2")
    assert second.resolve("v2").digest == root.digest
    pull(second, "v2", folder)
    assert all_files(folder) == {"a": b"one", "b": b"two"}
