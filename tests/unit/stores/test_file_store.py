from __future__ import annotations

import gzip
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from oras_core.content.sources import BytesSource
from oras_core.copying.copy import copy_graph
from oras_core.errors import (
    AlreadyExistsError,
    ContentError,
    DigestMismatchError,
    FileAccessError,
    InvalidDigestError,
    NotFoundError,
    SizeLimitError,
    SizeMismatchError,
    UnsafeArchiveError,
    UnsafePathError,
)
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.packing.manifest import pack_manifest
from oras_core.ports.content import LocalStorage, Placer
from oras_core.stores import file
from oras_core.stores.file import FileStore, is_marked_for_unpacking
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content import TargetContract
from oras_core.testing.contracts.content_access import BreakingSource, CountingSource
from oras_core.testing.contracts.content_access import read as fetched
from oras_core.testing.contracts.tree_access import at, kind_at, names, read, write
from oras_core.testing.memory_files import MemoryFileTree
from support.artifacts import all_files
from support.tar_archives import directory, member, symlink, tar, tgz

TITLE = media_types.ANNOTATION_TITLE
UNPACK = media_types.ANNOTATION_UNPACK
CONTENT_DIGEST = media_types.ANNOTATION_CONTENT_DIGEST


def titled(content, title, **annotations):
    return Descriptor.of(content, "a/b", annotations={TITLE: title, **annotations})


def folder(content, title, **annotations):
    return titled(content, title, **{UNPACK: "true"}, **annotations)


@pytest.fixture
def tree():
    return MemoryFileTree()


@pytest.fixture
def store(tree):
    return FileStore(tree)


class TestUntitledContent(TargetContract):
    """What has no title is kept as by any target."""

    @pytest.fixture
    def target(self, store):
        return store

    @pytest.fixture(autouse=True)
    def no_file_appears(self, tree):
        yield
        assert names(tree) == []


# --- Files --------------------------------------------------------------------------------


def test_a_title_becomes_a_file(store, tree):
    descriptor = titled(b"content", "docs/a.txt")
    assert not store.exists(descriptor)
    store.push(descriptor, BytesSource(b"content"))
    assert read(tree, "docs/a.txt") == b"content"
    assert names(tree, "docs") == ["docs/a.txt"]
    assert store.exists(descriptor)
    assert fetched(store, descriptor) == b"content"


def test_a_title_is_normalised(store, tree):
    store.push(titled(b"content", "./docs//a.txt"), BytesSource(b"content"))
    assert read(tree, "docs/a.txt") == b"content"
    assert store.exists(titled(b"content", "docs/a.txt"))


def test_a_pushed_file_is_not_pushed_again(store):
    descriptor, source = titled(b"content", "a"), CountingSource(b"content")
    store.push(descriptor, source)
    store.push(descriptor, source)
    assert len(source.streams) == 1
    assert source.streams[0].closed


@pytest.mark.parametrize(
    "title", ["../a", "/etc/a", "a/../../b", "C:/a", "..\\b", "a\0", "", ".", "a\x1b[2J"]
)
def test_an_unsafe_title_is_refused_before_any_byte_is_read(store, tree, title):
    source = CountingSource(b"content")
    with pytest.raises(UnsafePathError):
        store.push(titled(b"content", title), source)
    with pytest.raises(UnsafePathError):
        store.exists(titled(b"content", title))
    if title != ".":
        with pytest.raises(UnsafePathError):
            store.push(folder(tgz(), title), source)
    assert source.streams == []
    assert names(tree) == []


def test_a_directory_titled_dot_is_unpacked_into_the_folder_itself(store, tree):
    write(tree, "d/kept", b"kept")
    write(tree, "a", b"old")
    content = tgz(directory("."), member("a", b"new"), member("d/b", b"b"))
    store.push(folder(content, "."), BytesSource(content))
    assert all_files(tree) == {"a": b"new", "d/b": b"b", "d/kept": b"kept"}


def test_directory_titled_dot_writes_nothing_outside_the_folder(store, tree):
    content = tgz(member("a", b"new"), member("../evil", b"evil"))
    with pytest.raises(UnsafeArchiveError):
        store.push(folder(content, "./"), BytesSource(content))
    assert names(tree) == []


