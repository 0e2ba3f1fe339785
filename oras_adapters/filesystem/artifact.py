"""The files of one artifact as a tree, listed and opened without pulling it."""

from __future__ import annotations

import io
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import TemporaryFile
from threading import Lock
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from oras_adapters.client.advice import advising
from oras_adapters.client.places import Places, Source
from oras_adapters.client.streams import LayerStream
from oras_adapters.composition import Parts
from oras_core.errors import NotFoundError, UnsafePathError, UnsupportedError
from oras_core.model.descriptor import Descriptor
from oras_core.model.manifest import Manifest
from oras_core.model.paths import sanitize_path
from oras_core.model.platform import Platform
from oras_core.stores.file import is_marked_for_unpacking
from oras_core.verbs.open import FileReader
from oras_core.verbs.pull import fetch_artifact

if TYPE_CHECKING:
    from oras_core.archives.members import PackedFiles

__all__ = ["ArtifactFile", "ArtifactFiles"]


@frozen
class ArtifactFile:
    """A file or folder of an artifact.

    Attributes:
        path: in the artifact; empty for its root.
        kind: of the entry.
        size: of a file, in bytes.
        digest: of a file that is a layer; empty for files in a folder.
    """

    path: str
    kind: Literal["file", "directory"]
    size: int = 0
    digest: str = ""


class ArtifactFiles:
    """The files of one artifact, of the digest that its place named at first. Thread-safe.

    Titles are paths. A packed folder is listed when something in it is looked for.
    """

    def __init__(self, parts: Parts, source: Source, platform: Platform | None = None) -> None:
        """Fetch the manifest.

        Raises:
            NotFoundError: if there is no such artifact.
            OrasError: any error of the registry.
        """
        self._lock = Lock()
        self._folders: dict[str, Descriptor] = {}
        self._packed: dict[str, PackedFiles] = {}
        self._files: dict[str, Descriptor] = {}
        held = ExitStack()
        # An artifact is never closed: its files stay readable after the file system drops it.
        weakref.finalize(self, held.close)
        with advising():
            located = held.enter_context(Places(parts).reading(source))
            fetcher = parts.cached(located.target)
            self.manifest: Manifest = fetch_artifact(
                fetcher, located.reference, platform=platform, limits=parts.limits
            )
        self._reader = FileReader(fetcher, held, TemporaryFile, parts.compressions, parts.limits)
        for layer in self.manifest.layers:
            path = _path_of(layer)
            if path:
                target = self._folders if is_marked_for_unpacking(layer) else self._files
                target[path] = layer

    def find(self, path: str) -> ArtifactFile:
        """Return the file or folder at a path.

        Raises:
            NotFoundError: if there is none.
            OrasError: any error of the registry.
        """
        if layer := self._files.get(path):
            return ArtifactFile(path, "file", layer.size, str(layer.digest))
        if (folder := self._folder_of(path)) is not None:
            if path == folder:
                return ArtifactFile(path, "directory")
            member = self._listed(folder).find(path[len(folder) + 1 :])
            kind: Literal["file", "directory"] = (
                "directory" if member.kind == "directory" else "file"
            )
            return ArtifactFile(path, kind, member.size)
        if not path or any(one.startswith(f"{path}/") for one in (*self._files, *self._folders)):
            return ArtifactFile(path, "directory")
        raise NotFoundError(f"file {path!r}", f"artifact {self.manifest.digest}")

    def list(self, path: str = "") -> list[ArtifactFile]:
        """Return what is directly in a folder, sorted.

        Raises: as `find`, and `UnsupportedError` if the path is a file.
        """
        if self.find(path).kind == "file":
            raise UnsupportedError(f"list {path!r}", "it is a file")
        prefix = f"{path}/" if path else ""
        names = {
            known[len(prefix) :].partition("/")[0]
            for known in self._known(path)
            if known.startswith(prefix) and known != prefix
        }
        return [self.find(prefix + name) for name in sorted(names)]

    def open(self, path: str) -> LayerStream:
        """Open a file for reading at any position.

        Raises: as `find`, and `UnsupportedError` if the path is a folder.
        """
        if layer := self._files.get(path):
            return LayerStream(self._reader.open(layer), layer, self._kept())
        if (folder := self._folder_of(path)) is None or folder == path:
            found = self.find(path)
            raise UnsupportedError(f"open {path!r}", f"it is a {found.kind}")
        raw: io.RawIOBase = self._listed(folder).open(path[len(folder) + 1 :])
        return LayerStream(raw, self._folders[folder], self._kept())

    def _kept(self) -> ExitStack:
        """Return what keeps this artifact open as long as one of its files is."""
        kept = ExitStack()
        kept.callback(self.find, "")
        return kept

    def _folder_of(self, path: str) -> str | None:
        parts = path.split("/")
        return next(
            (
                candidate
                for count in range(1, len(parts) + 1)
                if (candidate := "/".join(parts[:count])) in self._folders
            ),
            None,
        )

    def _known(self, path: str) -> Iterator[str]:
        yield from self._files
        yield from self._folders
        if (folder := self._folder_of(path)) is not None:
            for name in self._listed(folder).members:
                yield f"{folder}/{name}"

    def _listed(self, folder: str) -> PackedFiles:
        with self._lock:
            if folder not in self._packed:
                self._packed[folder] = self._reader.folder(self._folders[folder])
            return self._packed[folder]


def _path_of(layer: Descriptor) -> str:
    """Return the path of a layer; empty if it has no title, or one that no pull writes."""
    try:
        return str(sanitize_path(layer.title)) if layer.title else ""
    except UnsafePathError:
        return ""
