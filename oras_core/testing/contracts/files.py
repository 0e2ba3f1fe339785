"""The contract of `oras_core.ports.files.FileTree`."""

from __future__ import annotations

from contextlib import closing
from threading import Thread
from time import monotonic
from typing import Final

from oras_core.errors import FileAccessError, NotFoundError, UnsafePathError
from oras_core.ports.files import FileTree, Toucher
from oras_core.testing.contracts.directories import DirectoryContract
from oras_core.testing.contracts.expect import raises
from oras_core.testing.contracts.tree_access import at, kind_at, names, read, write

__all__ = ["FileTreeContract"]

CLOCK_STEP: Final = 3.0
"""Seconds between two modification times that differ on any file system: 2 on FAT."""


class FileTreeContract(DirectoryContract):
    """The contract of every file tree.

    Subclass it as `Test…` and give it a pytest fixture `tree`, which returns an empty
    tree. Each method is one promise of the port.
    """

    # --- Files ----------------------------------------------------------------------------

    def test_a_new_tree_is_empty(self, tree: FileTree) -> None:
        """An empty tree has no entries."""
        assert names(tree) == []
        assert tree.entry(at("a")) is None
        assert tree.entry(at("a/b/c")) is None

    def test_a_committed_file_is_read_back(self, tree: FileTree) -> None:
        """The written pieces become one file."""
        with tree.create(at("a.txt")) as file:
            file.write(b"one ")
            file.write(b"")
            file.write(b"two")
            file.commit()
        assert read(tree, "a.txt") == b"one two"
        entry = tree.entry(at("a.txt"))
        assert entry is not None
        assert (str(entry.path), entry.kind, entry.size) == ("a.txt", "file", 7)
        assert entry.executable is False
        assert entry.link_target == ""

    def test_an_empty_file_is_a_file(self, tree: FileTree) -> None:
        """A file without a write has 0 bytes."""
        write(tree, "empty", b"")
        assert read(tree, "empty") == b""
        assert kind_at(tree, "empty") == "file"

    def test_a_large_file_is_written_whole(self, tree: FileTree) -> None:
        """A chunk larger than any buffer is written whole."""
        content = bytes(range(256)) * 12_000
        with tree.create(at("large")) as file:
            file.write(content)
            file.write(content)
            file.commit()
        assert read(tree, "large") == content + content

    def test_a_file_is_read_in_pieces(self, tree: FileTree) -> None:
        """A stream returns at most the size requested, then b""."""
        write(tree, "a", b"abcdef")
        with closing(tree.open(at("a"))) as stream:
            assert stream.read(4) == b"abcd"
            assert stream.read(4) == b"ef"
            assert stream.read(4) == b""
            stream.close()

    def test_executable_is_kept(self, tree: FileTree) -> None:
        """The executable bit is the only mode bit that is kept."""
        write(tree, "run", b"#!/bin/sh\n", executable=True)
        entry = tree.entry(at("run"))
        assert entry is not None
        assert entry.executable is True

    def test_a_file_is_invisible_until_committed(self, tree: FileTree) -> None:
        """A file appears under its name on commit only."""
        with tree.create(at("a")) as file:
            file.write(b"half")
            assert tree.entry(at("a")) is None
            file.commit()
        assert read(tree, "a") == b"half"

    def test_an_uncommitted_file_leaves_nothing(self, tree: FileTree) -> None:
        """Nothing appears without a commit, under any name."""
        with tree.create(at("a")) as file:
            file.write(b"half")
        assert names(tree) == []

    def test_an_exception_discards_and_passes_through(self, tree: FileTree) -> None:
        """Without a commit the old file stays."""
        write(tree, "a", b"old")
        with raises(KeyError), tree.create(at("a")) as file:
            file.write(b"new")
            raise KeyError
        assert read(tree, "a") == b"old"
        assert names(tree) == ["a"]

    def test_a_commit_replaces_an_older_file(self, tree: FileTree) -> None:
        """Before the commit, readers see the old file."""
        write(tree, "a", b"old", executable=True)
        with tree.create(at("a")) as file:
            file.write(b"new")
            assert read(tree, "a") == b"old"
            file.commit()
        assert read(tree, "a") == b"new"
        entry = tree.entry(at("a"))
        assert entry is not None
        assert entry.executable is False

    def test_a_stream_survives_the_replacement_of_its_file(self, tree: FileTree) -> None:
        """A stream that is open keeps the old bytes."""
        write(tree, "a", b"old")
        with closing(tree.open(at("a"))) as stream:
            write(tree, "a", b"new")
            assert stream.read() == b"old"

    def test_a_revision_changes_with_the_bytes(self, tree: FileTree) -> None:
        """The revision distinguishes a file from a later one of the same size."""
        write(tree, "a", b"one")
        first = tree.entry(at("a"))
        assert first == tree.entry(at("a"))
        write(tree, "a", b"two")
        second = tree.entry(at("a"))
        assert first is not None
        assert second is not None
        assert first.revision != second.revision

    def test_missing_parents_are_created(self, tree: FileTree) -> None:
        """Missing parents are created."""
        write(tree, "a/b/c.txt", b"x")
        assert kind_at(tree, "a") == "directory"
        assert kind_at(tree, "a/b") == "directory"
        assert read(tree, "a/b/c.txt") == b"x"

    def test_names_of_all_scripts_are_kept(self, tree: FileTree) -> None:
        """Names may have letters of any script, spaces, and 255 characters."""
        for name in ("Ünï çødé", "日本語.txt", "a b", "-rf", ".hidden", "n" * 255):
            write(tree, name, name.encode())
            assert read(tree, name) == name.encode()
            assert name in names(tree)

    def test_many_threads_write_at_once(self, tree: FileTree) -> None:
        """Threads may write into one new folder and to one name; one whole file results."""

        def write_both(number: int) -> None:
            write(tree, f"deep/down/{number}", b"%d" % number)
            write(tree, "shared", b"%d" % number * 1000)

        threads = [Thread(target=write_both, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(names(tree, "deep/down")) == 8
        assert read(tree, "shared") in [b"%d" % number * 1000 for number in range(8)]
        assert names(tree) == ["deep", "shared"]

    def test_only_files_can_be_opened(self, tree: FileTree) -> None:
        """A missing file and a directory raise different errors."""
        tree.make_directory(at("d"))
        with raises(NotFoundError):
            tree.open(at("missing"))
        with raises(NotFoundError):
            tree.open(at("d/missing"))
        with raises(FileAccessError):
            tree.open(at("d"))

    def test_a_file_never_replaces_a_directory(self, tree: FileTree) -> None:
        """A directory is never replaced by a file."""
        write(tree, "d/x", b"x")
        with raises(UnsafePathError):
            write(tree, "d", b"new")
        assert names(tree, "d") == ["d/x"]
        assert names(tree) == ["d"]

    def test_a_directory_never_replaces_a_file(self, tree: FileTree) -> None:
        """A file is neither replaced by a directory nor used as one."""
        write(tree, "f", b"x")
        with raises(FileAccessError):
            write(tree, "f/g", b"new")
        with raises(FileAccessError):
            tree.make_directory(at("f/g"))
        assert tree.entry(at("f/g")) is None
        assert read(tree, "f") == b"x"

    # --- Listing and removing -------------------------------------------------------------

    def test_entries_are_sorted_and_direct(self, tree: FileTree) -> None:
        """Entries are sorted by name, one level."""
        for name in ("b", "a", "c/d", "B", "a-b"):
            write(tree, name, b"x")
        assert names(tree) == ["B", "a", "a-b", "b", "c"]
        assert names(tree, "c") == ["c/d"]

    def test_entries_and_entry_return_equal_values(self, tree: FileTree) -> None:
        """Both methods return equal entries."""
        write(tree, "d/run", b"xyz", executable=True)
        tree.make_symlink(at("d/link"), "run")
        tree.make_directory(at("d/sub"))
        listed = list(tree.entries(at("d")))
        assert [entry.kind for entry in listed] == ["symlink", "file", "directory"]
        files = [entry for entry in listed if entry.kind != "directory"]
        assert files == [tree.entry(entry.path) for entry in files]

    def test_only_directories_can_be_listed(self, tree: FileTree) -> None:
        """A file has no entries."""
        write(tree, "f", b"x")
        for path in ("missing", "f", "f/g"):
            with raises(NotFoundError):
                list(tree.entries(at(path)))

    def test_touching_changes_the_time_and_no_byte(self, tree: FileTree) -> None:
        """The time of a file changes, if the tree can change it."""
        if not isinstance(tree, Toucher):
            return
        write(tree, "f", b"x")
        before = tree.entry(at("f"))
        assert before is not None
        limit = monotonic() + CLOCK_STEP
        after = before
        while after.changed_at == before.changed_at:  # the clock of a file system is coarse
            begun = monotonic()
            tree.touch(at("f"))
            after = tree.entry(at("f")) or before
            assert begun < limit or after.changed_at != before.changed_at
        assert after.changed_at > before.changed_at
        assert read(tree, "f") == b"x"
        with raises(NotFoundError):
            tree.touch(at("missing"))

    def test_files_links_and_empty_directories_are_removed(self, tree: FileTree) -> None:
        """Files, links and empty directories are removed; the target of a link stays."""
        write(tree, "f", b"x")
        tree.make_symlink(at("l"), "f")
        tree.make_directory(at("d"))
        tree.remove(at("l"))
        assert names(tree) == ["d", "f"]
        tree.remove(at("d"))
        tree.remove(at("f"))
        assert names(tree) == []

    def test_removing_a_missing_entry_is_no_error(self, tree: FileTree) -> None:
        """Removing a missing entry is fine, below a missing folder too."""
        tree.remove(at("missing"))
        tree.remove(at("missing/deep"))
        assert names(tree) == []

    def test_a_full_directory_is_not_removed(self, tree: FileTree) -> None:
        """A directory with entries is not removed."""
        write(tree, "d/x", b"x")
        with raises(FileAccessError):
            tree.remove(at("d"))
        assert read(tree, "d/x") == b"x"
