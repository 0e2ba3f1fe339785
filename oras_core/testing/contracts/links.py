"""The contract of `oras_core.ports.files.Linker`."""

from __future__ import annotations

import pytest

from oras_core.errors import NotFoundError, UnsafePathError
from oras_core.ports.files import FileTree, Linker
from oras_core.testing.contracts.tree_access import at, names, read, write

__all__ = ["LinkerContract"]


class LinkerContract:
    """The contract of every folder whose files can have several names; give it `tree`."""

    def test_a_file_gets_a_second_name(self, tree: FileTree) -> None:
        """In the same folder, and in one that does not exist yet."""
        write(tree, "a", b"bytes")
        for name in ("b", "new/folder/c"):
            _linker(tree).link(at(name), at("a"))
            assert read(tree, name) == b"bytes"

    def test_the_names_are_independent(self, tree: FileTree) -> None:
        """One of them can be replaced or removed without the other."""
        write(tree, "a", b"bytes")
        _linker(tree).link(at("b"), at("a"))
        _linker(tree).link(at("c"), at("a"))
        write(tree, "b", b"others")
        tree.remove(at("a"))
        assert (read(tree, "b"), read(tree, "c")) == (b"others", b"bytes")

    def test_an_earlier_file_is_replaced(self, tree: FileTree) -> None:
        """By the file that has both names then."""
        write(tree, "a", b"bytes")
        write(tree, "b", b"others")
        _linker(tree).link(at("b"), at("a"))
        assert read(tree, "b") == b"bytes"
        assert names(tree) == ["a", "b"]

    def test_a_name_that_the_file_has_already(self, tree: FileTree) -> None:
        """Nothing changes."""
        write(tree, "a", b"bytes")
        for _ in range(2):
            _linker(tree).link(at("b"), at("a"))
        assert read(tree, "b") == b"bytes"
        assert names(tree) == ["a", "b"]

    def test_a_missing_file_has_no_second_name(self, tree: FileTree) -> None:
        """The error is a NotFoundError."""
        for missing in ("missing", "no/folder"):
            with pytest.raises(NotFoundError):
                _linker(tree).link(at("b"), at(missing))
        assert "b" not in names(tree)

    def test_files_only(self, tree: FileTree) -> None:
        """Directories and symbolic links get no second name, and are not replaced."""
        write(tree, "a", b"bytes")
        tree.make_directory(at("folder"))
        tree.make_symlink(at("link"), "a")
        for name in ("folder", "link"):
            with pytest.raises(UnsafePathError):
                _linker(tree).link(at("b"), at(name))
            with pytest.raises(UnsafePathError):
                _linker(tree).link(at(name), at("a"))
        with pytest.raises(UnsafePathError):
            _linker(tree).link(at("link/b"), at("a"))
        assert "b" not in names(tree)


def _linker(tree: FileTree) -> Linker:
    assert isinstance(tree, Linker)
    return tree
