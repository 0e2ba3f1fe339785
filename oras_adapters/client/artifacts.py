"""The verbs that move and read files: push, attach, pull, open, read."""

# ruff: noqa: PLC0415 - each verb imports what it needs, when it is first used

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final, Literal

from attrs import evolve

from oras_adapters.client.base import ClientBase, Texts, all_of, as_platform
from oras_core.model.paths import sanitize_folder
from oras_core.model.reference import DEFAULT_TAG

if TYPE_CHECKING:
    from oras_adapters.client.contents import ConfigFile, Files
    from oras_adapters.client.places import Destination, Located, Source
    from oras_adapters.client.streams import LayerStream
    from oras_adapters.files.local_files import LocalFileTree
    from oras_core.model.annotations import AnnotationSet
    from oras_core.model.descriptor import Descriptor
    from oras_core.model.manifest import Manifest
    from oras_core.model.paths import SafePath
    from oras_core.model.platform import Platform
    from oras_core.ports.content import ReadOnlyTarget
    from oras_core.verbs.open import FileReader
    from oras_core.verbs.pull import Pulled
    from oras_core.verbs.push import Directory, File

__all__ = ["ArtifactVerbs"]

_LOGGER = logging.getLogger(__name__)

MAX_READ: Final = 64 * 1024 * 1024
"""Bytes that `read` holds in memory unless the caller names another limit."""

CompressionName = Literal["none", "gzip", "zstd", "auto"]


