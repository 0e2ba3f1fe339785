"""The directories and links of the file tree contract."""

from __future__ import annotations

from oras_core.errors import OrasError, UnsafePathError
from oras_core.model.paths import sanitize_folder
from oras_core.ports.files import FileTree
from oras_core.testing.contracts.expect import raises
from oras_core.testing.contracts.tree_access import at, kind_at, names, read, write

__all__ = ["DirectoryContract"]


class DirectoryContract:
    """The contract of directories and symbolic links; see `FileTreeContract`."""

    # --- Directories ----------------------------------------------------------------------

    def test_directories_are_created_with_their_parents(self, tree: FileTree) -> None:
        """Parents are created; an existing directory is fine, an existing file is an error."""
        tree.make_directory(at("a/b"))
        tree.make_directory(at("a/b"))
        write(tree, "a/b/c", b"x")
        tree.make_directory(at("a"))
        assert names(tree, "a/b") == ["a/b/c"]
        with raises(UnsafePathError):
            tree.make_directory(at("a/b/c"))

    def test_a_directory_is_invisible_until_committed(self, tree: FileTree) -> None:
        """A pending directory appears with all its entries at once."""
        with tree.create_directory(at("p/d")) as directory:
            write(directory.tree, "x/y", b"1", executable=True)
            directory.tree.make_symlink(at("link"), "x/y")
            assert tree.entry(at("p/d")) is None
            assert names(directory.tree) == ["link", "x"]
            directory.commit()
        assert names(tree, "p") == ["p/d"]
        assert names(tree, "p/d") == ["p/d/link", "p/d/x"]
        entry = tree.entry(at("p/d/x/y"))
        assert entry is not None
        assert entry.executable is True

    def test_an_uncommitted_directory_leaves_nothing(self, tree: FileTree) -> None:
        """Without a commit nothing appears, after an exception either."""
        with tree.create_directory(at("d")) as directory:
            write(directory.tree, "x/y", b"1")
        with raises(KeyError), tree.create_directory(at("d")) as directory:
            write(directory.tree, "x/y", b"1")
            raise KeyError
        assert names(tree) == []

    def test_an_empty_directory_is_committed(self, tree: FileTree) -> None:
        """An empty directory exists after its commit."""
        with tree.create_directory(at("d")) as directory:
            directory.commit()
        assert names(tree, "d") == []

    def test_a_directory_is_merged_into_an_existing_one(self, tree: FileTree) -> None:
        """A commit merges: other files stay, files of the same name are replaced."""
        write(tree, "d/kept", b"kept")
        write(tree, "d/sub/kept", b"kept")
        write(tree, "d/sub/same", b"old")
        tree.make_symlink(at("d/link"), "kept")
        with tree.create_directory(at("d")) as directory:
            write(directory.tree, "sub/same", b"new")
            write(directory.tree, "sub/more", b"more")
            write(directory.tree, "other/deep/x", b"x")
            directory.tree.make_symlink(at("link"), "sub/same")
            directory.commit()
        assert names(tree) == ["d"]
        assert names(tree, "d") == ["d/kept", "d/link", "d/other", "d/sub"]
        assert names(tree, "d/sub") == ["d/sub/kept", "d/sub/more", "d/sub/same"]
        assert read(tree, "d/sub/same") == b"new"
        assert read(tree, "d/other/deep/x") == b"x"
        entry = tree.entry(at("d/link"))
        assert entry is not None
        assert entry.link_target == "sub/same"

    def test_a_refused_merge_changes_nothing(self, tree: FileTree) -> None:
        """An entry never replaces an entry of another kind; a failed commit changes nothing."""
        write(tree, "d/a", b"old")
        write(tree, "d/file", b"old")
        write(tree, "d/folder/x", b"old")
        tree.make_symlink(at("d/link"), "folder")

        def merge(path: str) -> None:
            with tree.create_directory(at("d")) as directory:
                write(directory.tree, "a", b"new")
                write(directory.tree, path, b"new")
                directory.commit()

        for path in ("file/x", "folder", "link", "link/x"):
            with raises(UnsafePathError):
                merge(path)
        assert read(tree, "d/a") == b"old"
        assert names(tree, "d") == ["d/a", "d/file", "d/folder", "d/link"]
        assert names(tree, "d/folder") == ["d/folder/x"]
        assert names(tree) == ["d"]

    def test_a_commit_merges_into_the_root(self, tree: FileTree) -> None:
        """`.` is the root: a commit merges into it, all or nothing."""
        write(tree, "d/kept", b"kept")
        write(tree, "same", b"old")
        with tree.create_directory(sanitize_folder(".")) as directory:
            write(directory.tree, "same", b"new")
            write(directory.tree, "d/more", b"more")
            assert names(tree) == ["d", "same"]
            assert read(tree, "same") == b"old"
            directory.commit()
        assert names(tree) == ["d", "same"]
        assert names(tree, "d") == ["d/kept", "d/more"]
        assert read(tree, "same") == b"new"
        with tree.create_directory(sanitize_folder(".")) as directory:
            write(directory.tree, "same", b"newer")
        with raises(UnsafePathError), tree.create_directory(sanitize_folder(".")) as directory:
            write(directory.tree, "a", b"new")
            write(directory.tree, "d", b"new")
            directory.commit()
        assert names(tree) == ["d", "same"]
        assert read(tree, "same") == b"new"

    def test_a_directory_never_replaces_a_file_or_link(self, tree: FileTree) -> None:
        """A file or link in the place of a directory stays."""
        write(tree, "f", b"x")
        tree.make_symlink(at("l"), "f")
        for path in ("f", "l"):
            with raises(UnsafePathError):
                tree.create_directory(at(path))
        assert names(tree) == ["f", "l"]

    def test_pending_directories_nest(self, tree: FileTree) -> None:
        """A pending directory is a tree, which may have pending directories."""
        with tree.create_directory(at("outer")) as outer:
            with outer.tree.create_directory(at("inner")) as inner:
                write(inner.tree, "x", b"x")
                inner.commit()
            outer.commit()
        assert names(tree, "outer/inner") == ["outer/inner/x"]

    # --- Links ----------------------------------------------------------------------------

    def test_a_link_keeps_its_target(self, tree: FileTree) -> None:
        """A link keeps its target as written, whether it exists or not."""
        tree.make_symlink(at("d/l"), "../nowhere")
        entry = tree.entry(at("d/l"))
        assert entry is not None
        assert (entry.kind, entry.link_target, entry.size) == ("symlink", "../nowhere", 0)

    def test_a_link_replaces_a_file_or_link(self, tree: FileTree) -> None:
        """A link replaces a file or a link, never a directory."""
        write(tree, "x", b"x")
        tree.make_symlink(at("x"), "one")
        tree.make_symlink(at("x"), "two")
        entry = tree.entry(at("x"))
        assert entry is not None
        assert entry.link_target == "two"
        tree.make_directory(at("d"))
        with raises(UnsafePathError):
            tree.make_symlink(at("d"), "x")
        assert names(tree) == ["d", "x"]

    def test_no_file_is_reached_through_a_link(self, tree: FileTree) -> None:
        """A link is followed neither for reading nor for replacing; its target stays."""
        write(tree, "f", b"x")
        tree.make_symlink(at("l"), "f")
        tree.make_symlink(at("dangling"), "nowhere")
        with raises(UnsafePathError):
            tree.open(at("l"))
        for link in ("l", "dangling"):
            with raises(UnsafePathError):
                write(tree, link, b"new")
            assert kind_at(tree, link) == "symlink"
        assert read(tree, "f") == b"x"
        assert names(tree) == ["dangling", "f", "l"]

    def test_no_folder_is_entered_through_a_link(self, tree: FileTree) -> None:
        """No method follows a link in the path."""
        write(tree, "d/e/f", b"x")
        tree.make_symlink(at("l"), "d")
        operations = (
            lambda: tree.entry(at("l/e")),
            lambda: list(tree.entries(at("l"))),
            lambda: list(tree.entries(at("l/e"))),
            lambda: tree.open(at("l/e/f")),
            lambda: tree.create(at("l/new")),
            lambda: tree.create(at("l/e/f")),
            lambda: tree.create_directory(at("l")),
            lambda: tree.create_directory(at("l/new")),
            lambda: tree.make_directory(at("l")),
            lambda: tree.make_directory(at("l/new")),
            lambda: tree.make_symlink(at("l/new"), "x"),
            lambda: tree.remove(at("l/e/f")),
        )
        for operation in operations:
            with raises(UnsafePathError):
                operation()
        assert names(tree, "d") == ["d/e"]
        assert names(tree, "d/e") == ["d/e/f"]

    def test_a_link_made_during_a_write_is_not_followed(self, tree: FileTree) -> None:
        """The commit checks the path again."""
        write(tree, "victim", b"old")
        with tree.create(at("new")) as file:
            file.write(b"evil")
            tree.make_symlink(at("new"), "victim")
            with raises(OrasError):
                file.commit()
        with tree.create_directory(at("folder")) as directory:
            write(directory.tree, "victim", b"evil")
            tree.make_symlink(at("folder"), ".")
            with raises(OrasError):
                directory.commit()
        assert read(tree, "victim") == b"old"
        assert names(tree) == ["folder", "new", "victim"]
