"""The contract of `oras_core.ports.files.CloningFile`."""

from __future__ import annotations

import io
from contextlib import closing

from oras_core.content.reading import clone_file
from oras_core.model.digest import Digest
from oras_core.ports.files import CloningFile, FileTree, PartialKeeper, PendingFile, ResumableFile
from oras_core.testing.contracts.tree_access import at, names, read, write

__all__ = ["CloningFileContract"]

CONTENT = bytes(range(256)) * 1024


class CloningFileContract:
    """The contract of every tree whose new files may be clones; give it a fixture `tree`.

    A clone may be refused at any time. The file is then empty, and is written as usual.
    """

    def test_a_clone_has_the_bytes_of_the_original(self, tree: FileTree) -> None:
        """A clone has no name before its commit, and replaces an older file."""
        write(tree, "original", CONTENT)
        write(tree, "d/copy", b"old")
        with tree.create(at("d/copy")) as file:
            _fill(tree, file, "original")
            assert read(tree, "d/copy") == b"old"
            file.commit()
        assert read(tree, "d/copy") == read(tree, "original") == CONTENT

    def test_a_resumable_file_can_be_a_clone(self, tree: FileTree) -> None:
        """A resumable file that is not committed keeps the bytes of the clone."""
        assert isinstance(tree, PartialKeeper)
        write(tree, "original", CONTENT)
        with _resumed(tree) as file:
            _fill(tree, file, "original")
        with _resumed(tree) as file:
            assert file.kept == len(CONTENT)
            file.write(b"more")
            file.commit()
        assert read(tree, "copy") == CONTENT + b"more"

    def test_a_clone_of_nothing_is_empty(self, tree: FileTree) -> None:
        """An empty file can be cloned."""
        write(tree, "original", b"")
        with tree.create(at("copy")) as file:
            _fill(tree, file, "original", b"")
            file.commit()
        assert read(tree, "copy") == b""

    def test_original_and_clone_change_separately(self, tree: FileTree) -> None:
        """A new original does not change the clone, and a new clone not the original."""
        for changed, other in (("original", "copy"), ("copy", "original")):
            write(tree, "original", CONTENT)
            with tree.create(at("copy")) as file:
                _fill(tree, file, "original")
                file.commit()
            write(tree, changed, b"changed")
            assert read(tree, other) == CONTENT

    def test_a_clone_stays_readable_without_its_original(self, tree: FileTree) -> None:
        """The original may be removed as soon as it is open."""
        write(tree, "original", CONTENT)
        with tree.create(at("copy")) as file, closing(tree.open(at("original"))) as original:
            clone = clone_file(original, lambda opened: _cloning(file).clone(opened, len(CONTENT)))
            original.close()
            tree.remove(at("original"))
            if clone is not None:
                with closing(clone):
                    assert clone.read(10) + clone.read() == CONTENT

    def test_a_clone_that_is_not_committed_leaves_nothing(self, tree: FileTree) -> None:
        """Leaving the context discards the clone."""
        write(tree, "original", CONTENT)
        with tree.create(at("copy")) as file:
            _fill(tree, file, "original")
        assert names(tree) == ["original"]

    def test_a_restart_discards_the_clone(self, tree: FileTree) -> None:
        """After a restart, the file is written from its first byte."""
        write(tree, "original", CONTENT)
        with tree.create(at("copy")) as file:
            _fill(tree, file, "original")
            _cloning(file).restart()
            file.write(b"other")
            file.commit()
        assert read(tree, "copy") == b"other"

    def test_an_original_of_another_size_is_refused(self, tree: FileTree) -> None:
        """The size limits what is copied; the file stays empty."""
        write(tree, "original", CONTENT)
        for size in (0, len(CONTENT) - 1, len(CONTENT) + 1):
            with tree.create(at("copy")) as file, closing(tree.open(at("original"))) as original:
                assert _cloning(file).clone(original, size) is None
                file.write(original.read())
                file.commit()
            assert read(tree, "copy") == CONTENT

    def test_a_stream_of_another_kind_is_refused(self, tree: FileTree) -> None:
        """Only streams of files can be cloned."""
        with tree.create(at("copy")) as file:
            assert _cloning(file).clone(io.BytesIO(CONTENT), len(CONTENT)) is None
            file.write(b"other")
            file.commit()
        assert read(tree, "copy") == b"other"


def _resumed(tree: PartialKeeper) -> ResumableFile:
    file = tree.resume(at("copy"), Digest.of(CONTENT))
    assert file is not None
    return file


def _fill(tree: FileTree, file: PendingFile, original: str, content: bytes = CONTENT) -> None:
    """Clone the original, or write the file if the tree refuses; check what can be read again."""
    with closing(tree.open(at(original))) as opened:
        clone = clone_file(opened, lambda stream: _cloning(file).clone(stream, len(content)))
        if clone is None:
            file.write(opened.read())
            return
    with closing(clone):
        assert clone.read() == content
        assert clone.read(1) == b""


def _cloning(file: PendingFile) -> CloningFile:
    assert isinstance(file, CloningFile)
    return file
