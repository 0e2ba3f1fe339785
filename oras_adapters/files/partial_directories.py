"""Directories with a temporary name in their final folder, renamed or merged when complete."""

from __future__ import annotations

from collections.abc import Callable

from oras_adapters.files.folders import Folder, refuse_unless
from oras_adapters.files.moving import move_directory
from oras_adapters.files.partial_files import partial_name, remove_partial
from oras_adapters.files.system_errors import SystemErrors
from oras_core.model.paths import SafePath
from oras_core.ports.files import FileTree, PendingDirectory

__all__ = ["PartialDirectory"]


class PartialDirectory(PendingDirectory):
    """A directory being filled under a temporary name."""

    def __init__(
        self, folder: Folder, path: SafePath, tree_of: Callable[[Folder], FileTree]
    ) -> None:
        """Create it in the folder, and own that folder.

        Args:
            folder: the parent folder.
            path: the final path.
            tree_of: makes the tree of a folder, which it owns.
        """
        self._folder = folder
        self._path = path
        self._name = partial_name()
        try:
            with SystemErrors("create directory", path):
                refuse_unless(folder, path.name, path, "directory")
                folder.make(self._name)
                inside = folder.enter(self._name, path)
        except BaseException:
            folder.close()
            raise
        self._tree = tree_of(inside)

    @property
    def tree(self) -> FileTree:
        """The contents of the directory."""
        return self._tree

    def commit(self) -> None:
        """Give the directory its name, or merge it into an existing directory.

        Raises:
            UnsafePathError: if an entry would replace one of another kind; then nothing is
                replaced.
            FileAccessError: if the system refuses; entries merged before stay merged.
        """
        with SystemErrors("write directory", self._path):
            move_directory(self._folder, self._name, self._path)
        self._leave()

    def _leave(self) -> None:
        self._name = ""
        self._folder.close()

    def __enter__(self) -> PendingDirectory:
        """Return the directory itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Discard the directory, unless it was committed."""
        if self._name:
            remove_partial(self._folder, self._name)
            self._leave()