class ArtifactVerbs(ClientBase):
    """Mixed into `Client`."""

    def push(
        self,
        destination: Destination,
        files: Files,
        *,
        artifact_type: str | None = None,
        config: ConfigFile | None = None,
        annotations: Mapping[str, str] | AnnotationSet | None = None,
        subject: str | Descriptor | None = None,
        tags: Texts = (),
        compression: CompressionName | None = None,
    ) -> Descriptor:
        """Push files and folders as one artifact. A folder becomes one layer.

        Args:
            destination: a place by name, such as `localhost:5001/team/model:v1`; without a
                tag, the artifact is tagged `latest`.
            files: one or more paths, each with a media type behind a `:` if it has one; or
                paths by the title under which a pull writes them.
            artifact_type: the type of the artifact, a media type.
            config: a path, with a media type behind a `:` if it has one; the empty config
                if None.
            annotations: those of the manifest; or an `AnnotationSet`, with those of config
                and layers too.
            subject: the tag, the digest or the descriptor of a manifest in the same
                repository, to which this artifact is attached.
            tags: further tags to create.
            compression: the compression of folders; by default as the settings say.

        Returns:
            The descriptor of the manifest.

        Raises:
            NotFoundError: if a path does not exist.
            AlreadyExistsError: if two files have one title.
            SourceChangedError: if a file changes while it is pushed.
            InvalidReferenceError: if `destination` is not a place, or names a digest.
            OrasError: any error of the registry.

        Example:
            >>> root = client.push(
            ...     "localhost:5001/team/model:v3", ["weights", "card.md:text/markdown"]
            ... )
            >>> root.media_type
            'application/vnd.oci.image.manifest.v1+json'
        """
        from oras_adapters.client.contents import annotation_set, config_of, contents_of
        from oras_adapters.files.local_files import scratch_directory
        from oras_core.content.roots import read_root
        from oras_core.verbs.push import push

        local = self._parts.local_files()
        contents = self._packed(contents_of(files, local), compression)
        with (
            self._writing(destination) as located,
            self._copying() as options,
            scratch_directory() as scratch,
        ):
            if isinstance(subject, str):
                subject = read_root(located.target, subject)
            root = push(
                located.target,
                located.new_tag() or DEFAULT_TAG,
                contents,
                scratch=scratch,
                artifact_type=artifact_type,
                config=config_of(config, local),
                annotations=annotation_set(annotations),
                subject=subject,
                further_tags=all_of(tags),
                options=options,
            )
        _LOGGER.info("pushed %s as %s", located, root.digest)
        return root

    def attach(
        self,
        subject: Destination,
        files: Files = (),
        *,
        artifact_type: str,
        config: ConfigFile | None = None,
        annotations: Mapping[str, str] | AnnotationSet | None = None,
        platform: str | Platform | None = None,
        compression: CompressionName | None = None,
    ) -> Descriptor:
        """Push files and folders as an artifact that refers to another one.

        Args:
            subject: the place of the artifact to attach to.
            files: as for `push`; there may be none.
            artifact_type: the type by which `referrers` finds it, a media type.
            config: as for `push`.
            annotations: as for `push`.
            platform: selects the manifest of an index to attach to.
            compression: the compression of folders; by default as the settings say.

        Returns:
            The descriptor of the new manifest, which has no tag.

        Raises:
            NotFoundError: if there is no such subject.
            OrasError: as `push`.

        Example:
            >>> sbom = client.attach(
            ...     "localhost:5001/team/model:v2",
            ...     "sbom.json",
            ...     artifact_type="application/spdx+json",
            ... )
            >>> [
            ...     found.digest == sbom.digest
            ...     for found in client.referrers("localhost:5001/team/model:v2")
            ... ]
            [True]
        """
        from oras_adapters.client.contents import annotation_set, config_of, contents_of
        from oras_adapters.files.local_files import scratch_directory
        from oras_core.verbs.attach import attach

        local = self._parts.local_files()
        contents = self._packed(contents_of(files, local), compression)
        with (
            self._writing(subject) as located,
            self._copying(platform) as options,
            scratch_directory() as scratch,
        ):
            root = attach(
                located.target,
                located.reference,
                contents,
                artifact_type=artifact_type,
                scratch=scratch,
                config=config_of(config, local),
                annotations=annotation_set(annotations),
                options=options,
            )
        _LOGGER.info("attached %s to %s", root.digest, located)
        return root

    def pull(
        self,
        source: Source,
        folder: str | os.PathLike[str] = ".",
        *,
        include: Texts = (),
        exclude: Texts = (),
        media_types: Texts = (),
        annotations: Mapping[str, str] | None = None,
        platform: str | Platform | None = None,
        overwrite: bool = True,
    ) -> Pulled[Path]:
        """Pull the files of an artifact into a folder.

        Layers without a title are not pulled. If the patterns choose a small part of a folder
        that was pushed without compression, only that part is fetched. It cannot be verified;
        `unverified` of the result names the folder. A compressed folder is fetched whole.

        Args:
            source: the place of the artifact.
            folder: the destination; it is created if it is missing.
            include: patterns of titles, and of paths in pushed folders, such as `*.md` or
                `weights/*.bin`; none for all files. A pattern without `/` matches the last
                component of any path; `/card.md` matches at the top only.
            exclude: patterns of titles and paths that are not pulled, even if `include` matches.
            media_types: of the layers to pull; none for all.
            annotations: those that a layer must have to be pulled.
            platform: selects a manifest of an index.
            overwrite: replace files that exist; otherwise existing files stay unchanged.

        Raises:
            NotFoundError: if there is no such artifact, or none for the platform.
            UnsafePathError: if a title leads out of the folder; nothing is written then.
            ContentError: if a blob does not match its descriptor.
            UnsafeArchiveError: if a member of a folder must not be unpacked.
            UnsupportedError: if a hard link of a folder is chosen without its file.
            OrasError: any error of the registry.

        Example:
            >>> pulled = client.pull("localhost:5001/team/model:v1", "out", include="*.md")
            >>> [path.name for path in pulled.files]
            ['card.md']
        """
        from oras_core.model.globs import PathSelection
        from oras_core.verbs.pull import Pulled, pull
        from oras_core.verbs.selection import FileSelection

        tree = self._parts.folder(folder)
        types = {*all_of(media_types)}
        wanted = (annotations or {}).items()

        def chosen(layer: Descriptor) -> bool:
            return (
                (not types or layer.media_type in types)
                and wanted <= layer.annotations.items()
                and (overwrite or layer.title is None or not _exists(tree, layer.title))
            )

        with self._reading(source) as located, self._copying() as options:
            pulled = pull(
                self._parts.cached(located.target),
                located.reference,
                tree,
                platform=as_platform(platform),
                selection=FileSelection(PathSelection.of(include, exclude), chosen),
                limits=self._parts.limits,
                compressions=self._parts.compressions,
                options=options,
            )
        _LOGGER.info("pulled %s (%s) into %s", located, pulled.root.digest, os.fspath(folder))

        def on_disk(paths: tuple[SafePath, ...]) -> tuple[Path, ...]:
            return tuple(Path(folder, *path.parts) for path in paths)

        return Pulled(
            pulled.root, pulled.manifest, on_disk(pulled.files), on_disk(pulled.unverified)
        )

    def open(
        self, source: Source, name: str | None = None, *, platform: str | Platform | None = None
    ) -> LayerStream:
        """Open a file of an artifact for reading at any position.

        A read fetches the requested bytes, and not many more. Bytes read from start to end are
        verified; a part alone cannot be.

        Args:
            source: the place of the artifact.
            name: the title or the digest of a layer, or a path in a pushed folder, such as
                `weights/layer0.bin`; None for the only layer. A folder that is compressed is
                fetched whole, into a temporary file.
            platform: selects a manifest of an index.

        Returns:
            A binary file, to be closed.

        Raises:
            NotFoundError: if there is no such artifact or layer.
            UnsupportedError: if `name` is None and there is not exactly one layer.
            OrasError: any error of the registry, also while the file is read.

        Example:
            >>> with client.open("localhost:5001/team/model:v1", "card.md") as stream:
            ...     stream.read(3)
            b'# A'
        """
        from oras_adapters.client.streams import LayerStream
        from oras_core.verbs.open import find_file

        with ExitStack() as held:
            located = held.enter_context(self._reading(source))
            manifest = self._artifact(located, platform)
            layer, path = find_file(manifest, name)
            opened = self._reader(located, held).open(layer, path)
            return LayerStream(opened, layer, held.pop_all())

    def read(
        self,
        source: Source,
        name: str | None = None,
        *,
        limit: int = MAX_READ,
        platform: str | Platform | None = None,
    ) -> bytes:
        """Return the bytes of a file of an artifact, verified.

        Args:
            source: the place of the artifact.
            name: as for `open`. All of a folder is fetched, to verify it.
            limit: the largest size accepted, in bytes.
            platform: selects a manifest of an index.

        Raises:
            SizeLimitError: if the file is larger than `limit`.
            OrasError: as `open`.

        Example:
            >>> client.read("localhost:5001/team/model:v1", "card.md").splitlines()
            [b'# A model']
        """
        from oras_core.verbs.open import find_file

        with self._reading(source) as located, ExitStack() as held:
            layer, path = find_file(self._artifact(located, platform), name)
            return self._reader(located, held).read(layer, path, limit=limit)

    def _artifact(
        self, located: Located[ReadOnlyTarget], platform: str | Platform | None
    ) -> Manifest:
        from oras_core.verbs.pull import fetch_artifact

        return fetch_artifact(
            self._parts.cached(located.target),
            located.reference,
            platform=as_platform(platform),
            limits=self._parts.limits,
        )

    def _reader(self, located: Located[ReadOnlyTarget], held: ExitStack) -> FileReader:
        from oras_core.verbs.open import FileReader

        parts = self._parts
        target = parts.cached(located.target)
        return FileReader(target, held, TemporaryFile, parts.compressions, parts.limits)

    def _packed(
        self, contents: list[File | Directory], compression: CompressionName | None
    ) -> list[File | Directory]:
        """Pack directories by the chosen compression, unless they name one."""
        from oras_core.verbs.push import Directory

        chosen = None
        packed: list[File | Directory] = []
        for item in contents:
            if isinstance(item, Directory) and item.compression is None:
                chosen = chosen or self._parts.compression(compression)
                packed.append(evolve(item, compression=chosen))
            else:
                packed.append(item)
        return packed


def _exists(tree: LocalFileTree, title: str) -> bool:
    """Tell whether a title exists; the folder itself counts if it is not empty."""
    path = sanitize_folder(title)
    return tree.entry(path) is not None if path.parts else any(tree.entries())
