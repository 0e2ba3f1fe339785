"""Unpack layers that oras-py unpacks: archives without a folder of their own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import field, frozen

from oras._client.selection import holds_a_directory, title_of, unpacks
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import sanitize_path

__all__ = ["LooseArchives", "loose_archives"]


@frozen(eq=False, repr=False)
class LooseArchives:
    """The archives of one pull whose members are unpacked beside the archive's title.

    They are pulled into a temporary folder first.

    Attributes:
        root: the folder of the pull.
        name: the name of the temporary folder in `root`.
    """

    root: str
    name: str
    _targets: dict[str, str] = field(factory=dict)

    def title_of(self, layer: Descriptor) -> str:
        """Return the path of a layer: its title, or a temporary path of an archive.

        Raises:
            UnsafePathError: if the title of an archive points outside the folder.
        """
        if unpacks(layer) or not holds_a_directory(layer):
            return title_of(layer)
        title = str(sanitize_path(title_of(layer)))
        path = f"{self.name}/{hashlib.sha256(f'{layer.digest} {title}'.encode()).hexdigest()}"
        self._targets[path] = os.path.dirname(os.path.join(self.root, title))
        return path

    @property
    def are_expected(self) -> bool:
        """Whether the pull has such an archive."""
        return bool(self._targets)

    def unpacks(self, layer: Descriptor) -> bool:
        """Return whether the core unpacks a layer, which has the title of `title_of`."""
        return unpacks(layer) and layer.title not in self._targets

    def unpack(self, path: str) -> list[str]:
        """Return the paths of a pulled layer: of an archive, those of its top-level members.

        Raises: as `oras.utils.extract_targz`.
        """
        pulled = os.path.join(self.root, path)
        if path not in self._targets:
            return [pulled]
        from oras.utils.archives import unpack_into  # noqa: PLC0415 - few pulls have such archives

        folder = self._targets[path]
        return [os.path.join(folder, name) for name in unpack_into(pulled, folder)]


@contextmanager
def loose_archives(root: str) -> Iterator[LooseArchives]:
    """Yield the archives of a pull into `root`, and remove the temporary folder afterwards."""
    archives = LooseArchives(root, f".oras-unpack.{os.urandom(4).hex()}")
    try:
        yield archives
    finally:
        if archives.are_expected:
            import shutil  # noqa: PLC0415 - as above

            shutil.rmtree(os.path.join(root, archives.name), ignore_errors=True)
