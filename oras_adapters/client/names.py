"""The verbs of names: resolve, list, tag, untag and delete; manifests and configs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from oras_adapters.client.advice import advising
from oras_adapters.client.base import ClientBase, as_platform
from oras_core.errors import InvalidInputError, NotFoundError
from oras_core.ports.content import Deleter, TagLister, Untagger

if TYPE_CHECKING:
    from oras_adapters.client.places import Destination, Source
    from oras_core.model.descriptor import Descriptor
    from oras_core.model.index import Index
    from oras_core.model.manifest import Manifest
    from oras_core.model.platform import Platform
    from oras_core.verbs.inspect import Content

__all__ = ["NameVerbs"]

_LOGGER = logging.getLogger(__name__)


class NameVerbs(ClientBase):
    """Mixed into `Client`."""

    def resolve(self, source: Source, *, platform: str | Platform | None = None) -> Descriptor:
        """Return the descriptor of an artifact.

        Args:
            source: the place of the artifact.
            platform: selects a manifest of an index; None for the index itself.

        Raises:
            NotFoundError: if there is no such artifact, or none for the platform.
            OrasError: any error of the registry.

        Example:
            >>> root = client.resolve("localhost:5001/team/model:v1")
            >>> client.exists(f"localhost:5001/team/model@{root.digest}")
            True
        """
        from oras_core.content.roots import find_root  # noqa: PLC0415 - not all resolve

        with self._reading(source) as located:
            return find_root(
                located.target,
                located.reference,
                platform=as_platform(platform),
                limit=self._parts.limits.manifest_size,
            )

    def exists(self, source: Source) -> bool:
        """Tell whether there is an artifact at a place.

        Raises:
            OrasError: any other error of the registry.

        Example:
            >>> (
            ...     client.exists("localhost:5001/team/model:v1"),
            ...     client.exists("localhost:5001/team/model:v9"),
            ... )
            (True, False)
        """
        try:
            self.resolve(source)
        except NotFoundError:
            return False
        return True

    def manifest(
        self, source: Source, *, platform: str | Platform | None = None
    ) -> Manifest | Index:
        """Return the manifest or the index of an artifact, verified.

        Args:
            source: the place of the artifact.
            platform: selects a manifest of an index; None for the index itself.

        Raises: as `resolve`.

        Example:
            >>> [layer.title for layer in client.manifest("localhost:5001/team/model:v1").layers]
            ['weights', 'card.md']
        """
        from oras_core.verbs.inspect import fetch_manifest  # noqa: PLC0415 - few programs inspect

        with self._reading(source) as located:
            return fetch_manifest(
                located.target,
                located.reference,
                platform=as_platform(platform),
                limits=self._parts.limits,
            )

    def config(self, source: Source, *, platform: str | Platform | None = None) -> Content:
        """Return the config of an artifact, verified.

        Args:
            source: the place of the artifact.
            platform: selects a manifest of an index.

        Raises:
            UnsupportedError: if the place names an index, and no platform is given.
            OrasError: as `resolve`.

        Example:
            >>> client.config("localhost:5001/team/model:v1").content
            b'{}'
        """
        from oras_core.verbs.inspect import fetch_config  # noqa: PLC0415 - as above

        with self._reading(source) as located:
            return fetch_config(
                located.target,
                located.reference,
                platform=as_platform(platform),
                limits=self._parts.limits,
            )

    def tags(self, source: Source) -> Iterator[str]:
        """Iterate over the tags of a repository, a layout or an archive.

        Raises, while it is iterated over:
            NotFoundError: if there is no such repository or layout.
            UnsupportedError: if the target cannot list tags.
            OrasError: any error of the registry.

        Example:
            >>> sorted(client.tags("localhost:5001/team/model"))
            ['multi', 'v1', 'v2']
        """
        with self._reading(source) as located:
            target = located.whole()
            if not isinstance(target, TagLister):
                raise located.lacks("list tags")
            yield from target.tags()

    def repositories(self, registry: str) -> Iterator[str]:
        """Iterate over the names of the repositories of a registry, `HOST` or `HOST:PORT`.

        Raises, while it is iterated over:
            UnsupportedError: if the registry does not list them.
            OrasError: any error of the registry.

        Example:
            >>> list(client.repositories("localhost:5001"))
            ['team/model']
        """
        with advising():
            yield from self._parts.registry(registry).catalog()

    def tag(self, source: Destination, *tags: str) -> Descriptor:
        """Give an artifact further tags, in its own repository.

        Args:
            source: the place of the artifact.
            tags: the tags to create, or to move to this artifact.

        Returns:
            The descriptor of the artifact.

        Raises:
            InvalidInputError: if there is no tag to create.
            NotFoundError: if there is no such artifact.
            InvalidReferenceError: if a text is not a tag.
            OrasError: any error of the registry.

        Example:
            >>> root = client.tag("localhost:5001/team/model:v1", "stable", "latest")
            >>> client.resolve("localhost:5001/team/model:stable").digest == root.digest
            True
        """
        if not tags:
            raise InvalidInputError(tags, "name at least one tag to create")
        with self._writing(source) as located:
            root = located.target.resolve(located.reference)
            for tag in tags:
                located.target.tag(root, tag)
        _LOGGER.info("tagged %s as %s", located, ", ".join(tags))
        return root

    def untag(self, source: Destination) -> None:
        """Remove a tag. The artifact stays.

        Args:
            source: a place with a tag.

        Raises:
            NotFoundError: if there is no such tag.
            UnsupportedError: if the registry removes a tag only together with its artifact.
            OrasError: any other error of the registry.

        Example:
            >>> client.untag("localhost:5001/team/model:v2")
            >>> client.exists("localhost:5001/team/model:v2")
            False
        """
        with self._writing(source) as located:
            tag, target = located.required_tag(), located.target
            if not isinstance(target, Untagger):
                raise located.lacks("remove a tag")
            target.untag(tag)
        _LOGGER.info("removed the tag %s", located)

    def delete(self, source: Destination) -> Descriptor:
        """Delete an artifact, with all its tags.

        Blobs that other artifacts use stay; the registry's garbage collection removes the
        rest.

        Args:
            source: a place with a tag or a digest.

        Returns:
            The descriptor of the deleted artifact.

        Raises:
            NotFoundError: if there is no such artifact.
            UnsupportedError: if the registry does not delete artifacts.
            OrasError: any other error of the registry.

        Example:
            >>> deleted = client.delete("localhost:5001/team/model:v1")
            >>> client.exists(f"localhost:5001/team/model@{deleted.digest}")
            False
        """
        with self._writing(source) as located:
            name, target = located.required_name(), located.target
            if not isinstance(target, Deleter):
                raise located.lacks("delete an artifact")
            root = target.resolve(name).plain()
            target.delete(root)
        _LOGGER.info("deleted %s (%s)", located, root.digest)
        return root
