"""Open: read one file of an artifact without pulling the others."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import IO, TYPE_CHECKING, Final

from attrs import field, frozen

from oras_core.content.random_access import RandomAccess
from oras_core.content.verify import VerifyingReader, read_verified
from oras_core.errors import NotFoundError, SizeLimitError, UnsupportedError
from oras_core.model.descriptor import Descriptor
from oras_core.model.limits import Limits
from oras_core.model.manifest import Manifest
from oras_core.model.media_types import names_compression
from oras_core.model.paths import sanitize_folder
from oras_core.ports.content import Fetcher
from oras_core.stores.file import is_marked_for_unpacking

if TYPE_CHECKING:
    from oras_core.archives.members import PackedFiles
    from oras_core.ports.compression import Compression

__all__ = ["FileReader", "find_file"]

SHOWN: Final = 10
"""Titles that an error lists."""


def find_file(manifest: Manifest, name: str | None) -> tuple[Descriptor, str]:
    """Return the layer of a file, and the file's path in the folder that the layer packs.

    Args:
        manifest: of the artifact.
        name: the title or the digest of a layer; or the title of a packed folder, followed
            by the path of a file in it. None for the only layer.

    Returns:
        The layer, and an empty path if the layer is the file.

    Raises:
        NotFoundError: if there is no such layer.
        UnsupportedError: if `name` is None and there is not exactly one layer.
    """
    if name is None:
        if len(manifest.layers) != 1:
            reason = f"it has {len(manifest.layers)} layers; name one of {_names(manifest)}"
            raise UnsupportedError(f"choose a layer of {manifest.digest}", reason)
        return manifest.layers[0], ""
    for layer in manifest.layers:
        if name in (layer.title, str(layer.digest)):
            return layer, ""
    for layer in manifest.layers:
        if is_marked_for_unpacking(layer) and layer.title:
            folder = "" if layer.title in (".", "./") else f"{layer.title}/"
            if name.startswith(folder):
                return layer, name.removeprefix(folder)
    raise NotFoundError(f"file {name!r}", f"{manifest.digest}, which has {_names(manifest)}")


@frozen
class FileReader:
    """Reads files of the layers of a target.

    Attributes:
        source: the target.
        held: when it is closed, so are the archives of packed folders.
        spool: opens a temporary file, which takes the decompressed archive of a folder.
        compressions: returns the accepted compressions, besides gzip by the standard
            library.
        limits: bounds of what is accepted.
    """

    source: Fetcher = field(repr=False)
    held: ExitStack
    spool: Callable[[], IO[bytes]]
    compressions: Callable[[], Sequence[Compression]] = tuple
    limits: Limits = field(factory=Limits)

    def open(self, layer: Descriptor, path: str = "") -> io.RawIOBase:
        """Open a layer, or a file of a packed folder, for reading at any position.

        Only the parts that are read are fetched, unless the layer is a compressed folder.

        Raises:
            NotFoundError: if the folder has no such file.
            UnsafeArchiveError: if the folder is damaged, or must not be unpacked.
            OrasError: any error of the source.
        """
        return self.folder(layer).open(path) if path else RandomAccess(self.source, layer)

    def read(self, layer: Descriptor, path: str = "", *, limit: int) -> bytes:
        """Return the bytes of a layer, or of a file of a packed folder, verified.

        Of a folder, all is fetched: its digest is that of the whole archive.

        Raises:
            SizeLimitError: if the bytes are more than `limit`.
            OrasError: as `open`.
        """
        if path:
            with closing(self.folder(layer, verified=True).open(path)) as file:
                content = file.read(limit + 1) or b""
            if len(content) > limit:
                raise SizeLimitError(f"file {path!r}", limit)
            return content
        if layer.data is not None:
            return layer.data
        with closing(self.source.fetch(layer)) as stream:
            return read_verified(stream, layer, limit=limit)

    def folder(self, layer: Descriptor, *, verified: bool = False) -> PackedFiles:
        """Return the files of a packed folder.

        Args:
            layer: the packed folder.
            verified: fetch and verify all of it first. A compressed folder always is.

        Raises: as `open`.
        """
        from oras_core.archives.members import (  # noqa: PLC0415 - most layers are files
            MAGIC_SIZE,
            PackedFiles,
            is_compressed,
            write_tar,
        )

        prefix = sanitize_folder(layer.title) if layer.title else None
        formats = self.compressions()
        if not verified and not names_compression(layer.media_type):
            archive = self.held.enter_context(RandomAccess(self.source, layer))
            if not is_compressed(archive.read(MAGIC_SIZE) or b"", formats):
                return PackedFiles(archive, prefix=prefix, limits=self.limits)
            archive.close()
        file = self.held.enter_context(self.spool())
        with closing(VerifyingReader(self.source.fetch(layer), layer)) as stream:
            write_tar(stream, file, formats)
        return PackedFiles(file, prefix=prefix, limits=self.limits)


def _names(manifest: Manifest) -> str:
    names = [repr(layer.title or str(layer.digest)) for layer in manifest.layers]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) or "no layers") + more
