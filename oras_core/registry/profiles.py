"""What a registry can do beyond, or short of, the distribution spec (R15).

The defaults are what the spec promises; a few hosts are known to differ; the rest is
learned from a registry's answers, so that one refusal is paid for once.
"""

from __future__ import annotations

import threading
from typing import Final

from attrs import evolve, field, frozen, validators

__all__ = ["HostProfile", "LearnedProfile", "profile_for"]

MiB: Final = 1024 * 1024

CHUNK_SIZE: Final = 16 * MiB
"""Bytes of a chunk of an upload: no header says what a registry takes at most (R16)."""

GHCR_CHUNK_SIZE: Final = 4 * MiB
"""More is answered with 416 (R15)."""

ECR_PAGE_SIZE: Final = 1000
"""Tags of a page: more is refused (R27)."""

MAX_CHUNK_SIZE: Final = 128 * MiB
"""What a caller or a registry asks for at most: all of a chunk may have to be sent again."""


@frozen
class HostProfile:
    """What is known of a registry.

    Attributes:
        chunked: whether blobs are sent in chunks even though nobody asked for it.
        accepts_chunks: whether they may be at all; without it they go whole, whatever was
            asked for.
        chunk_size: bytes of a chunk, where the caller names no size.
        max_chunk_size: bytes of a chunk at most.
        max_whole_size: bytes that one request may carry; larger blobs go in chunks. None
            for no known limit.
        probes_by_mount: whether an upload begins with a mount from the repository itself,
            which finds a blob that exists for the price of beginning the upload (R21). A
            registry that does not know mounts begins the upload, by the spec. Without it
            the blob is looked for first.
        takes_streams: whether a whole blob may come in one PATCH, before its digest is known.
        max_page_size: tags of a page that may be asked for at most; None for no known
            limit.
    """

    chunked: bool = False
    accepts_chunks: bool = True
    chunk_size: int = field(default=CHUNK_SIZE, validator=validators.gt(0))
    max_chunk_size: int = field(default=MAX_CHUNK_SIZE, validator=validators.gt(0))
    max_whole_size: int | None = None
    probes_by_mount: bool = True
    takes_streams: bool = True
    max_page_size: int | None = None

    def chunk_for(self, size: int, wanted: int | None) -> int | None:
        """Return the bytes of a chunk for a blob of `size` bytes; None to send it whole.

        Args:
            size: of the blob.
            wanted: the size of a chunk that the caller asks for; None where they do not.
        """
        too_large = self.max_whole_size is not None and size > self.max_whole_size
        if not self.accepts_chunks or not (self.chunked or wanted or too_large):
            return None
        return min(wanted or self.chunk_size, self.max_chunk_size)


def _whole_only(host: str) -> bool:
    # R14, R15: gcr.io has regional forms such as eu.gcr.io, the other two are always suffixes.
    return host in ("public.ecr.aws", "gcr.io") or host.endswith(
        (".gcr.io", ".pkg.dev", ".amazonaws.com", ".amazonaws.com.cn")
    )


def profile_for(registry: str) -> HostProfile:
    """Return what is known of `registry`, `HOST` or `HOST:PORT`, before it was asked anything."""
    host = registry.rpartition(":")[0] or registry
    if host == "ghcr.io":
        return HostProfile(
            chunk_size=GHCR_CHUNK_SIZE, max_chunk_size=GHCR_CHUNK_SIZE, takes_streams=False
        )
    if _whole_only(host):
        is_ecr = "amazonaws.com" in host or host == "public.ecr.aws"
        return HostProfile(
            accepts_chunks=False,
            takes_streams=False,
            max_page_size=ECR_PAGE_SIZE if is_ecr else None,
        )
    return HostProfile()


class LearnedProfile:
    """A profile that the registry's answers correct. Thread-safe."""

    def __init__(self, profile: HostProfile) -> None:
        """Start from what is known."""
        self._profile = profile
        self._lock = threading.Lock()

    @property
    def current(self) -> HostProfile:
        """What is known by now."""
        return self._profile

    def learn_no_mount_probe(self) -> None:
        """A mount from the repository itself was answered with an error."""
        with self._lock:
            self._profile = evolve(self._profile, probes_by_mount=False)

    def learn_no_chunks(self) -> None:
        """Chunks were refused, and the same blob was taken whole."""
        with self._lock:
            self._profile = evolve(self._profile, accepts_chunks=False)

    def learn_no_streams(self) -> None:
        """A whole blob in one PATCH was refused."""
        with self._lock:
            self._profile = evolve(self._profile, takes_streams=False)

    def learn_too_large(self, size: int) -> None:
        """A request of `size` bytes was refused as too large, and chunks were taken."""
        with self._lock:
            known = self._profile.max_whole_size
            limit = size - 1 if known is None else min(known, size - 1)
            self._profile = evolve(self._profile, max_whole_size=limit)
