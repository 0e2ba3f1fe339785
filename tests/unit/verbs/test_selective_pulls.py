"""A pull writes the chosen members of a packed directory, and fetches no more than it must."""

from __future__ import annotations

import gzip
import io
from hashlib import sha256

import pytest

from oras_core.archives.gzip_streams import GZIP
from oras_core.archives.plain import PLAIN
from oras_core.cancellation import CancelToken
from oras_core.copying.options import CopyOptions
from oras_core.errors import (
    CancelledError,
    DigestMismatchError,
    SizeLimitError,
    SizeMismatchError,
    UnsafeArchiveError,
    UnsafePathError,
    UnsupportedError,
)
from oras_core.model import media_types
from oras_core.model.digest import Digest
from oras_core.model.globs import PathSelection
from oras_core.model.limits import Limits
from oras_core.model.names import WINDOWS_NAMES
from oras_core.packing.manifest import pack_manifest
from oras_core.ports.progress import ProgressListener
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_blob, push_document
from oras_core.testing.contracts.tree_access import at, kind_at, names, write
from oras_core.testing.faults import WithoutRange
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.testing.registry.registry import EmbeddedRegistry
from oras_core.verbs.pull import pull
from oras_core.verbs.push import Directory, push
from oras_core.verbs.selection import FileSelection
from support.artifacts import all_files, file, layer, repository, tree_of
from support.tar_archives import directory, hardlink, member, symlink, tar

SIZE = 1024 * 1024
BIG = bytes(range(256)) * (SIZE // 256)


class Ranged(MemoryStore):
    """A target that returns ranges, and counts the bytes that are read of its blobs."""

    def __init__(self):
        super().__init__()
        self.read = 0
        self.ranges = []
        self.change = lambda content: content

    def fetch(self, descriptor):
        stream = super().fetch(descriptor)
        return stream if descriptor.has_successors else self._counted(stream.read())

    def fetch_range(self, descriptor, start, length):
        self.ranges.append((start, length))
        return self._counted(super().fetch(descriptor).read()[start : start + length])

    def _counted(self, content):
        return _Counted(self.change(content), self)


class _Counted(io.BytesIO):
    def __init__(self, content, target):
        super().__init__(content)
        self._target = target

    def read(self, size=-1, /):
        piece = super().read(size)
        self._target.read += len(piece)
        return piece


@pytest.fixture
def source():
    return Ranged()


@pytest.fixture
def folder():
    return MemoryFileTree()


def packed(target, content, *, title="data", media_type=media_types.OCI_LAYER_TAR):
    """Push an archive of another program, beside a file."""
    marked = layer(content, title).with_annotations({media_types.ANNOTATION_UNPACK: "true"})
    push_blob(target, content)
    push_blob(target, b"# A card")
    push_blob(target, b"{}")
    manifest = pack_manifest([marked, layer(b"# A card", "card.md")])
    push_document(target, manifest)
    target.tag(manifest.descriptor.plain(), "v1")
    return marked


def four(target, compression=PLAIN):
    """Push a folder of four large files and two small ones, and a file."""
    tree = tree_of(**{f"part-{n}.bin": BIG for n in range(4)})
    write(tree, "notes.txt", b"notes")
    write(tree, "deep/readme.md", b"# Deep")
    data = Directory("data", tree, compression=compression)
    push(target, "v1", [data, file("card.md", b"# A card")], scratch=MemoryFileTree())


def chosen(include=(), exclude=()):
    return FileSelection(PathSelection.of(include, exclude))


def pulled(source, folder, include=(), exclude=(), **options):
    done = pull(source, "v1", folder, selection=chosen(include, exclude), **options)
    return [str(path) for path in done.files], [str(path) for path in done.unverified]


# --- What is written -----------------------------------------------------------------------


@pytest.mark.parametrize("compression", [PLAIN, GZIP], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ("data/notes.txt", (), ["data/notes.txt"]),
        ("*.md", (), ["card.md", "data/deep/readme.md"]),
        ("*.md", "deep", ["card.md"]),
        ("/card.md", (), ["card.md"]),
        ("data/deep", (), ["data/deep/readme.md"]),
        ("deep/", (), ["data/deep/readme.md"]),
        ("**/deep/**", (), ["data/deep/readme.md"]),
        ("data/**/*.md", (), ["data/deep/readme.md"]),
        ("data/**", "*.bin", ["data/deep/readme.md", "data/notes.txt"]),
        ((), "data", ["card.md"]),
        ((), "*.bin", ["card.md", "data/deep/readme.md", "data/notes.txt"]),
        ("data/absent", (), []),
    ],
)
def test_chosen_members_are_written_and_no_others(
    source, folder, compression, include, exclude, expected
):
    four(source, compression=compression)
    files, unverified = pulled(source, folder, include, exclude)
    assert sorted(all_files(folder)) == expected
    assert files == [one for one in ("data", "card.md") if any(p.startswith(one) for p in expected)]
    assert names(folder) == sorted(files)
    is_part = "data" in files and compression is PLAIN
    assert unverified == (["data"] if is_part else [])


