"""Describe sources for a push, and upload large ones while they are hashed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from oras_core.cancellation import CancelToken, acquired
from oras_core.content.verify import describe_source
from oras_core.copying.tracing import CancellableSource
from oras_core.errors import NotFoundError, OrasError
from oras_core.forks import ForkSafeLock
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import ByteSource, Ingester, ReferenceFetcher
from oras_core.threads import can_start_threads

__all__ = ["Describer", "is_large"]

INGESTION_SIZE: Final = 32 * 1024 * 1024
"""Bytes from which hashing or packing takes longer than the extra requests of an upload."""


class Describer:
    """Describes sources, and uploads large ones if the destination seems to lack them.

    A push to an existing tag hashes first, because most of its blobs will be present.
    """

    def __init__(self, destination: object, reference: str | None, token: CancelToken) -> None:
        """Describe sources for `destination` and the tag `reference`; `token` cancels uploads."""
        # An upload that overlaps with hashing needs a thread.
        self._destination = destination if can_start_threads() else None
        self._reference = reference
        self._token = token
        self._lock = ForkSafeLock()
        self._is_present: Callable[[int | None], bool] | None = None
        self.named: Descriptor | None = None
        """The current manifest of the tag, if it was fetched."""

    def __call__(self, source: ByteSource, media_type: str) -> Descriptor:
        """Return the descriptor of `source`; raise the errors of the source."""
        destination = self._destination
        if (
            is_large(source)
            and isinstance(destination, Ingester)
            and not self._seems_to_be_there()(source.size)
        ):
            return destination.ingest(CancellableSource(source, self._token), media_type)
        return describe_source(source, media_type)

    def packed_sender(self, size: int) -> Callable[[ByteSource, str], Descriptor] | None:
        """Return a function that uploads an archive while it is packed; None if not worthwhile.

        The digest of the archive is unknown before, so this is only used for a new tag.

        Args:
            size: total size of the files, in bytes.
        """
        destination = self._destination
        if (
            size < INGESTION_SIZE
            or not isinstance(destination, Ingester)
            or self._seems_to_be_there() is not _never
        ):
            return None
        return lambda source, media_type: destination.ingest(
            CancellableSource(source, self._token), media_type
        )

    def _seems_to_be_there(self) -> Callable[[int | None], bool]:
        """Tell whether the current manifest of the tag has a blob of this size."""
        # Other threads of this push wait for the answer; those of other pushes do not.
        with acquired(self._lock):
            if self._is_present is None:
                self._is_present = self._look()
            return self._is_present

    def _look(self) -> Callable[[int | None], bool]:
        if self._reference is None or not isinstance(self._destination, ReferenceFetcher):
            return _never
        try:
            self.named, content = self._destination.fetch_reference(self._reference)
            successors = codec.decode(content, self.named.media_type).successors
        except NotFoundError:
            return _never
        except OrasError:
            return _always  # the push itself will raise the error
        return frozenset(descriptor.size for descriptor in successors).__contains__


def is_large(source: ByteSource) -> bool:
    """Tell whether `source` is large enough to upload while it is hashed."""
    return source.size is not None and source.size >= INGESTION_SIZE


def _never(_: int | None) -> bool:
    return False


def _always(_: int | None) -> bool:
    return True
