"""Describing what is to be pushed, and sending it meanwhile where that is likely to pay."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Final

from oras_core.cancellation import CancelToken
from oras_core.content.verify import describe_source
from oras_core.copying.crew import CancellableSource
from oras_core.errors import NotFoundError, OrasError
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import ByteSource, Ingester, ReferenceFetcher

__all__ = ["Describer", "is_large"]

INGESTION_SIZE: Final = 32 * 1024 * 1024
"""Bytes from which on hashing, or packing, takes longer than the requests that hide it."""


class Describer:
    """Describes sources. Large ones, if the destination seems to lack them, are sent meanwhile.

    What is pushed once more, under the same tag, is hashed first: most of it will be there.
    """

    def __init__(self, destination: object, reference: str | None, token: CancelToken) -> None:
        """Describe what goes to `destination`, under the tag `reference`; `token` ends it."""
        self._destination = destination
        self._reference = reference
        self._token = token
        self.named: Descriptor | None = None
        """What the tag names so far, if that had to be asked for."""

    def __call__(self, source: ByteSource, media_type: str) -> Descriptor:
        """Return the descriptor of `source`; raises what the source raises."""
        destination = self._destination
        if (
            is_large(source)
            and isinstance(destination, Ingester)
            and not self._seems_to_be_there(source.size)
        ):
            return destination.ingest(CancellableSource(source, self._token), media_type)
        return describe_source(source, media_type)

    def packed_sender(self, size: int) -> Callable[[ByteSource, str], Descriptor] | None:
        """Return what sends the archive of `size` bytes of files while they are being packed.

        None where that is not likely to pay. What the archive will be nobody knows before:
        so it is for a tag that names nothing yet.
        """
        destination = self._destination
        if (
            size < INGESTION_SIZE
            or not isinstance(destination, Ingester)
            or self._seems_to_be_there is not _never
        ):
            return None
        return lambda source, media_type: destination.ingest(
            CancellableSource(source, self._token), media_type
        )

    @cached_property
    def _seems_to_be_there(self) -> Callable[[int | None], bool]:
        """Whether something of this size is part of what the tag names now."""
        if self._reference is None or not isinstance(self._destination, ReferenceFetcher):
            return _never
        try:
            self.named, content = self._destination.fetch_reference(self._reference)
            successors = codec.decode(content, self.named.media_type).successors
        except NotFoundError:
            return _never
        except OrasError:
            return _always  # what is wrong shows in what follows
        return frozenset(descriptor.size for descriptor in successors).__contains__


def is_large(source: ByteSource) -> bool:
    """Tell whether hashing `source` takes its time."""
    return source.size is not None and source.size >= INGESTION_SIZE


def _never(_: int | None) -> bool:
    return False


def _always(_: int | None) -> bool:
    return True