def test_members_of_a_folder_that_is_the_root_are_chosen_by_their_path(source, folder):
    content = tar(member("a.txt", b"a"), member("b/c.txt", b"c"), member("big", BIG * 2))
    packed(source, content, title=".")
    assert pulled(source, folder, ["a.txt", "b/*"]) == (["."], ["."])
    assert all_files(folder) == {"a.txt": b"a", "b/c.txt": b"c"}


def test_part_is_merged_into_an_earlier_pull(source, folder):
    four(source)
    pulled(source, folder, "data/notes.txt")
    write(folder, "data/mine.txt", b"mine")
    pulled(source, folder, "data/deep/*")
    assert sorted(all_files(folder)) == ["data/deep/readme.md", "data/mine.txt", "data/notes.txt"]


@pytest.mark.parametrize("pad", [b"", BIG * 2], ids=["whole", "part"])
def test_folders_links_and_modes_are_kept(source, folder, pad):
    content = tar(
        directory("data/empty"),
        directory("data/other"),
        member("data/run.sh", b"#!", mode=0o755),
        symlink("data/link", "run.sh"),
        symlink("data/away", "pad"),
        member("data/pad", pad),
    )
    packed(source, content)
    pulled(source, folder, ["data/empty", "data/run.sh", "data/link"])
    assert sorted(str(entry.path) for entry in folder.entries(at("data"))) == [
        "data/empty",
        "data/link",
        "data/run.sh",
    ]
    assert folder.entry(at("data/run.sh")).executable
    assert folder.entry(at("data/link")).link_target == "run.sh"
    assert kind_at(folder, "data/empty") == "directory"


@pytest.mark.parametrize("pad", [b"", BIG * 2], ids=["whole", "part"])
def test_last_of_several_members_with_a_chosen_name_is_kept(source, folder, pad):
    content = tar(member("data/é", b"old"), member("data/pad", pad), member("data/é", b"new"))
    packed(source, content)
    pulled(source, folder, "data/é")
    assert all_files(folder) == {"data/é": b"new"}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_hard_link_needs_its_file(source, folder, pack):
    content = tar(
        member("data/a", b"one"), hardlink("data/b", "data/a"), member("data/big", BIG * 2)
    )
    packed(source, pack(content))
    assert pulled(source, folder, ["data/a", "data/b"]) == (["data"], [])
    assert all_files(folder) == {"data/a": b"one", "data/b": b"one"}
    other = MemoryFileTree()
    with pytest.raises(UnsupportedError, match="hard link to 'a', which is left out; include both"):
        pulled(source, other, "data/b")
    assert names(other) == []


# --- What is fetched -----------------------------------------------------------------------


