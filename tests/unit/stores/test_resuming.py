"""Downloads of large blobs resume, and wrong partial files cause no error."""

from __future__ import annotations

import io
import random

import pytest

from oras_core.content.graph import ManifestCache
from oras_core.content.sources import BytesSource, FetchedSource
from oras_core.copying.options import CopyOptions
from oras_core.errors import (
    CancelledError,
    DigestMismatchError,
    FileAccessError,
    RegistryError,
    SizeMismatchError,
    TransportError,
)
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.packing.manifest import pack_manifest
from oras_core.ports.content import ResumableSource
from oras_core.ports.progress import ProgressListener
from oras_core.stores.file import FileStore
from oras_core.stores.memory import MemoryStore
from oras_core.stores.resuming import RESUMABLE_SIZE
from oras_core.testing.contracts.tree_access import at, names, read, write
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.verbs.pull import pull

CONTENT = random.Random(6).randbytes(RESUMABLE_SIZE + 500_000)
SIZE = len(CONTENT)


class Breaking:
    """Gives content, of which `let_through` bytes come before the connection breaks."""

    def __init__(self, content=CONTENT, let_through=None, error=None):
        self.content = content
        self.let_through = let_through
        self.error = error or TransportError("GET", "http://registry", "reset")
        self.asked = []
        self.sent = 0

    def fetch(self, descriptor):
        return self.fetch_range(descriptor, 0, len(self.content))

    def fetch_range(self, _, start, length):
        self.asked.append(start)
        return _Stream(self, self.content[start : start + length])


class _Stream(io.BytesIO):
    def __init__(self, owner, content):
        super().__init__(content)
        self._owner = owner

    def read(self, size=-1):
        owner = self._owner
        if owner.let_through is not None:
            if owner.let_through == 0:
                raise owner.error
            size = min(size, owner.let_through)
        chunk = super().read(size)
        owner.sent += len(chunk)
        if owner.let_through is not None:
            owner.let_through -= len(chunk)
        return chunk


@pytest.fixture
def tree():
    return MemoryFileTree()


@pytest.fixture
def descriptor():
    return Descriptor.of(CONTENT, "a/b", annotations={media_types.ANNOTATION_TITLE: "a"})


def push(tree, descriptor, fetcher):
    FileStore(tree).push(descriptor, ManifestCache(fetcher).source(descriptor))


def kept(tree, descriptor):
    with tree.resume(at("a"), descriptor.digest) as file:
        return file.reread().read()


def keep(tree, descriptor, content):
    with tree.resume(at("a"), descriptor.digest) as file:
        file.write(content)


@pytest.mark.parametrize(
    "error",
    [
        TransportError("GET", "http://registry", "reset"),
        CancelledError("GET http://registry"),
        KeyboardInterrupt(),
    ],
)
@pytest.mark.parametrize("count", [1, 300_000, RESUMABLE_SIZE, SIZE - 1])
def test_received_bytes_are_not_fetched_again(tree, descriptor, count, error):
    with pytest.raises(type(error)):
        push(tree, descriptor, Breaking(let_through=count, error=error))
    assert names(tree) == []
    assert kept(tree, descriptor) == CONTENT[:count]
    again = Breaking()
    push(tree, descriptor, again)
    assert read(tree, "a") == CONTENT
    assert again.asked == [count]
    assert again.sent == SIZE - count
    assert kept(tree, descriptor) == b""


def test_a_file_is_resumed_many_times(tree, descriptor):
    asked = []
    for _ in range(100):
        fetcher = Breaking(let_through=70_000)
        try:
            push(tree, descriptor, fetcher)
        except TransportError:
            asked += fetcher.asked
        else:
            break
    assert asked == list(range(0, SIZE, 70_000))[: len(asked)]
    assert len(asked) == SIZE // 70_000
    assert read(tree, "a") == CONTENT


def test_complete_partial_file_is_renamed_without_a_download(tree, descriptor):
    keep(tree, descriptor, CONTENT)
    fetcher = Breaking()
    push(tree, descriptor, fetcher)
    assert fetcher.asked == []
    assert read(tree, "a") == CONTENT


@pytest.mark.parametrize(
    "beginning",
    [b"\0" * 300_000, CONTENT[:-1] + b"x", CONTENT + b"x", b"\0" * (SIZE + 1), b"x"],
    ids=["zeros", "whole but wrong", "too long", "too long and wrong", "one byte"],
)
def test_wrong_partial_file_is_downloaded_again(tree, descriptor, beginning):
    keep(tree, descriptor, beginning)
    fetcher = Breaking()
    push(tree, descriptor, fetcher)
    assert read(tree, "a") == CONTENT
    assert fetcher.asked[-1] == 0
    assert fetcher.sent <= 2 * SIZE
    assert kept(tree, descriptor) == b""


@pytest.mark.parametrize(
    "beginning", [b"", CONTENT[:300_000], b"\0" * 300_000], ids=["none", "right", "wrong"]
)
@pytest.mark.parametrize(
    ("content", "error"),
    [
        (bytes(SIZE), DigestMismatchError),
        (CONTENT[:-1], SizeMismatchError),
        (CONTENT + b"x", SizeMismatchError),
    ],
    ids=["other", "short", "long"],
)
def test_no_partial_file_is_kept_after_other_errors(tree, descriptor, content, error, beginning):
    if beginning:
        keep(tree, descriptor, beginning)
    write(tree, "a", b"old")
    fetcher = Breaking(content)
    fetcher.fetch_range = lambda _, start, length: io.BytesIO(content[start:])
    fetcher.fetch = lambda _: io.BytesIO(content)
    with pytest.raises(error):
        push(tree, descriptor, fetcher)
    assert read(tree, "a") == b"old"
    assert kept(tree, descriptor) == b""


