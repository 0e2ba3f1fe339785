"""The verbs of referrers and indexes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from oras_adapters.client.base import ClientBase, Texts, all_of
from oras_core.model.reference import DEFAULT_TAG

if TYPE_CHECKING:
    from oras_adapters.client.places import Destination, Source
    from oras_core.model.descriptor import Descriptor
    from oras_core.model.platform import Platform

__all__ = ["GraphVerbs"]

_LOGGER = logging.getLogger(__name__)


class GraphVerbs(ClientBase):
    """Mixed into `Client`."""

    def referrers(
        self,
        source: Source,
        *,
        artifact_type: str | None = None,
        recursive: bool = False,
        platform: str | Platform | None = None,
    ) -> Iterator[Descriptor]:
        """Iterate over the manifests that refer to an artifact, such as signatures and SBOMs.

        Args:
            source: the place of the artifact.
            artifact_type: the type of the referrers; None for all types.
            recursive: list the referrers of the referrers too, each after its subject.
            platform: selects the manifest of an index.

        Raises, while it is iterated over:
            NotFoundError: if there is no such artifact.
            UnsupportedError: if the target cannot list referrers.
            OrasError: any error of the registry.

        Example:
            >>> [found.artifact_type for found in client.referrers("localhost:5001/team/model:v1")]
            ['application/spdx+json']
        """
        from oras_core.verbs.discover import discover  # noqa: PLC0415 - few programs discover

        with self._reading(source) as located:
            found = discover(
                located.target,
                located.reference,
                artifact_type=artifact_type,
                depth=None if recursive else 1,
                options=self._options(platform),
            )
            for depth, descriptor in found.walk():
                if depth:
                    yield descriptor

    def index(
        self,
        destination: Destination,
        entries: str | Descriptor | Iterable[str | Descriptor],
        *,
        tags: Texts = (),
        artifact_type: str | None = None,
        annotations: Mapping[str, str] | None = None,
        subject: str | Descriptor | None = None,
    ) -> Descriptor:
        """Make an index of artifacts in one repository, and push it there.

        Args:
            destination: the place of the index; without a tag, it is tagged `latest`.
            entries: tags, digests or descriptors of the artifacts, in order.
            tags: further tags to create.
            artifact_type: the type of the index, a media type.
            annotations: the annotations of the index.
            subject: the tag, the digest or the descriptor of a manifest in the same
                repository, to which the index is attached.

        Returns:
            The descriptor of the index.

        Raises:
            NotFoundError: if an entry does not exist.
            OrasError: any error of the registry.

        Example:
            >>> root = client.index("localhost:5001/team/model:all", ["v1", "v2"])
            >>> root.media_type
            'application/vnd.oci.image.index.v1+json'
        """
        from oras_core.content.roots import read_root  # noqa: PLC0415 - few programs make indexes
        from oras_core.verbs.index import create_index  # noqa: PLC0415 - as above

        with self._writing(destination) as located:
            if isinstance(subject, str):
                subject = read_root(located.target, subject)
            root = create_index(
                located.target,
                all_of(entries),
                tags=(located.new_tag() or DEFAULT_TAG, *all_of(tags)),
                artifact_type=artifact_type,
                annotations=annotations,
                subject=subject,
            )
        _LOGGER.info("pushed index %s as %s", located, root.digest)
        return root

    def update_index(
        self,
        source: Destination,
        *,
        remove: str | Platform | Iterable[str | Platform] = (),
        merge: Texts = (),
        add: str | Descriptor | Iterable[str | Descriptor] = (),
        artifact_type: str | None = None,
        annotations: Mapping[str, str] | None = None,
        tags: Texts | None = None,
    ) -> Descriptor:
        """Change an index, and push the new one. The old one stays, under its digest.

        Entries are removed first, then those of other indexes are added, then new ones.

        Args:
            source: the place of the index.
            remove: tags, digests or platforms of entries that exist.
            merge: tags or digests of other indexes in the repository, whose entries to add.
            add: tags, digests or descriptors of artifacts in the repository.
            artifact_type: the new type of the index, a media type; empty for no type, None to
                keep the type.
            annotations: annotations to add.
            tags: the tags of the new index; by default the tag in `source`.

        Returns:
            The descriptor of the new index.

        Raises:
            NotFoundError: if the index or an entry does not exist.
            UnsupportedError: if `source` or a reference in `merge` is not an index.
            OrasError: any error of the registry.

        Example:
            >>> root = client.update_index("localhost:5001/team/model:multi", remove="v2")
            >>> len(client.manifest("localhost:5001/team/model:multi").manifests)
            1
        """
        from oras_core.verbs.index import IndexChange, update_index  # noqa: PLC0415 - as above

        with self._writing(source) as located:
            change = IndexChange(
                all_of(remove), all_of(merge), all_of(add), annotations, artifact_type
            )
            new_tags = None if tags is None else all_of(tags)
            root = update_index(located.target, located.reference, change, tags=new_tags)
        _LOGGER.info("changed index %s to %s", located, root.digest)
        return root
