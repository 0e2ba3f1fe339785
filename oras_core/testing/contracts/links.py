"""The contract of `oras_core.ports.files.Linker`."""

from __future__ import annotations

from oras_core.errors import NotFoundError, UnsafePathError
from oras_core.ports.files import FileTree, Linker
from oras_core.testing.contracts.expect import raises
from oras_core.testing.contracts.tree_access import at, names, read, write

__all__ = ["LinkerContract"]


class LinkerContract:
    """The contract of every tree whose files can have several names; give it a fixture `tree`."""

    def test_a_file_gets_a_second_name(self, tree: FileTree) -> None:
        """The second name is in the same folder, or in a folder that does not exist yet."""
        write(tree, "a", b"bytes")
        for name in ("b", "new/folder/c"):
            _linker(tree).link(at(name), at("a"))
            assert read(tree, name) == b"bytes"

    def test_the_names_of_a_file_are_independent(self, tree: FileTree) -> None:
        """Each name can be replaced or removed without the others."""
        write(tree, "a", b"bytes")
        _linker(tree).link(at("b"), at("a"))
        _linker(tree).link(at("c"), at("a"))
        write(tree, "b", b"others")
        tree.remove(at("a"))
        assert (read(tree, "b"), read(tree, "c")) == (b"others", b"bytes")

    def test_an_existing_file_is_replaced(self, tree: FileTree) -> None:
        """An existing file is replaced by the one that gets its name."""
        write(tree, "a", b"bytes")
        write(tree, "b", b"others")
        _linker(tree).link(at("b"), at("a"))
        assert read(tree, "b") == b"bytes"
        assert names(tree) == ["a", "b"]

    def test_a_second_link_of_the_same_name_changes_nothing(self, tree: FileTree) -> None:
        """The same link may be made twice."""
        write(tree, "a", b"bytes")
        for _ in range(2):
            _linker(tree).link(at("b"), at("a"))
        assert read(tree, "b") == b"bytes"
        assert names(tree) == ["a", "b"]

    def test_a_missing_file_has_no_second_name(self, tree: FileTree) -> None:
        """A link to a missing file raises NotFoundError."""
        for missing in ("missing", "no/folder"):
            with raises(NotFoundError):
                _linker(tree).link(at("b"), at(missing))
        assert "b" not in names(tree)

    def test_only_files_get_a_second_name(self, tree: FileTree) -> None:
        """Directories and symbolic links get no second name, and are not replaced."""
        write(tree, "a", b"bytes")
        tree.make_directory(at("folder"))
        tree.make_symlink(at("link"), "a")
        for name in ("folder", "link"):
            with raises(UnsafePathError):
                _linker(tree).link(at("b"), at(name))
            with raises(UnsafePathError):
                _linker(tree).link(at(name), at("a"))
        with raises(UnsafePathError):
            _linker(tree).link(at("link/b"), at("a"))
        assert "b" not in names(tree)


def _linker(tree: FileTree) -> Linker:
    assert isinstance(tree, Linker)
    return tree