def test_only_the_bytes_of_chosen_members_are_fetched(source, folder):
    four(source)
    pulled(source, folder, "data/part-2.bin")
    assert all_files(folder) == {"data/part-2.bin": BIG}
    assert source.read < 2 * SIZE
    assert [length for _, length in source.ranges].count(SIZE) == 1


def test_adjacent_members_are_fetched_by_one_request(source, folder):
    small = [member(f"data/{number:02}.txt", b"text" * 100) for number in range(20)]
    packed(source, tar(*small, member("data/big", BIG * 3)))
    before = len(source.ranges)
    pulled(source, folder, "*.txt", "*[05].txt")
    assert len(all_files(folder)) == 16
    lengths = [length for _, length in source.ranges[before:]]
    assert sum(length == 18 * 1024 + 400 for length in lengths) == 1


def test_mostly_chosen_folder_is_fetched_whole_and_verified(source, folder):
    four(source)
    assert pulled(source, folder, (), "data/part-0.bin") == (["data", "card.md"], [])
    assert source.read > 4 * SIZE


def test_small_folder_is_fetched_whole_and_verified(source, folder):
    packed(source, tar(member("data/a", b"a"), member("data/b", b"b" * 10000)))
    assert pulled(source, folder, "data/a") == (["data"], [])
    assert source.ranges == []


def test_folder_with_holes_is_fetched_whole(source, folder):
    sparse = member(
        "data/holes",
        b"2\n0\n4\n2097152\n0\n" + bytes(512 - 16) + b"data",
        pax_headers={
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": "data/holes",
            "GNU.sparse.realsize": "2097152",
        },
    )
    packed(source, tar(sparse, member("data/big", BIG * 3)))
    assert pulled(source, folder, "data/holes") == (["data"], [])
    assert all_files(folder) == {"data/holes": b"data" + bytes(2 * SIZE - 4)}


def test_compressed_folder_needs_no_request_for_its_headers(source, folder):
    four(source, compression=GZIP)
    pulled(source, folder, "data/notes.txt")
    assert source.ranges == []


def test_compression_is_recognised_under_a_plain_media_type(source, folder):
    content = gzip.compress(
        tar(*(member(f"data/{n}", sha256(bytes([n])).digest() * 40000) for n in range(4))), 0
    )
    packed(source, content)
    assert pulled(source, folder, "data/1") == (["data"], [])
    assert list(all_files(folder)) == ["data/1"]


def test_source_without_ranges_is_read_whole(folder):
    source = MemoryStore()
    four(source)
    assert pulled(source, folder, "data/notes.txt") == (["data"], [])
    assert list(all_files(folder)) == ["data/notes.txt"]


def test_registry_that_ignores_ranges_sends_the_folder_once_more_at_most(folder):
    server = EmbeddedRegistry()
    source = repository(WithoutRange(server))
    four(source)
    before = len(server.requests)
    assert pulled(source, folder, "data/part-3.bin") == (["data"], [])
    assert all_files(folder) == {"data/part-3.bin": BIG}
    assert sum("/blobs/" in request.path for request in server.requests[before:]) <= 3


def test_folder_of_many_middling_files_is_fetched_whole(source, folder):
    files = [member(f"data/{number:03}", bytes(200_000)) for number in range(60)]
    packed(source, tar(*files))
    assert pulled(source, folder, "data/050") == (["data"], [])
    assert list(all_files(folder)) == ["data/050"]
    assert len(source.ranges) < 40


def test_scattered_files_are_fetched_with_the_whole_folder(source, folder):
    files = [member(f"data/{n}{kind}", bytes(n)) for n in (1, 700_000) for kind in "abcdefgh"]
    scattered = [one for pair in zip(files[:8], files[8:], strict=True) for one in pair]
    packed(source, tar(*scattered))
    assert pulled(source, folder, "data/1[a-h]") == (["data"], [])
    assert pulled(source, MemoryFileTree(), "data/1[a-b]") == (["data"], ["data"])