def test_no_partial_file_is_kept_on_a_full_disk(tree, descriptor):
    with pytest.raises(FileAccessError):
        push(tree, descriptor, Breaking(let_through=9, error=FileAccessError("write", "a", "full")))
    assert kept(tree, descriptor) == b""


@pytest.mark.parametrize(("status", "keeps"), [(401, 9), (429, 9), (503, 9), (404, 0), (400, 0)])
def test_the_status_decides_whether_the_partial_file_is_kept(tree, descriptor, status, keeps):
    error = RegistryError(
        "pull a blob", status=status, method="GET", url="http://registry/v2/a/blobs/b"
    )
    with pytest.raises(RegistryError):
        push(tree, descriptor, Breaking(let_through=9, error=error))
    assert len(kept(tree, descriptor)) == keeps


def test_a_refused_range_leads_to_a_full_fetch(tree, descriptor):
    keep(tree, descriptor, CONTENT[:300_000])
    fetcher = Breaking()
    error = RegistryError("pull a blob", status=400, method="GET", url="http://registry/v2/")

    def refuse(*_):
        raise error

    fetcher.fetch = lambda _: io.BytesIO(CONTENT)
    fetcher.fetch_range = refuse
    push(tree, descriptor, fetcher)
    assert read(tree, "a") == CONTENT


def test_no_partial_file_is_kept_of_a_small_blob(tree):
    content = CONTENT[: RESUMABLE_SIZE - 1]
    small = Descriptor.of(content, "a/b", annotations={media_types.ANNOTATION_TITLE: "a"})
    with pytest.raises(TransportError):
        push(tree, small, Breaking(content, let_through=9))
    assert kept(tree, small) == b""


def test_no_partial_file_is_kept_of_a_source_without_ranges(tree, descriptor):
    class Whole:
        fetch = Breaking(let_through=9).fetch

    source = ManifestCache(Whole()).source(descriptor)
    assert isinstance(source, FetchedSource)
    assert not isinstance(source, ResumableSource)
    with pytest.raises(TransportError):
        FileStore(tree).push(descriptor, source)
    assert kept(tree, descriptor) == b""


def test_a_partial_file_in_use_is_not_touched(tree, descriptor):
    with tree.resume(at("b"), descriptor.digest) as other:
        other.write(b"theirs")
        push(tree, descriptor, Breaking())
        assert read(tree, "a") == CONTENT
    assert kept(tree, descriptor) == b"theirs"


def test_a_full_write_removes_the_partial_file(tree, descriptor):
    """The one who is at it is gone when the content, which came without, is whole."""
    other = tree.resume(at("b"), descriptor.digest)

    class Leaving(Breaking):
        def fetch_range(self, _, start, length):
            other.write(b"theirs")
            other.__exit__()
            return super().fetch_range(_, start, length)

    push(tree, descriptor, Leaving())
    assert read(tree, "a") == CONTENT
    assert kept(tree, descriptor) == b""


def test_a_present_file_removes_the_partial_file(tree, descriptor):
    keep(tree, descriptor, CONTENT[:9])
    write(tree, "a", CONTENT)
    fetcher = Breaking()
    push(tree, descriptor, fetcher)
    assert fetcher.asked == []
    assert kept(tree, descriptor) == b""


def test_a_manifest_is_not_fetched_by_range():
    manifest = pack_manifest([]).descriptor
    assert isinstance(ManifestCache(Breaking()).source(manifest), FetchedSource)
    assert isinstance(ManifestCache(Breaking()).source(manifest.plain()), FetchedSource)


class Noting(ProgressListener):
    def __init__(self):
        self.noted = []

    def started(self, descriptor):
        self.noted.append(("started",))

    def resumed(self, descriptor, kept):
        self.noted.append(("resumed", kept))

    def restarted(self, descriptor, moved):
        self.noted.append(("restarted", moved))

    def advanced(self, descriptor, count):
        self.noted.append(("advanced", count))

    def finished(self, descriptor):
        self.noted.append(("finished",))

    def moved(self):
        total = 0
        for what, *numbers in self.noted:
            if what in ("advanced", "resumed"):
                total += numbers[0]
            elif what == "restarted":
                total -= numbers[0]
        return total


class Offering(MemoryStore):
    """Has an artifact of one large layer, and gives parts of it."""

    def __init__(self, layer):
        super().__init__()
        manifest = pack_manifest([layer])
        self.push(manifest.descriptor, BytesSource(manifest.content))
        self.tag(manifest.descriptor, "v1")
        self.layer = Breaking()

    def fetch(self, descriptor):
        return super().fetch(descriptor) if descriptor.has_successors else self.layer.fetch(None)

    def fetch_range(self, descriptor, start, length):
        return self.layer.fetch_range(descriptor, start, length)


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        (b"", ["started"]),
        (CONTENT[:300_000], ["started", "resumed"]),
        (b"\0" * 300_000, ["started", "resumed", "restarted"]),
    ],
    ids=["none", "right", "wrong"],
)
def test_the_listener_is_told_of_resumed_bytes(tree, descriptor, beginning, expected):
    if beginning:
        keep(tree, descriptor, beginning)
    listener, source = Noting(), Offering(descriptor)
    pull(source, "v1", tree, options=CopyOptions(listener=listener))
    heard = [what for what, *_ in listener.noted if what not in ("advanced", "finished")]
    assert heard[: len(expected)] == expected
    assert ("resumed", 300_000) in listener.noted or not beginning
    assert read(tree, "a") == CONTENT
    manifest, config = source.resolve("v1"), 0  # a pull leaves the config
    assert listener.moved() == SIZE + manifest.size + config
