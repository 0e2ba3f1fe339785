"""Update the lists of referrers once for the pushes of a whole copy (R30)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Final

from oras_core.cancellation import CancelToken, current_token
from oras_core.errors import OrasError
from oras_core.forks import ForkSafeLock
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest

if TYPE_CHECKING:
    from oras_core.registry.manifests import PushedManifest
    from oras_core.registry.referrers import ReferrersClient

__all__ = ["ReferrersBatch"]

THREADS: Final = 16
"""Lists that are updated at the same time: most of an update is waiting."""


class ReferrersBatch:
    """Collects entries of lists that clients maintain, and writes each list once. Thread-safe."""

    def __init__(self, referrers: Callable[[], ReferrersClient]) -> None:
        """Update lists by what `referrers` returns; it is called with the first manifest."""
        self._referrers = referrers
        self._pending: dict[Digest, list[Descriptor]] = {}
        self._lock = ForkSafeLock()

    def __enter__(self) -> None:
        """Begin a block, at whose end the lists are written."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the lists; after an error as far as possible, so that what was pushed is listed."""
        with suppress(OrasError) if kind else nullcontext():
            self.flush()

    def note(self, pushed: PushedManifest, content: bytes) -> None:
        """Remember the entry of a pushed manifest.

        Raises: as `ReferrersClient.missing_entry`.
        """
        entry = self._referrers().missing_entry(pushed, content)
        if entry is not None:
            with self._lock:
                self._pending.setdefault(entry.subject, []).append(entry.referrer)

    def flush(self) -> None:
        """Write all lists with remembered entries.

        Raises: as `ReferrersClient.add`; a list that fails does not stop the others.
        """
        with self._lock:
            pending, self._pending = self._pending, {}
        if len(pending) < 2:
            for subject, entries in pending.items():
                self._referrers().add(subject, entries)
            return
        token = CancelToken(current_token())

        def add(subject: Digest) -> None:
            with token.scope():
                self._referrers().add(subject, pending[subject])

        try:
            with ThreadPoolExecutor(THREADS, thread_name_prefix="oras-referrers") as pool:
                updates = [pool.submit(add, subject) for subject in pending]
                try:
                    for update in updates:
                        update.exception()  # waits
                except BaseException:
                    token.cancel()
                    raise
        finally:
            token.close()
        for update in updates:
            update.result()