def test_folder_of_many_small_files_takes_few_requests(source, folder):
    small = [member(f"data/{number:03}", bytes(1000)) for number in range(500)]
    packed(source, tar(*small, member("data/big", BIG * 2)))
    assert pulled(source, folder, "data/050") == (["data"], ["data"])
    assert len(source.ranges) < 15


def test_progress_counts_the_bytes_of_the_part(source, folder):
    class Sums(ProgressListener):
        planned_bytes = moved = 0
        ended = ()

        def planned(self, contents, size):
            self.planned_bytes += size

        def advanced(self, descriptor, count):
            self.moved += count

        def finished(self, descriptor):
            self.ended += (descriptor.size,)

    four(source)
    listener = Sums()
    pulled(source, folder, "data/part-1.bin", options=CopyOptions(concurrency=1, listener=listener))
    assert SIZE in listener.ended
    assert listener.moved == listener.planned_bytes


# --- What is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "evil",
    [
        member("data/../../evil", b"x"),
        member("/evil", b"x"),
        symlink("data/link", "../../evil"),
        hardlink("data/link", "../evil"),
        member("data/device", type=b"3"),
    ],
    ids=["path", "absolute", "symlink", "hardlink", "device"],
)
@pytest.mark.parametrize("pad", [b"", BIG * 2], ids=["whole", "part"])
def test_unsafe_member_is_refused_even_if_it_is_not_chosen(source, folder, evil, pad):
    packed(source, tar(member("data/a", b"a"), evil, member("data/pad", pad)))
    with pytest.raises(UnsafeArchiveError):
        pulled(source, folder, "data/a")
    assert names(folder) == []


def test_member_that_windows_refuses_is_refused(source):
    folder = MemoryFileTree(WINDOWS_NAMES)
    packed(source, tar(member("data/a", b"a"), member("data/nul", b"x"), member("data/b", BIG * 2)))
    with pytest.raises(UnsafeArchiveError, match="Windows"):
        pulled(source, folder, "data/a")


def test_title_that_the_patterns_leave_out_may_be_one_that_windows_refuses(source):
    folder = MemoryFileTree(WINDOWS_NAMES)
    push(source, "v1", [file("nul", b"x"), file("a", b"a")])
    assert pulled(source, folder, (), "nul")[0] == ["a"]
    with pytest.raises(UnsafePathError):
        pulled(source, folder)


def test_limits_hold_for_members_that_are_not_chosen(source, folder):
    four(source)
    with pytest.raises(SizeLimitError, match="the archive"):
        pulled(source, folder, "data/notes.txt", limits=Limits(archive_members=3))
    assert names(folder) == []


def test_truncated_range_is_an_error_and_leaves_nothing(source, folder):
    four(source)
    source.change = lambda content: content[:-1] if len(content) == SIZE else content
    with pytest.raises(SizeMismatchError):
        pulled(source, folder, "data/part-2.bin")
    assert names(folder) == []


def test_wrong_bytes_of_a_compressed_folder_are_refused(source, folder):
    content = gzip.compress(
        tar(member("data/a", b"a"), member("data/b", b"b")), compresslevel=9, mtime=0
    )
    marked = packed(source, content, media_type=media_types.OCI_LAYER_TAR)
    other = gzip.compress(
        tar(member("data/a", b"x"), member("data/b", b"b")), compresslevel=9, mtime=0
    )
    assert Digest.of(other) != marked.digest
    assert len(other) == len(content)
    source.change = lambda found: other if found == content else found
    with pytest.raises(DigestMismatchError):
        pulled(source, folder, "data/a")
    assert names(folder) == []


def test_cancelled_part_leaves_nothing(source, folder):
    four(source)
    token = CancelToken()

    def cancel(content):
        if len(content) == SIZE:
            token.cancel()
        return content

    source.change = cancel
    with token.scope(), pytest.raises(CancelledError):
        pulled(source, folder, "data/part-2.bin")
    assert names(folder) == []