def test_an_earlier_file_that_matches_is_kept(store, tree):
    write(tree, "a", b"content")
    before = tree.entry(at("a"))
    descriptor, source = titled(b"content", "a"), CountingSource(b"content")
    assert store.exists(descriptor)
    store.push(descriptor, source)
    assert source.streams == []
    assert tree.entry(at("a")) == before
    assert fetched(store, descriptor) == b"content"


@pytest.mark.parametrize("old", [b"other", b"c0ntent", b""])
def test_an_earlier_file_that_differs_is_replaced(store, tree, old):
    write(tree, "a", old)
    descriptor = titled(b"content", "a")
    assert not store.exists(descriptor)
    store.push(descriptor, BytesSource(b"content"))
    assert read(tree, "a") == b"content"


@pytest.mark.parametrize("old", [None, b"old", b"c0ntent"])
@pytest.mark.parametrize(
    ("source", "error"),
    [
        (BytesSource(b"c0ntent"), DigestMismatchError),
        (BytesSource(b"conten"), SizeMismatchError),
        (BytesSource(b""), SizeMismatchError),
        (BytesSource(b"contents"), SizeMismatchError),
        (BytesSource(b"content" * 100_000), SizeMismatchError),
        (BreakingSource(7), NotFoundError),
    ],
)
def test_a_blob_that_does_not_match_never_gets_the_name(store, tree, source, error, old):
    if old is not None:
        write(tree, "a", old)
    descriptor = titled(b"content", "a")
    with pytest.raises(error):
        store.push(descriptor, source)
    assert names(tree) == ([] if old is None else ["a"])
    if old is not None:
        assert read(tree, "a") == old
    assert not store.exists(descriptor)
    with pytest.raises(NotFoundError):
        store.fetch(descriptor)
    store.push(descriptor, BytesSource(b"content"))
    assert read(tree, "a") == b"content"


def test_two_blobs_with_one_title_are_refused(store, tree):
    store.push(titled(b"first", "a"), BytesSource(b"first"))
    for title in ("a", "./a"):
        source = CountingSource(b"second")
        with pytest.raises(AlreadyExistsError):
            store.push(titled(b"second", title), source)
        assert source.streams == []
    assert read(tree, "a") == b"first"


def test_a_file_that_changes_during_the_check_is_replaced(tree):
    class Busy(MemoryFileTree):
        def open(self, path):
            stream = super().open(path)
            write(self, str(path), b"changed")
            return stream

    busy = Busy()
    write(busy, "a", b"content")
    store = FileStore(busy)
    assert not store.exists(titled(b"content", "a"))
    store.push(titled(b"content", "a"), BytesSource(b"content"))
    busy.__class__ = MemoryFileTree
    assert read(busy, "a") == b"content"


def test_a_link_or_folder_in_place_of_the_file_stays(store, tree):
    write(tree, "folder/x", b"x")
    write(tree, "file", b"x")
    tree.make_symlink(at("link"), "file")
    tree.make_symlink(at("out"), "../elsewhere")
    for title in ("folder", "link", "out", "out/a", "link/a"):
        with pytest.raises(UnsafePathError):
            store.push(titled(b"content", title), BytesSource(b"content"))
    with pytest.raises(FileAccessError):
        store.push(titled(b"content", "file/a"), BytesSource(b"content"))
    assert names(tree) == ["file", "folder", "link", "out"]
    assert read(tree, "file") == read(tree, "folder/x") == b"x"


def test_many_threads_write_at_once(store, tree):
    def push(number):
        content = b"%d" % (number % 5) * 1000
        store.push(titled(content, f"deep/{number}"), BytesSource(content))

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(push, range(40)))
    assert len(names(tree, "deep")) == 40
    assert read(tree, "deep/13") == b"3" * 1000


# --- Small files that are present --------------------------------------------------------


def test_a_small_file_that_matches_is_found_and_its_title_reserved(store, tree):
    write(tree, "a", b"content")
    assert isinstance(store, LocalStorage)
    assert store.has_small(titled(b"content", "a"))
    with pytest.raises(AlreadyExistsError):
        store.push(titled(b"another", "a"), BytesSource(b"another"))
    assert read(tree, "a") == b"content"


