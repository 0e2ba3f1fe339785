from __future__ import annotations

import io
import zipfile
from contextlib import closing

import pytest

from oras_core.content.sources import (
    CHUNK_SIZE,
    BytesSource,
    FetchedSource,
    FileSource,
    OpenedSource,
    spool,
)
from oras_core.errors import (
    ContentError,
    FileAccessError,
    NotFoundError,
    SourceChangedError,
    UnsafePathError,
)
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import sanitize_path
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.tree_access import read, write
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.verbs.pull import pull
from oras_core.verbs.push import File, push

PATH = sanitize_path("data/a.txt")


@pytest.fixture
def tree():
    tree = MemoryFileTree()
    write(tree, "data/a.txt", b"hello world")
    return tree


def contents(source):
    with closing(source.open()) as stream:
        return stream.read()


class OneByteAtATime:
    """A stream that returns less than requested, as sockets do."""

    def __init__(self, content):
        self._stream = io.BytesIO(content)

    def read(self, size=-1):
        return self._stream.read(1 if size else 0)

    def close(self):
        self._stream.close()


def test_bytes_can_be_read_again_and_again():
    source = BytesSource(b"abc")
    assert (source.size, contents(source), contents(source)) == (3, b"abc", b"abc")


def test_repr_does_not_show_the_bytes():
    assert "secret" not in repr(BytesSource(b"secret"))


def test_a_fetched_source_is_fetched_on_every_open():
    descriptor = Descriptor.of(b"abc", "text/plain")
    asked = []

    class Fetcher:
        def fetch(self, descriptor):
            asked.append(descriptor)
            return io.BytesIO(b"abc")

    source = FetchedSource(Fetcher(), descriptor)
    assert source.size == 3
    assert asked == []
    assert [contents(source), contents(source)] == [b"abc", b"abc"]
    assert asked == [descriptor, descriptor]


def test_a_file_can_be_read_again_and_again(tree):
    source = FileSource(tree, PATH)
    assert source.size == 11
    assert contents(source) == contents(source) == b"hello world"


def test_a_file_is_read_in_pieces_of_any_length(tree):
    source = FileSource(tree, PATH)
    with closing(source.open()) as stream:
        assert stream.read(0) == b""
        assert stream.read(5) == b"hello"
        assert stream.read(100) == b" world"
        assert stream.read(100) == b""
        assert stream.read() == b""


def test_a_file_of_zero_bytes(tree):
    write(tree, "empty", b"")
    assert contents(FileSource(tree, sanitize_path("empty"))) == b""


def test_only_regular_files_are_file_sources(tree):
    tree.make_symlink(sanitize_path("link"), "data/a.txt")
    with pytest.raises(NotFoundError, match="missing"):
        FileSource(tree, sanitize_path("missing"))
    with pytest.raises(UnsafePathError, match="link"):
        FileSource(tree, sanitize_path("link"))
    with pytest.raises(FileAccessError, match="not a regular file"):
        FileSource(tree, sanitize_path("data"))


def replace_by_link(tree):
    tree.make_symlink(PATH, "elsewhere")


def replace_by_directory(tree):
    tree.remove(PATH)
    tree.make_directory(PATH)


CHANGES = {
    "grown": (lambda tree: write(tree, "data/a.txt", b"hello world!"), "12"),
    "shrunk": (lambda tree: write(tree, "data/a.txt", b"hello"), "5"),
    "rewritten": (lambda tree: write(tree, "data/a.txt", b"HELLO WORLD"), "written to"),
    "vanished": (lambda tree: tree.remove(PATH), "vanished"),
    "link": (replace_by_link, "no longer a regular file"),
    "directory": (replace_by_directory, "no longer a regular file"),
}


@pytest.mark.parametrize(("change", "word"), CHANGES.values(), ids=CHANGES)
def test_a_file_changed_before_it_is_opened_is_an_error(tree, change, word):
    source = FileSource(tree, PATH)
    change(tree)
    with pytest.raises(SourceChangedError, match=r"data/a\.txt") as caught:
        source.open()
    assert word in caught.value.reason


@pytest.mark.parametrize(("change", "word"), CHANGES.values(), ids=CHANGES)
def test_a_file_changed_while_it_is_read_is_an_error_before_its_last_byte(tree, change, word):
    stream = FileSource(tree, PATH).open()
    assert stream.read(6) == b"hello "
    change(tree)
    with closing(stream), pytest.raises(SourceChangedError) as caught:
        stream.read(5)
    assert word in caught.value.reason


