from __future__ import annotations

import gzip
from contextlib import closing

import pytest

from oras_core.archives.gzip_streams import GZIP
from oras_core.content.sources import BytesSource, FileSource
from oras_core.errors import (
    InvalidAnnotationError,
    InvalidDescriptorError,
    NotFoundError,
    SourceChangedError,
    UnsafePathError,
    UnsupportedError,
)
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.stores.staging import StagingStore
from oras_core.testing.contracts.content_access import CountingSource
from oras_core.testing.contracts.content_access import read as fetched
from oras_core.testing.contracts.tree_access import at, names, write
from oras_core.testing.memory_files import MemoryFileTree
from support.tar_archives import listing

TITLE = media_types.ANNOTATION_TITLE
UNSAFE = ["../a", "/a", "a/../../b", "C:/a", "..\\b", "", "a\n"]


@pytest.fixture
def scratch():
    return MemoryFileTree()


@pytest.fixture
def staging(scratch):
    return StagingStore(scratch)


# --- Files --------------------------------------------------------------------------------


def test_a_file_is_described_in_place(staging, scratch):
    source = CountingSource(b"content")
    descriptor = staging.add(source, "a/b", title="./docs//a.txt", annotations={"k": "v"})
    assert descriptor == Descriptor.of(
        b"content", "a/b", annotations={TITLE: "docs/a.txt", "k": "v"}
    )
    assert names(scratch) == []
    assert fetched(staging, descriptor) == b"content"
    assert fetched(staging, descriptor.plain()) == b"content"
    assert len(source.streams) == 3
    assert all(stream.closed for stream in source.streams)
    assert staging.source(descriptor) is source


def test_bytes_without_a_title_are_described(staging):
    descriptor = staging.add_bytes(b"content", "a/b", annotations={"k": "v"})
    assert descriptor == Descriptor.of(b"content", "a/b", annotations={"k": "v"})
    assert fetched(staging, descriptor) == b"content"


def test_a_blob_that_was_not_added_is_not_found(staging):
    for find in (staging.fetch, staging.source):
        with pytest.raises(NotFoundError, match="the blobs to push"):
            find(Descriptor.of(b"content", "a/b"))


@pytest.mark.parametrize("title", UNSAFE)
def test_an_unsafe_title_is_refused_at_push(staging, scratch, title):
    source = CountingSource(b"content")
    with pytest.raises(UnsafePathError):
        staging.add(source, "a/b", title=title)
    with pytest.raises(UnsafePathError):
        staging.add_directory(MemoryFileTree(), title=title)
    assert source.streams == []
    assert names(scratch) == []


def test_an_annotation_does_not_replace_the_title(staging):
    descriptor = staging.add(
        BytesSource(b"content"), "a/b", title="a", annotations={TITLE: "../../etc/passwd"}
    )
    assert descriptor.title == "a"


def test_a_source_that_cannot_be_read_is_refused(staging):
    with pytest.raises(InvalidDescriptorError):
        staging.add(BytesSource(b""), "not a type")
    with pytest.raises(InvalidAnnotationError):
        staging.add(BytesSource(b""), "a/b", annotations={"a": 1})


def test_equal_blobs_are_kept_once(staging):
    first, second = CountingSource(b"content"), CountingSource(b"content")
    descriptor = staging.add(first, "a/b", title="a")
    staging.add(second, "c/d", title="b")
    fetched(staging, descriptor)
    assert (len(first.streams), len(second.streams)) == (2, 1)


@pytest.mark.parametrize("new", [b"c0ntent", b"longer content", b"", None])
def test_a_file_that_changed_is_not_sent(staging, new):
    tree = MemoryFileTree()
    write(tree, "a", b"content")
    descriptor = staging.add(FileSource(tree, at("a")), "a/b", title="a")
    if new is None:
        tree.remove(at("a"))
    else:
        write(tree, "a", new)
    with pytest.raises(SourceChangedError):
        staging.fetch(descriptor)


def test_a_file_that_changes_during_the_push_is_an_error(staging):
    tree = MemoryFileTree()
    write(tree, "a", b"content")
    descriptor = staging.add(FileSource(tree, at("a")), "a/b", title="a")
    with closing(staging.fetch(descriptor)) as stream:
        assert stream.read(3) == b"con"
        write(tree, "a", b"c0ntent")
        with pytest.raises(SourceChangedError):
            stream.read(100)


# --- Directories --------------------------------------------------------------------------


def some_folder(*paths):
    tree = MemoryFileTree()
    for path in paths:
        write(tree, path, path.encode(), executable=path.endswith(".sh"))
    return tree


def test_a_directory_is_packed_into_the_scratch_folder(staging, scratch):
    descriptor = staging.add_directory(
        some_folder("b.sh", "sub/a"), title="some/data", annotations={"k": "v"}
    )
    archive = fetched(staging, descriptor)
    assert descriptor.plain() == Descriptor.of(archive, media_types.OCI_LAYER_TAR_GZIP)
    assert descriptor.annotations == {
        TITLE: "some/data",
        "k": "v",
        media_types.ANNOTATION_UNPACK: "true",
        media_types.ANNOTATION_CONTENT_DIGEST: str(Digest.of(gzip.decompress(archive))),
    }
    assert set(listing(gzip.decompress(archive))) == {
        "some/data",
        "some/data/b.sh",
        "some/data/sub",
        "some/data/sub/a",
    }  # under the whole title: oras unpacks no other
    assert len(names(scratch)) == 1


def test_equal_directories_give_equal_archives(staging, scratch):
    one = staging.add_directory(some_folder("a", "b"), title="x/data")
    two = staging.add_directory(some_folder("b", "a"), title="./x/data")
    assert one == two
    assert len(names(scratch)) == 2


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "sub/../../outside"])
def test_a_link_out_of_the_directory_is_not_packed(staging, scratch, target):
    tree = some_folder("sub/a")
    tree.make_symlink(at("link"), target)
    with pytest.raises(UnsafePathError):
        staging.add_directory(tree, title="data")
    assert names(scratch) == []


def by_zstd():
    """What calls itself zstd: the store asks no more of it."""

    class Pretended(type(GZIP)):
        suffix = "zstd"

    return Pretended("pretended", GZIP.library, 1)


def test_the_media_type_is_that_of_the_compression(staging):
    descriptor = staging.add_directory(some_folder("a"), title="data", compression=by_zstd())
    assert descriptor.media_type == "application/vnd.oci.image.layer.v1.tar+zstd"


@pytest.mark.parametrize("compression", [None, by_zstd()])
def test_a_media_type_of_another_compression_is_refused(staging, scratch, compression):
    wrong = "zstd" if compression is None else "gzip"
    with pytest.raises(UnsupportedError, match="choose another type or compression"):
        staging.add_directory(
            some_folder("a"), title="data", media_type=f"a/b.tar+{wrong}", compression=compression
        )
    assert names(scratch) == []
    for fitting in ("a/b", "a/b+json"):
        staging.add_directory(
            some_folder("a"), title="data", media_type=fitting, compression=compression
        )


def test_the_caller_may_choose_the_media_type(staging):
    descriptor = staging.add_directory(some_folder("a"), title="data", media_type="c/d")
    assert descriptor.media_type == "c/d"
