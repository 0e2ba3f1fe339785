"""Write a list of referrers so that no client's entry is lost (R30).

The protocol has no conditional write: a client may overwrite what another one wrote since its
read. Against that, each client

- writes at once after its read, or reads again;
- reads the list again until it no longer changes, longer if others write as well;
- restores entries of others that it saw and that vanish: their clients may have ended.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from random import SystemRandom
from typing import Final

from oras_core.cancellation import sleep
from oras_core.model.descriptor import Descriptor
from oras_core.registry.referrers_list import ReferrersList
from oras_core.registry.referrers_memory import ListChange

__all__ = ["ListUpdate"]

_logger = logging.getLogger(__name__)

_RANDOM: Final = SystemRandom()
"""Without a state: processes that were forked from one do not choose the same pauses."""

MAX_ATTEMPTS: Final = 30
"""Attempts to write a list; another client may overwrite it each time."""

SETTLING: Final = 0.4
"""Minimum seconds without a change of a written list: another client that read the
list before this one wrote it may need that long to overwrite it."""

SLOWNESS: Final = 6.0
"""By how much others may be slower than this client, which waits longer if it is slow itself."""

MAX_SETTLING: Final = 10.0
"""The longest such time in seconds."""

CALM_READS: Final = 3
"""Equal lists, one after the other, that a client must read if others write the list too. Two
are enough if it saw no other client."""

MAX_READS: Final = 30
"""Times that a written list is read back while others add to it."""

BACKOFF: Final = 0.05
"""Seconds before the second attempt to write a list, at most; each further one adds as much."""

FRESH: Final = 0.1
"""Seconds after a read within which the list must be written."""

MAX_READS_BEFORE: Final = 5
"""Reads before a busy machine writes a list although its read is not fresh."""

EMPTY_READS: Final = 4
"""Reads that find no list although there was one, until it is gone: distribution denies to have
a tag while another client writes it. If there was none before, two are enough."""

MAX_RESTORED: Final = 64
"""Vanished entries whose manifests are looked for: more were removed on purpose."""


class ListUpdate:
    """One client's change of one list. For one thread."""

    def __init__(
        self,
        read: Callable[[], ReferrersList],
        write: Callable[[ReferrersList], object],
        exists: Callable[[Descriptor], bool],
    ) -> None:
        """Change the list that `read` returns and `write` replaces.

        `exists` tells whether the repository has a manifest.
        """
        self._read_once = read
        self._write = write
        self._exists = exists
        self._seen = ReferrersList.empty()
        self._slowest = 0.0
        self._others_write = False

    def run(self, change: ListChange) -> bool:
        """Write the changed list until the change lasts; tell whether it does.

        Raises: what `read`, `write` and `exists` raise.
        """
        change(ReferrersList.empty()).encode()  # loads all code before the first list is read
        for attempt in range(MAX_ATTEMPTS):
            # Clients that were in one another's way must not meet again.
            sleep(_RANDOM.uniform(0, BACKOFF * attempt))
            present, wanted, started = self._read_fresh(change)
            if wanted != present:
                self._write(wanted)
                self._note(wanted)
                self._slowest = max(self._slowest, time.monotonic() - started)
            elif attempt == 0:
                return True
            if self._lasts(change):
                return True
            _logger.debug("another client has overwritten the list")
        return False

    def _read_fresh(self, change: ListChange) -> tuple[ReferrersList, ReferrersList, float]:
        """Return the list, the changed list, and when the list was requested."""
        reads = 0
        while True:
            started = time.monotonic()
            present = self._read()
            received = time.monotonic()
            wanted = self._changed(present, change)
            reads += 1
            if time.monotonic() - received < FRESH or reads == MAX_READS_BEFORE:
                return present, wanted, started

    def _read(self) -> ReferrersList:
        listed = self._read_once()
        reads = 1
        while not listed.entries and reads < (EMPTY_READS if self._seen.entries else 2):
            sleep(SETTLING * _RANDOM.uniform(0.1, 0.5))
            listed = self._read_once()
            reads += 1
        return listed

    def _changed(self, listed: ReferrersList, change: ListChange) -> ReferrersList:
        """Return a list with the change, and with entries of others that were overwritten."""
        vanished = self._seen.entries_absent_from(listed)
        lost = [e for e in vanished[:MAX_RESTORED] if self._exists(e)]
        self._seen = self._seen.without(*(e.digest for e in vanished if e not in lost))
        self._note(listed)
        return change(listed.with_entries_of(self._seen))

    def _note(self, listed: ReferrersList) -> None:
        self._seen = listed.with_entries_of(self._seen)

    def _lasts(self, change: ListChange) -> bool:
        """Read the list until it no longer changes; return whether it still has the change."""
        settling = min(max(SETTLING, SLOWNESS * self._slowest), MAX_SETTLING)
        before: ReferrersList | None = None
        equal = 0
        for _ in range(MAX_READS):
            listed = self._read()
            if self._changed(listed, change) != listed:
                self._others_write = True
                return False
            equal = equal + 1 if listed == before else 1
            self._others_write |= before is not None and equal == 1
            if equal == (CALM_READS if self._others_write else 2):
                break
            before = listed
            sleep(settling * _RANDOM.uniform(1, 2))
        return True