def test_a_file_that_ends_early_is_an_error(tree):
    source = FileSource(tree, PATH)

    class Shorter(MemoryFileTree):
        def open(self, path):
            return io.BytesIO(b"hello")

        def entry(self, path):
            return source.entry

    with closing(FileSource(Shorter(), PATH, entry=source.entry).open()) as stream:
        assert stream.read(5) == b"hello"
        with pytest.raises(SourceChangedError, match="ended after 5"):
            stream.read(5)


def test_a_file_with_more_bytes_than_its_size_is_refused(tree):
    source = FileSource(tree, PATH)

    class Longer(MemoryFileTree):
        def open(self, path):
            return io.BytesIO(b"hello world and more")

        def entry(self, path):
            return source.entry

    with pytest.raises(FileAccessError, match="given as 11 bytes, but it has more; push a copy"):
        contents(FileSource(Longer(), PATH, entry=source.entry))


def test_a_file_is_read_whole_from_a_stream_of_short_reads(tree):
    source = FileSource(tree, PATH)

    class Slow(MemoryFileTree):
        def open(self, path):
            return OneByteAtATime(b"hello world")

        def entry(self, path):
            return source.entry

    assert contents(FileSource(Slow(), PATH, entry=source.entry)) == b"hello world"


# --- Whatever can be opened, and what can be read only once -------------------------------


def test_an_opened_source_is_opened_each_time():
    opened = []

    def open_stream():
        opened.append(io.BytesIO(b"abc"))
        return opened[-1]

    source = OpenedSource(open_stream, 3)
    assert (source.size, contents(source), contents(source)) == (3, b"abc", b"abc")
    assert [stream.closed for stream in opened] == [True, True]
    assert OpenedSource(open_stream).size is None


def test_members_of_a_zip_are_pushed(tree):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.txt", b"zipped " * 1000)
    target, folder = MemoryStore(), MemoryFileTree()
    with zipfile.ZipFile(written) as archive:
        size = archive.getinfo("data.txt").file_size
        source = OpenedSource(lambda: archive.open("data.txt"), size)
        push(target, "v1", [File("data.txt", source)], scratch=MemoryFileTree())
    pull(target, "v1", folder)
    assert read(folder, "data.txt") == b"zipped " * 1000


def test_other_bytes_on_the_second_opening_are_refused():
    given = iter([b"first", b"other"])
    source = OpenedSource(lambda: io.BytesIO(next(given)))
    with pytest.raises(ContentError):
        push(MemoryStore(), "v1", [File("a", source)], scratch=MemoryFileTree())


@pytest.mark.parametrize(
    "content",
    [
        lambda: (piece for piece in (b"one ", b"", b"two")),
        lambda: [b"one two"],
        lambda: io.BytesIO(b"one two"),
        lambda: OneByteAtATime(b"one two"),
    ],
)
def test_bytes_that_can_be_read_once_are_spooled(content):
    scratch = MemoryFileTree()
    source = spool(content(), scratch)
    assert (source.size, contents(source), contents(source)) == (7, b"one two", b"one two")
    assert len(list(scratch.entries())) == 1


def test_a_stream_is_spooled_from_its_position_and_stays_open():
    stream = io.BytesIO(b"one two")
    stream.read(4)
    assert contents(spool(stream, MemoryFileTree())) == b"two"
    assert not stream.closed


def test_an_open_file_is_spooled_in_chunks_not_lines():
    asked = []

    class Watched(io.BytesIO):
        def read(self, size=-1, /):
            asked.append(size)
            return super().read(size)

        def __iter__(self):
            raise AssertionError("read by lines")

    assert contents(spool(Watched(b"no line ends here"), MemoryFileTree())) == b"no line ends here"
    assert set(asked) == {CHUNK_SIZE}


def test_two_spooled_sources_have_different_files():
    scratch = MemoryFileTree()
    sources = [spool([b"%d" % number], scratch) for number in range(3)]
    assert [contents(source) for source in sources] == [b"0", b"1", b"2"]


def test_a_failed_stream_leaves_no_spooled_file():
    def broken():
        yield b"half"
        raise KeyError

    scratch = MemoryFileTree()
    with pytest.raises(KeyError):
        spool(broken(), scratch)
    assert list(scratch.entries()) == []
