"""The verbs that copy between places: copy, mirror, back up, restore."""

# ruff: noqa: PLC0415 - each verb imports what it needs, when it is first used

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from attrs import evolve

from oras_adapters.client.base import ClientBase, Texts, all_of
from oras_core.model.places import LayoutPlace

if TYPE_CHECKING:
    from oras_adapters.client.places import Destination, Source
    from oras_core.copying.options import Copied
    from oras_core.model.platform import Platform
    from oras_core.verbs.mirror import Mirrored

__all__ = ["CopyVerbs"]

_LOGGER = logging.getLogger(__name__)


class CopyVerbs(ClientBase):
    """Mixed into `Client`."""

    def copy(
        self,
        source: Source,
        destination: Destination,
        *,
        referrers: bool = False,
        platform: str | Platform | None = None,
        tags: Texts = (),
    ) -> Copied:
        """Copy an artifact, with all blobs and manifests in it, from one place to another.

        Blobs that the destination has are not transferred. Between repositories of one
        registry, blobs are mounted.

        Args:
            source: the place of the artifact.
            destination: the place of the copy. Without a tag, the copy gets the tag in
                `source`, or none if `source` names a digest.
            referrers: also copy the referrers of the artifact, such as signatures and SBOMs,
                and their referrers.
            platform: copy only the manifest of an index for this platform.
            tags: further tags to create.

        Raises:
            NotFoundError: if there is no such artifact, or none for the platform.
            UnsupportedError: if `referrers` is True and the source cannot list them.
            OrasError: any error of either side; a note names the side.

        Example:
            >>> copied = client.copy(
            ...     "localhost:5001/team/model:v1", "oci:backup:v1", referrers=True
            ... )
            >>> client.exists("oci:backup:v1")
            True
        """
        from oras_core.copying.copy import copy
        from oras_core.copying.extended import extended_copy

        with (
            self._reading(source) as origin,
            self._writing(destination) as target,
            self._copying(platform) as options,
        ):
            done = (extended_copy if referrers else copy)(
                origin.target,
                origin.reference,
                target.target,
                target.new_tag(),
                further_tags=all_of(tags),
                options=options,
            )
        named = evolve(target, tag=target.tag or origin.tag)
        _LOGGER.info("copied %s (%s) to %s", origin, done.root.digest, named)
        return done

    def mirror(
        self,
        source: Source,
        destination: Destination,
        *,
        include: Texts = (),
        exclude: Texts = (),
    ) -> Mirrored:
        """Copy all tags of a repository, with the referrers of their artifacts.

        Blobs that the destination has already are not transferred; tags that the source lacks
        stay. Without patterns, artifacts of a layout that have no tag are copied too.

        Args:
            source: a repository, a layout or an archive.
            destination: a repository, a layout or an archive.
            include: patterns of tags, such as `v1.*`; none for all tags.
            exclude: patterns of tags to skip, even if `include` matches them.

        Raises:
            UnsupportedError: if the source cannot list its tags or referrers.
            OrasError: any error of either side; a note names the side.

        Example:
            >>> done = client.mirror(
            ...     "localhost:5001/team/model", "localhost:5001/copy/model", include="v*"
            ... )
            >>> sorted(done.tags)
            ['v1', 'v2']
        """
        from oras_core.model.globs import PathSelection
        from oras_core.verbs.mirror import MirrorSource, mirror

        with (
            self._reading(source) as origin,
            self._writing(destination) as target,
            self._copying() as options,
        ):
            mirrored = origin.whole()
            if not isinstance(mirrored, MirrorSource):
                raise origin.lacks("list tags")
            done = mirror(
                mirrored,
                target.whole(),
                includes=PathSelection.of(include, exclude).has,
                options=options,
            )
        _LOGGER.info("mirrored %s to %s: %s", origin.where, target.where, done)
        return done

    def backup(self, source: Source, path: str | os.PathLike[str]) -> Mirrored:
        """Copy all tags of a repository into an OCI image layout on disk.

        A second backup to the same path transfers only new blobs.

        Args:
            source: the repository.
            path: a folder; or one tar file, if the name ends in `.tar`.

        Raises: as `mirror`.

        Example:
            >>> done = client.backup("localhost:5001/team/model", "model.tar")
            >>> sorted(client.tags("oci-archive:model.tar"))
            ['multi', 'v1', 'v2']
        """
        return self.mirror(source, _layout_at(path))

    def restore(self, path: str | os.PathLike[str], destination: Destination) -> Mirrored:
        """Copy all artifacts of an OCI image layout on disk to a repository.

        Args:
            path: a folder; or one tar file, if the name ends in `.tar`.
            destination: the repository.

        Raises:
            NotFoundError: if there is no layout at `path`.
            OrasError: as `mirror`.

        Example:
            >>> done = client.backup("localhost:5001/team/model", "model.tar")
            >>> done = client.restore("model.tar", "localhost:5001/restored/model")
            >>> sorted(done.created)
            ['multi', 'v1', 'v2']
        """
        return self.mirror(_layout_at(path), destination)


def _layout_at(path: str | os.PathLike[str]) -> LayoutPlace:
    name = os.fspath(path)
    return LayoutPlace("oci-archive" if name.endswith(".tar") else "oci", name)