@pytest.mark.parametrize(
    "descriptor",
    [
        titled(b"content", "missing"),
        titled(b"changed", "a"),
        titled(b"longer than before", "a"),
        titled(b"content", "../a"),
        titled(b"content", "link"),
        titled(b"content", "link/a"),
        titled(b"x" * 100_000, "large"),
        folder(b"content", "a"),
        Descriptor.of(b"content", "a/b"),
    ],
    ids=str,
)
def test_any_other_blob_is_not_found_as_a_small_file(store, tree, descriptor):
    write(tree, "a", b"content")
    write(tree, "large", b"x" * 100_000)
    tree.make_symlink(at("link"), "a")
    assert not store.has_small(descriptor)


def test_a_second_blob_with_the_same_title_is_not_found_as_a_small_file(store, tree):
    store.push(titled(b"another", "a"), BytesSource(b"another"))
    write(tree, "a", b"content")
    assert not store.has_small(titled(b"content", "a"))


def test_a_copy_examines_small_files_in_its_own_thread_and_pushes_the_others(tree, monkeypatch):
    contents = {f"f{number}": b"%d" % number * 10 for number in range(6)}
    source, store = MemoryStore(), FileStore(tree)
    layers = [titled(content, title) for title, content in contents.items()]
    for layer in layers:
        source.push(layer, BytesSource(contents[layer.title]))
    manifest = pack_manifest(layers, artifact_type="a/b")
    source.push(manifest.config, BytesSource(media_types.EMPTY_CONFIG))
    source.push(manifest.descriptor, BytesSource(manifest.content))
    for title in ("f1", "f4"):
        write(tree, title, contents[title])
    hashing = []
    hash_source = file.hash_source

    def hashed(*arguments):
        hashing.append(threading.current_thread())
        return hash_source(*arguments)

    monkeypatch.setattr(file, "hash_source", hashed)
    moves = copy_graph(source, manifest.descriptor, store)
    assert hashing == [threading.current_thread()] * 2
    assert {layer.title for layer in moves.skipped} == {"f1", "f4"}
    assert {title: read(tree, title) for title in contents} == contents


# --- Further titles -----------------------------------------------------------------------


def test_a_blob_is_placed_under_a_further_title(store, tree):
    assert isinstance(store, Placer)
    store.push(titled(b"content", "a"), BytesSource(b"content"))
    store.place(titled(b"content", "b/c"))
    assert read(tree, "a") == read(tree, "b/c") == b"content"
    assert store.exists(titled(b"content", "b/c"))


def test_an_untitled_blob_is_placed_too(store, tree):
    store.push(Descriptor.of(b"content", "a/b"), BytesSource(b"content"))
    store.place(titled(b"content", "a"))
    assert read(tree, "a") == b"content"


def test_a_missing_blob_is_not_placed(store, tree):
    with pytest.raises(NotFoundError):
        store.place(titled(b"content", "a"))
    assert names(tree) == []


def test_a_further_title_is_checked_like_the_first(store, tree):
    store.push(titled(b"content", "a"), BytesSource(b"content"))
    store.push(titled(b"other", "b"), BytesSource(b"other"))
    with pytest.raises(UnsafePathError):
        store.place(titled(b"content", "../b"))
    with pytest.raises(AlreadyExistsError):
        store.place(titled(b"content", "b"))
    assert read(tree, "b") == b"other"


def test_a_changed_file_is_not_placed(store, tree):
    store.push(titled(b"content", "a"), BytesSource(b"content"))
    write(tree, "a", b"c0ntent")
    with pytest.raises(DigestMismatchError):
        store.place(titled(b"content", "b"))
    assert names(tree) == ["a"]


# --- Folders ------------------------------------------------------------------------------

ARCHIVE = tgz(directory("data"), member("data/a", b"one"), member("data/sub/b", b"two"))


def test_a_packed_directory_is_unpacked(store, tree):
    descriptor = folder(ARCHIVE, "data")
    assert not store.exists(descriptor)
    store.push(descriptor, BytesSource(ARCHIVE))
    assert names(tree) == ["data"]
    assert names(tree, "data") == ["data/a", "data/sub"]
    assert read(tree, "data/sub/b") == b"two"
    assert store.exists(descriptor)
    source = CountingSource(ARCHIVE)
    store.push(descriptor, source)
    assert source.streams == []


def test_other_files_of_a_folder_are_kept(store, tree):
    write(tree, "data/mine", b"mine")
    write(tree, "data/a", b"old")
    store.push(folder(ARCHIVE, "data"), BytesSource(ARCHIVE))
    assert read(tree, "data/mine") == b"mine"
    assert read(tree, "data/a") == b"one"


