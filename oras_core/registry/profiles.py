"""Deviations of registries from the distribution spec (R15).

The defaults follow the spec. A few hosts are known to differ. Other deviations are learned from
responses, so a request that the registry refuses is not repeated.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve, field, frozen, validators

from oras_core.forks import ForkSafeLock
from oras_core.model.hosts import canonical_registry
from oras_core.model.values import Value

__all__ = ["HostProfile", "LearnedProfile", "profile_for"]

MiB: Final = 1024 * 1024

CHUNK_SIZE: Final = 16 * MiB
"""Size of a chunk of an upload in bytes. No header reports the maximum of a registry (R16)."""

GHCR_CHUNK_SIZE: Final = 4 * MiB
"""Size of a chunk for ghcr.io in bytes; larger ones are refused with 416 (R15)."""

ECR_PAGE_SIZE: Final = 1000
"""Tags per page for ECR; more are refused (R27)."""

MAX_CHUNK_SIZE: Final = 128 * MiB
"""Largest size of a chunk in bytes, since a whole chunk may have to be sent again."""


@frozen(eq=False, repr=False)
class HostProfile(Value):
    """The known abilities of a registry.

    Attributes:
        chunked: whether blobs are sent in chunks by default.
        accepts_chunks: whether chunks are allowed. If not, blobs are sent whole, even if the
            caller wants chunks.
        chunk_size: the default size of a chunk, in bytes.
        max_chunk_size: the largest size of a chunk, in bytes.
        max_whole_size: the most bytes of one request; larger blobs are sent in chunks. None
            if no limit is known.
        probes_by_mount: whether an upload starts with a mount from the repository itself,
            which finds an existing blob and starts the upload in one request (R21). Some
            registries rewrite the existing blob for that, so that other clients may miss it
            (R37). If not, a HEAD looks for the blob first.
        takes_streams: whether one PATCH may send a whole blob before its digest is known.
        max_page_size: the most tags per page; None if no limit is known.
        denies_by_head: whether 404 to HEAD means that a manifest is absent; None if unknown
            (R23).
        describes_by_head: whether 200 to HEAD describes the manifest that GET serves; False
            once it did not (R23).
        takes_tags: whether the URL of a manifest by digest may name tags to create; None if
            unknown (R24).
        range_connections: the most connections over which one large blob is fetched; 1 for
            no ranges.
    """

    chunked: bool = False
    accepts_chunks: bool = True
    chunk_size: int = field(default=CHUNK_SIZE, validator=validators.gt(0))
    max_chunk_size: int = field(default=MAX_CHUNK_SIZE, validator=validators.gt(0))
    max_whole_size: int | None = None
    probes_by_mount: bool = False
    takes_streams: bool = True
    max_page_size: int | None = None
    denies_by_head: bool | None = None
    describes_by_head: bool = True
    takes_tags: bool | None = None
    range_connections: int = field(default=4, validator=validators.ge(1))

    def chunk_for(self, size: int, wanted: int | None) -> int | None:
        """Return the chunk size in bytes for a blob of `size` bytes; None to send it whole.

        Args:
            size: the size of the blob in bytes.
            wanted: the chunk size that the caller wants; None for the default.
        """
        too_large = self.max_whole_size is not None and size > self.max_whole_size
        if not self.accepts_chunks or not (self.chunked or wanted or too_large):
            return None
        return min(wanted or self.chunk_size, self.max_chunk_size)


_AMAZON: Final = (".amazonaws.com", ".amazonaws.com.cn", ".on.aws", ".on.amazonwebservices.com.cn")


def _whole_only(host: str) -> bool:
    # R14, R15: gcr.io has regional hosts such as eu.gcr.io.
    return host in ("public.ecr.aws", "gcr.io") or host.endswith((".gcr.io", ".pkg.dev", *_AMAZON))


def profile_for(registry: str) -> HostProfile:
    """Return the built-in profile of `registry`, which is `HOST` or `HOST:PORT`."""
    host = canonical_registry(registry).partition(":")[0]
    if host == "ghcr.io":
        return HostProfile(
            chunk_size=GHCR_CHUNK_SIZE, max_chunk_size=GHCR_CHUNK_SIZE, takes_streams=False
        )
    if _whole_only(host):
        is_ecr = host.endswith(_AMAZON) or host == "public.ecr.aws"
        return HostProfile(
            accepts_chunks=False,
            takes_streams=False,
            max_page_size=ECR_PAGE_SIZE if is_ecr else None,
        )
    return HostProfile()


class LearnedProfile:
    """A profile that is updated from responses of the registry. Thread-safe."""

    def __init__(self, profile: HostProfile) -> None:
        """Start from a built-in or configured profile."""
        self._profile = profile
        self._lock = ForkSafeLock()

    @property
    def current(self) -> HostProfile:
        """The profile with all updates so far."""
        return self._profile

    def learn_no_mount_probe(self) -> None:
        """Record that a mount from the repository itself was refused."""
        with self._lock:
            self._profile = evolve(self._profile, probes_by_mount=False)

    def learn_no_chunks(self) -> None:
        """Record that chunks were refused, and the same blob was accepted whole."""
        with self._lock:
            self._profile = evolve(self._profile, accepts_chunks=False)

    def learn_no_streams(self) -> None:
        """Record that a whole blob in one PATCH was refused."""
        with self._lock:
            self._profile = evolve(self._profile, takes_streams=False)

    def learn_no_ranges(self) -> None:
        """Record that the server of the blobs ignores `Range`."""
        with self._lock:
            self._profile = evolve(self._profile, range_connections=1)

    def learn_too_large(self, size: int) -> None:
        """Record that a request of `size` bytes was too large, and chunks were accepted."""
        with self._lock:
            known = self._profile.max_whole_size
            limit = size - 1 if known is None else min(known, size - 1)
            self._profile = evolve(self._profile, max_whole_size=limit)

    def learn_denies_by_head(self, *, denies: bool) -> None:
        """Record whether a 404 to HEAD was right."""
        with self._lock:
            self._profile = evolve(self._profile, denies_by_head=denies)

    def learn_misdescribes_by_head(self) -> None:
        """Record that an answer to HEAD described another manifest than GET serves."""
        with self._lock:
            self._profile = evolve(self._profile, describes_by_head=False)

    def learn_takes_tags(self, *, takes: bool) -> None:
        """Record whether the URL of a manifest by digest may name tags."""
        with self._lock:
            self._profile = evolve(self._profile, takes_tags=takes)
