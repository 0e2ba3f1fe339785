"""Which files a pull writes, and the parts of packed directories that it fetches for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from oras_core.model.descriptor import Descriptor
from oras_core.model.globs import PathSelection
from oras_core.model.limits import Limits
from oras_core.model.paths import SafePath
from oras_core.model.values import Value
from oras_core.ports.content import RangeFetcher, ReadOnlyTarget
from oras_core.ports.files import FileTree, names_of
from oras_core.ports.progress import ProgressListener

if TYPE_CHECKING:
    from oras_core.archives.parts import DirectoryPart
    from oras_core.ports.compression import Compression

__all__ = ["FileSelection", "fetch_parts", "find_parts"]


def _every_layer(_: Descriptor) -> bool:
    return True


@frozen(eq=False, repr=False)
class FileSelection(Value):
    """The files of an artifact to pull.

    Attributes:
        paths: selects files by title, and members of packed directories by title and path.
        layers: a test that the layer of each file must pass.
    """

    paths: PathSelection = field(factory=PathSelection)
    layers: Callable[[Descriptor], bool] = _every_layer

    def may_have(self, path: SafePath, *, is_directory: bool) -> bool:
        """Tell whether a file is selected by its path, or a directory may have such a member."""
        is_selected = self.paths.may_have_some_in if is_directory else self.paths.has
        return is_selected("/".join(path.parts))


def find_parts(
    source: ReadOnlyTarget,
    tree: FileTree,
    directories: Mapping[SafePath, Descriptor],
    *,
    paths: PathSelection,
    limits: Limits,
    compressions: Callable[[], Sequence[Compression]],
) -> dict[SafePath, DirectoryPart]:
    """Return the parts of packed directories that are fetched without the rest."""
    found: dict[SafePath, DirectoryPart] = {}
    for path, layer in directories.items():
        selects = paths.within("/".join(path.parts))
        if selects is None or not isinstance(source, RangeFetcher):
            continue
        from oras_core.archives.parts import find_part  # noqa: PLC0415 - few pulls need it

        part = find_part(
            source,
            layer,
            selects,
            prefix=path,
            limits=limits,
            names=names_of(tree),
            compressions=compressions(),
        )
        if part is not None:
            found[path] = part
    return found


def fetch_parts(
    parts: Mapping[SafePath, DirectoryPart], tree: FileTree, listener: ProgressListener
) -> None:
    """Fetch the parts of packed directories, and write them to their paths."""
    if parts:
        listener.planned(len(parts), sum(part.size for part in parts.values()))
    for path, part in parts.items():
        moved = evolve(part.layer, size=part.size)
        listener.started(moved)
        with tree.create_directory(path) as directory:
            part.unpack(directory.tree, partial(listener.advanced, moved))
            directory.commit()
        listener.finished(moved)