def test_an_archive_without_the_annotation_is_a_file(store, tree):
    store.push(titled(ARCHIVE, "data.tar.gz"), BytesSource(ARCHIVE))
    store.push(titled(ARCHIVE, "b", **{UNPACK: "false"}), BytesSource(ARCHIVE))
    assert read(tree, "data.tar.gz") == ARCHIVE
    assert kind_at(tree, "b") == "file"
    assert is_marked_for_unpacking(folder(ARCHIVE, "data"))
    assert not is_marked_for_unpacking(titled(ARCHIVE, "data"))


def test_the_caller_may_select_what_is_unpacked(tree):
    store = FileStore(tree, unpacks=lambda descriptor: descriptor.title == "data")
    store.push(titled(ARCHIVE, "data"), BytesSource(ARCHIVE))
    store.push(folder(ARCHIVE, "file"), BytesSource(ARCHIVE))
    assert kind_at(tree, "data") == "directory"
    assert read(tree, "file") == ARCHIVE


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (ARCHIVE[:-20] + bytes(20), ContentError),
        (ARCHIVE[:-1], SizeMismatchError),
        (ARCHIVE + b"x", SizeMismatchError),
        (gzip.compress(tar(member("data/a", b"evil")), mtime=0), ContentError),
        (b"", SizeMismatchError),
    ],
)
@pytest.mark.parametrize("old", [False, True])
def test_a_wrong_archive_leaves_nothing(store, tree, content, error, old):
    if old:
        write(tree, "data/a", b"old")
    descriptor = folder(ARCHIVE, "data")
    with pytest.raises(error):
        store.push(descriptor, BytesSource(content))
    assert names(tree) == (["data"] if old else [])
    if old:
        assert names(tree, "data") == ["data/a"]
        assert read(tree, "data/a") == b"old"
    assert not store.exists(descriptor)
    store.push(descriptor, BytesSource(ARCHIVE))
    assert read(tree, "data/a") == b"one"


@pytest.mark.parametrize(
    "archive",
    [
        tgz(member("../a", b"x")),
        tgz(member("data/ok", b"x"), member("/etc/a", b"x")),
        tgz(member("data/ok", b"x"), symlink("data/l", "../../a")),
        tgz(symlink("data/l", "/etc"), member("data/l/a", b"x")),
    ],
)
def test_unsafe_archive_leaves_nothing(store, tree, archive):
    with pytest.raises(UnsafeArchiveError):
        store.push(folder(archive, "data"), BytesSource(archive))
    assert names(tree) == []


def test_the_digest_of_the_unpacked_archive_is_checked(store, tree):
    right = str(Digest.of(gzip.decompress(ARCHIVE)))
    wrong = str(Digest.of(b"something else"))
    with pytest.raises(DigestMismatchError):
        store.push(folder(ARCHIVE, "data", **{CONTENT_DIGEST: wrong}), BytesSource(ARCHIVE))
    source = CountingSource(ARCHIVE)
    with pytest.raises(InvalidDigestError):
        store.push(folder(ARCHIVE, "data", **{CONTENT_DIGEST: "md5:00"}), source)
    assert source.streams == []
    assert names(tree) == []
    store.push(folder(ARCHIVE, "data", **{CONTENT_DIGEST: right}), BytesSource(ARCHIVE))
    assert read(tree, "data/a") == b"one"


@pytest.mark.parametrize("limits", [Limits(archive_members=2), Limits(archive_bytes=5)])
def test_limits_apply_to_archives(tree, limits):
    store = FileStore(tree, limits=limits)
    with pytest.raises(SizeLimitError):
        store.push(folder(ARCHIVE, "data"), BytesSource(ARCHIVE))
    assert names(tree) == []


def test_the_archive_of_a_folder_is_not_kept(store):
    store.push(folder(ARCHIVE, "data"), BytesSource(ARCHIVE))
    with pytest.raises(NotFoundError):
        store.fetch(folder(ARCHIVE, "data"))
    with pytest.raises(NotFoundError):
        store.place(folder(ARCHIVE, "other"))


def test_a_folder_and_a_file_with_one_title_are_refused(store, tree):
    store.push(folder(ARCHIVE, "data"), BytesSource(ARCHIVE))
    with pytest.raises(AlreadyExistsError):
        store.push(titled(b"content", "data"), BytesSource(b"content"))
    assert kind_at(tree, "data") == "directory"
