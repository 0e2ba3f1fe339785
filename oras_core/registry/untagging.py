"""Remove a tag and leave its manifest, also where the registry deletes by digest only (R34)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final
from uuid import uuid4

from oras_core.errors import (
    AccessDeniedError,
    AuthenticationError,
    NotFoundError,
    OrasError,
    RegistryError,
    UnsupportedError,
)
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.ports.http import HttpTransport
from oras_core.registry.deletion import delete_manifest, delete_tag
from oras_core.registry.endpoints import RepositoryEndpoints
from oras_core.registry.manifests import ManifestClient

__all__ = ["TagRemover"]

_logger = logging.getLogger(__name__)

PLACEHOLDER: Final = "io.oras-sdk.placeholder"
"""The annotation that makes a placeholder unique."""

MAX_TAGS: Final = 1000
"""Tags that are resolved to name those of a manifest in an error."""


class TagRemover:
    """Removes tags of one repository. Thread-safe."""

    def __init__(
        self,
        transport: HttpTransport,
        endpoints: RepositoryEndpoints,
        manifests: ManifestClient,
        *,
        list_tags: Callable[[], Iterable[str]],
    ) -> None:
        """Send requests through `transport`; read and write manifests by `manifests`."""
        self._transport = transport
        self._endpoints = endpoints
        self._manifests = manifests
        self._list_tags = list_tags

    def remove(self, tag: str) -> None:
        """Remove a tag; its manifest and other tags of it stay.

        If the registry refuses to delete tags, the tag is pointed at a placeholder, a unique
        empty index, which is then deleted by its digest.

        Raises:
            NotFoundError: if there is no such tag.
            UnsupportedError: if the registry allows neither; the message names the other
                tags of the manifest, which a delete by digest would remove.
            InvalidReferenceError: if `tag` is not a tag.
        """
        try:
            delete_tag(self._transport, self._endpoints, tag)
        except UnsupportedError as error:
            _logger.debug("removing a tag by a placeholder: %s", error)
        except NotFoundError as error:
            # The registry may have looked for a digest of that name.
            _logger.debug("looking for the tag: %s", error)
        else:
            return
        descriptor, content = self._manifests.fetch_reference(tag)
        self._replace_and_delete(tag, descriptor, content)

    def _replace_and_delete(self, tag: str, descriptor: Descriptor, content: bytes) -> None:
        placeholder = codec.encode_index(manifests=(), annotations={PLACEHOLDER: str(uuid4())})
        try:
            self._manifests.push(placeholder.content, placeholder.media_type, tag)
        except (AuthenticationError, AccessDeniedError):
            raise
        except RegistryError as error:
            raise self._unsupported(tag, descriptor) from error
        try:
            delete_manifest(self._transport, self._endpoints, placeholder.digest)
        except OrasError as error:
            self._manifests.push(content, descriptor.media_type, tag)
            if isinstance(error, UnsupportedError | NotFoundError):
                raise self._unsupported(tag, descriptor) from error
            raise

    def _unsupported(self, tag: str, descriptor: Descriptor) -> UnsupportedError:
        others = ", ".join(self._other_tags(tag, descriptor))
        besides = f", and with it the tags {others}" if others else ""
        return UnsupportedError(
            f"remove tag {tag} from {self._endpoints.name}",
            f"the registry does not delete tags; delete {descriptor.digest} to remove the "
            f"manifest{besides}",
        )

    def _other_tags(self, tag: str, descriptor: Descriptor) -> Iterator[str]:
        try:
            for other in islice(self._list_tags(), MAX_TAGS):
                if other != tag and self._names(other, descriptor):
                    yield other
        except OrasError as error:
            _logger.debug("other tags are unknown: %s", error)

    def _names(self, tag: str, descriptor: Descriptor) -> bool:
        try:
            return self._manifests.resolve(tag).digest == descriptor.digest
        except NotFoundError:
            return False
