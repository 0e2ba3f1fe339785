"""Claims on blobs: one of the jobs that need a blob moves it; the others mount it afterwards."""

from __future__ import annotations

from collections.abc import Collection

from oras_core.model.digest import Digest

__all__ = ["Claims"]


class Claims:
    """The blobs that jobs in flight move to registries. Not thread-safe.

    A job claims all its blobs at once or none, so that no two jobs wait for each other.
    """

    def __init__(self) -> None:
        """Begin without claims."""
        self._owners: dict[tuple[str, Digest], str] = {}
        self._claimed: dict[str, list[tuple[str, Digest]]] = {}

    def claim(self, job: str, host: str, digests: Collection[Digest]) -> bool:
        """Claim blobs of the registry `host` for a job; False if another job has one of them."""
        wanted = [(host, digest) for digest in digests]
        if any(self._owners.get(blob, job) != job for blob in wanted):
            return False
        self._owners.update(dict.fromkeys(wanted, job))
        self._claimed[job] = wanted
        return True

    def release(self, job: str) -> None:
        """Release the blobs of a job, which has ended or will be repeated."""
        for blob in self._claimed.pop(job, ()):
            del self._owners[blob]
