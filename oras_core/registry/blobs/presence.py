"""Whether a repository already has a blob.

An existing blob must not be written again: some registries rewrite its link for that, not
atomically, so that other clients miss the blob for a moment (R37). A HEAD before each upload
prevents this. A new repository has no blobs, so most HEADs can be saved there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from oras_core.cancellation import acquired
from oras_core.errors import RegistryError, TransportError
from oras_core.forks import ForkSafeLock
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.media_types import EMPTY_CONFIG
from oras_core.ports.http import HttpRequest, HttpTransport
from oras_core.registry.endpoints import RepositoryEndpoints
from oras_core.registry.responses import exchange

__all__ = ["BlobPresence"]

_logger = logging.getLogger(__name__)

NEW_SECONDS: Final = 10.0
"""Seconds for which a repository counts as new. Then the client lists its tags again."""

FEW: Final = 2
"""Blobs of a copy that are all looked for: the list of tags would save at most one HEAD."""


def _is_common(descriptor: Descriptor) -> bool:
    """Tell whether other clients probably push the same blob: a config, or an empty blob."""
    return descriptor.size <= len(EMPTY_CONFIG) or descriptor.media_type.endswith("json")


class BlobPresence:
    """Looks for blobs in one repository with as few requests as possible. Thread-safe.

    The first blob is looked for by HEAD. If it is missing, the list of tags tells whether the
    repository is new. If so, only blobs that many artifacts share are looked for, until the
    first manifest is stored. A copy gets the list of tags before its first blob, since one
    request then replaces a HEAD for each blob. A copy of few blobs looks for all of them at the
    same time, without the list.
    """

    def __init__(
        self,
        transport: HttpTransport,
        endpoints: RepositoryEndpoints,
        exists: Callable[[Digest], bool],
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look for blobs by `exists`, and for tags through `transport`.

        `now` returns seconds from a fixed time.
        """
        self._transport = transport
        self._endpoints = endpoints
        self._exists = exists
        self._now = now
        self._lock = ForkSafeLock()
        # Other threads push manifests while a request of `has` holds the lock above.
        self._noting = ForkSafeLock()
        self._new_until: float | None = None  # 0.0: the repository has content
        self._expected = 0
        self._stored: set[Digest] = set()

    def has(self, descriptor: Descriptor) -> bool:
        """Tell whether the repository has the blob.

        Raises:
            RegistryError: if the registry fails to answer the question.
            TransportError: if the registry does not respond.
        """
        if self._new_until == 0.0 or 0 < self._expected <= FEW:
            return self._look(descriptor)
        with acquired(self._lock):
            if self._new_until is None and (_is_common(descriptor) or not self._expected):
                found = self._look(descriptor)
                if not found:
                    self._ask()  # now, since an upload may create the repository
                return found
            if self._new_until is None or 0.0 < self._new_until <= self._now():
                self._ask()
            is_certain = self._new_until != 0.0 and self._is_unshared(descriptor)
        return not is_certain and self._look(descriptor)

    def expect(self, blobs: int) -> None:
        """Record that a copy begins, which will look for so many blobs."""
        with self._noting:
            self._expected += blobs

    def note_content(self) -> None:
        """Record that the repository is not new."""
        with self._noting:
            self._new_until = 0.0
            self._stored.clear()

    def note_stored(self, digest: Digest) -> None:
        """Record that this client uploaded a blob."""
        with self._noting:
            if self._new_until != 0.0:
                self._stored.add(digest)

    def _look(self, descriptor: Descriptor) -> bool:
        found = self._exists(descriptor.digest)
        if found:
            self.note_content()
        return found

    def _is_unshared(self, descriptor: Descriptor) -> bool:
        return not _is_common(descriptor) and descriptor.digest not in self._stored

    def _ask(self) -> None:
        """Find out whether the repository is new: the registry does not know its tags then."""
        operation = f"look for the repository {self._endpoints.name}"
        request = HttpRequest("GET", self._endpoints.tags(1))
        try:
            exchange(self._transport, request, operation).close()
        except RegistryError as error:
            if error.status == 404 and "NAME_UNKNOWN" in error.codes:
                with self._noting:
                    if self._new_until != 0.0:
                        self._new_until = self._now() + NEW_SECONDS
                return
        except TransportError as error:
            _logger.debug("treated as not new: %s", error)
        self.note_content()
