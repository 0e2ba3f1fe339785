"""Manifests that a registry refuses although it has their blobs (R37).

While another client writes one of the blobs again, some registries cannot read it for a moment.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection, Sequence
from typing import Final, TypeVar

from oras_core.cancellation import sleep
from oras_core.errors import InvalidManifestError, RegistryError
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor

__all__ = ["prerequisites", "put_when_settled"]

_logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_ATTEMPTS: Final = 5
"""PUT requests for one manifest."""

MAX_LOOKS: Final = 2
"""Looks for the blobs, one after the other, that may miss one before the manifest fails."""

PAUSE_SECONDS: Final = 0.05
"""The longest first pause in seconds; each further one may be twice as long."""

_MISSING: Final = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "DIGEST_INVALID"})
"""Codes for a blob whose link is missing, or is empty while it is written."""


def put_when_settled(
    put: Callable[[], T],
    blobs: Callable[[], Collection[Descriptor] | None],
    exists: Callable[[Descriptor], bool],
    *,
    sleep: Callable[[float], object] = sleep,
    chance: Callable[[], float] = random.random,
) -> T:
    """Return the result of `put`, which is repeated while all blobs exist.

    Args:
        put: stores the manifest.
        blobs: returns everything that must exist before the manifest; None if unknown.
        exists: tells whether the repository has one of them.
        sleep: waits for a number of seconds.
        chance: a random number from 0 to 1, so that clients do not retry at the same time.

    Raises:
        RegistryError: the last refusal, if a blob is missing or the attempts are used up.
    """
    pause = PAUSE_SECONDS
    for attempt in range(1, MAX_ATTEMPTS):
        try:
            return put()
        except RegistryError as error:
            if not _MISSING.intersection(error.codes):
                raise
            needed = blobs()
            if needed is None:
                raise
            _logger.info("looking for the blobs before attempt %d: %s", attempt + 1, error)
            for _ in range(MAX_LOOKS):
                sleep(pause * (0.5 + 0.5 * chance()))
                pause *= 2
                if all(map(exists, needed)):
                    break
            else:
                raise
    return put()


def prerequisites(content: bytes, media_type: str) -> Sequence[Descriptor] | None:
    """Return everything that must exist before a manifest, except its subject.

    None for a document that this library cannot read.
    """
    try:
        document = codec.decode(content, media_type)
    except InvalidManifestError:
        return None
    return [node for node in document.successors if node != document.subject]
