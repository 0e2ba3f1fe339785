"""The contract of `oras_core.ports.files.PartialKeeper`."""

from __future__ import annotations

from contextlib import closing

from oras_core.errors import UnsafePathError
from oras_core.model.digest import Digest
from oras_core.ports.files import FileTree, PartialKeeper, ResumableFile
from oras_core.testing.contracts.expect import raises
from oras_core.testing.contracts.tree_access import at, read, write

__all__ = ["PartialKeeperContract"]

CONTENT = b"the whole"
DIGEST = Digest.of(CONTENT)
OTHER = Digest.of(b"other")


def resume(tree: FileTree, path: str, content: Digest = DIGEST) -> ResumableFile:
    """Begin or resume; fail if another writer has the file."""
    assert isinstance(tree, PartialKeeper)
    file = tree.resume(at(path), content)
    assert file is not None
    return file


def kept(file: ResumableFile) -> bytes:
    """Return the kept bytes, and leave the file unchanged."""
    with file, closing(file.reread()) as stream:
        content = stream.read()
    assert len(content) == file.kept
    return content


class PartialKeeperContract:
    """The contract of every tree that keeps partial files; give it a fixture `tree`."""

    def test_a_new_file_begins_empty(self, tree: FileTree) -> None:
        """A file without earlier bytes is written like any other."""
        with resume(tree, "d/a") as file:
            assert file.kept == 0
            file.write(b"the ")
            file.write(b"whole")
            assert tree.entry(at("d/a")) is None
            file.commit()
        assert read(tree, "d/a") == CONTENT
        assert kept(resume(tree, "d/a")) == b""

    def test_written_bytes_are_kept(self, tree: FileTree) -> None:
        """The next attempt appends to the kept bytes."""
        with resume(tree, "a") as file:
            file.write(b"the ")
        with resume(tree, "a") as file, closing(file.reread()) as stream:
            assert file.kept == 4
            assert stream.read(3) == b"the"
            file.write(b"who")
            assert stream.read(3) == b" "
            assert stream.read(3) == b""
        with resume(tree, "a") as file:
            assert file.kept == 7
            file.write(b"le")
            file.commit()
        assert read(tree, "a") == CONTENT

    def test_an_exception_keeps_the_written_bytes(self, tree: FileTree) -> None:
        """The old file stays until the commit."""
        write(tree, "a", b"old")
        with raises(KeyError), resume(tree, "a") as file:
            file.write(b"the ")
            raise KeyError
        assert read(tree, "a") == b"old"
        assert kept(resume(tree, "a")) == b"the "

    def test_a_restart_discards_the_kept_bytes(self, tree: FileTree) -> None:
        """`reread` returns the kept bytes, `restart` discards them and what was written since."""
        with resume(tree, "a") as file:
            file.write(b"wrong and long")
        with resume(tree, "a") as file:
            file.write(b"worse")
            file.restart()
            assert file.kept == 0
            file.write(b"right")
            file.commit()
        assert read(tree, "a") == b"right"
        with resume(tree, "a") as file:
            file.write(b"wrong")
            file.restart()
        assert kept(resume(tree, "a")) == b""

    def test_partial_files_of_two_digests_are_separate(self, tree: FileTree) -> None:
        """Partial files of two digests are separate, under one name too."""
        with resume(tree, "a") as file:
            file.write(b"the ")
        with resume(tree, "a", OTHER) as file:
            assert file.kept == 0
            file.write(b"oth")
        assert kept(resume(tree, "a")) == b"the "
        assert kept(resume(tree, "a", OTHER)) == b"oth"

    def test_a_partial_file_is_found_under_another_name(self, tree: FileTree) -> None:
        """The digest identifies a partial file, not its name."""
        with resume(tree, "d/a") as file:
            file.write(b"the ")
        with resume(tree, "d/b") as file:
            assert file.kept == 4
            file.write(b"whole")
            file.commit()
        assert read(tree, "d/b") == CONTENT
        assert tree.entry(at("d/a")) is None

    def test_one_owner_at_a_time(self, tree: FileTree) -> None:
        """A second writer gets None until the first one has ended."""
        assert isinstance(tree, PartialKeeper)
        with resume(tree, "a") as file:
            file.write(b"the ")
            assert tree.resume(at("a"), DIGEST) is None
            assert tree.resume(at("b"), DIGEST) is None
            file.write(b"whole")
            file.commit()
        assert read(tree, "a") == CONTENT

    def test_forget_removes_a_partial_file(self, tree: FileTree) -> None:
        """`forget` removes the partial file of one digest in one directory, if it exists."""
        assert isinstance(tree, PartialKeeper)
        for path, content in (("d/a", DIGEST), ("d/a", OTHER), ("e/a", DIGEST)):
            with resume(tree, path, content) as file:
                file.write(b"the ")
        tree.forget(at("d/b"), DIGEST)
        assert kept(resume(tree, "d/a")) == b""
        assert kept(resume(tree, "d/a", OTHER)) == b"the "
        assert kept(resume(tree, "e/a")) == b"the "
        for path in ("d/a", "f/a", "a"):
            tree.forget(at(path), DIGEST)
        assert tree.entry(at("f")) is None

    def test_forget_keeps_a_partial_file_in_use(self, tree: FileTree) -> None:
        """`forget` leaves a partial file that is in use."""
        assert isinstance(tree, PartialKeeper)
        with resume(tree, "a") as file:
            file.write(b"the ")
            tree.forget(at("a"), DIGEST)
            file.write(b"whole")
            file.commit()
        assert read(tree, "a") == CONTENT

    def test_directories_and_links_are_refused(self, tree: FileTree) -> None:
        """The rules for names are those of `create`."""
        assert isinstance(tree, PartialKeeper)
        tree.make_directory(at("d"))
        tree.make_symlink(at("l"), "d")
        for path in ("d", "l", "l/a"):
            with raises(UnsafePathError):
                tree.resume(at(path), DIGEST)
