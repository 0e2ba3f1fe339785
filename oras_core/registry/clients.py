"""The clients of one repository by subject, each imported and made on first use.

A program that lists tags loads nothing of uploads, manifests or referrers.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from oras_core.lazy import made_once
from oras_core.model.limits import Limits
from oras_core.ports.http import HttpTransport
from oras_core.registry.endpoints import RepositoryEndpoints
from oras_core.registry.profiles import LearnedProfile
from oras_core.registry.referrers_memory import ReferrersMemory

if TYPE_CHECKING:
    from oras_core.registry.blobs.download import BlobDownloader
    from oras_core.registry.blobs.presence import BlobPresence
    from oras_core.registry.blobs.upload import BlobUploader
    from oras_core.registry.manifests import ManifestClient
    from oras_core.registry.referrers import ReferrersClient
    from oras_core.registry.referrers_batch import ReferrersBatch
    from oras_core.registry.storing import ManifestStorer
    from oras_core.registry.untagging import TagRemover

__all__ = ["RepositoryClients"]


class RepositoryClients:
    """The parts of a `RemoteRepository`. Thread-safe."""

    def __init__(
        self,
        transport: HttpTransport,
        endpoints: RepositoryEndpoints,
        profile: LearnedProfile,
        limits: Limits,
        *,
        memory: ReferrersMemory,
    ) -> None:
        """Send requests through `transport`; the other arguments are those of the repository."""
        self._transport = transport
        self._endpoints = endpoints
        self._profile = profile
        self._limits = limits
        self._memory = memory

    @made_once
    def downloader(self) -> BlobDownloader:
        """Reads blobs."""
        from oras_core.registry.blobs.download import BlobDownloader

        return BlobDownloader(self._transport, self._endpoints, self._profile)

    @made_once
    def uploader(self) -> BlobUploader:
        """Writes blobs."""
        from oras_core.registry.blobs.upload import BlobUploader

        return BlobUploader(self._transport, self._endpoints, self._profile, presence=self.presence)

    @made_once
    def presence(self) -> BlobPresence:
        """Looks for blobs."""
        from oras_core.registry.blobs.presence import BlobPresence

        return BlobPresence(
            self._transport,
            self._endpoints,
            lambda digest: self.downloader.exists(digest),  # noqa: PLW0108 - made on first use
        )

    @made_once
    def manifests(self) -> ManifestClient:
        """Reads and writes manifests."""
        from oras_core.registry.manifests import ManifestClient

        return ManifestClient(self._transport, self._endpoints, self._limits, self._profile)

    @made_once
    def referrers(self) -> ReferrersClient:
        """Reads and writes lists of referrers."""
        from oras_core.registry.referrers import ReferrersClient

        return ReferrersClient(
            self._transport,
            self._endpoints,
            self.manifests,
            memory=self._memory,
            limits=self._limits,
        )

    @made_once
    def storer(self) -> ManifestStorer:
        """Stores manifests whose blobs the registry has."""
        from oras_core.registry.storing import ManifestStorer

        return ManifestStorer(
            self.manifests, self.uploader, self.downloader, self._profile, self._limits
        )

    def new_tag_remover(self, list_tags: Callable[[], Iterable[str]]) -> TagRemover:
        """Return what removes tags. It is not kept: `list_tags` belongs to the repository."""
        from oras_core.registry.untagging import TagRemover

        return TagRemover(self._transport, self._endpoints, self.manifests, list_tags=list_tags)

    def new_batch(self) -> ReferrersBatch:
        """Return a batch that updates the lists of referrers once for a whole copy."""
        from oras_core.registry.referrers_batch import ReferrersBatch

        return ReferrersBatch(lambda: self.referrers)
