"""Store manifests, and note them in the lists of referrers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Final

from oras_core.content.verify import read_verified
from oras_core.errors import RegistryError
from oras_core.model.descriptor import Descriptor
from oras_core.model.limits import Limits
from oras_core.ports.content import ByteSource
from oras_core.registry.blobs.download import BlobDownloader
from oras_core.registry.blobs.upload import BlobUploader
from oras_core.registry.manifests import ManifestClient, PushedManifest
from oras_core.registry.profiles import LearnedProfile
from oras_core.registry.settling import prerequisites, put_when_settled

__all__ = ["ManifestStorer", "NotePush"]

NotePush = Callable[[PushedManifest, bytes], None]
"""Notes a pushed manifest and its bytes in the list of referrers of its subject."""

_TAGS_REFUSED: Final = (400, 404, 405, 414)
"""Statuses of registries that take no tags in the URL of a digest, or not so many."""


class ManifestStorer:
    """Stores manifests of one repository. Thread-safe."""

    def __init__(
        self,
        manifests: ManifestClient,
        uploader: BlobUploader,
        downloader: BlobDownloader,
        profile: LearnedProfile,
        limits: Limits,
    ) -> None:
        """Write by `manifests`; the other clients are those of the same repository."""
        self._manifests = manifests
        self._uploader = uploader
        self._downloader = downloader
        self._profile = profile
        self._limits = limits

    def read(self, source: ByteSource, descriptor: Descriptor) -> bytes:
        """Return the verified bytes of a manifest."""
        with closing(source.open()) as stream:
            return read_verified(stream, descriptor, limit=self._limits.manifest_size)

    def store(
        self,
        content: bytes,
        media_type: str,
        reference: str | None,
        note: NotePush,
        tags: Sequence[str] = (),
    ) -> PushedManifest:
        """Store a manifest under a tag or its digest; see `RemoteRepository.push_manifest`."""
        pushed = put_when_settled(
            lambda: self._manifests.push(content, media_type, reference, tags=tags),
            lambda: prerequisites(content, media_type),
            self._exists,
        )
        self._uploader.note_content()
        note(pushed, content)
        return pushed

    def store_under(
        self, content: bytes, descriptor: Descriptor, tags: Sequence[str], note: NotePush
    ) -> None:
        """Store a manifest under several tags, if possible in one request."""
        created: frozenset[str] = frozenset()
        if self._profile.current.takes_tags is not False:
            digest = str(descriptor.digest)
            try:
                created = self.store(content, descriptor.media_type, digest, note, tags).tags
            except RegistryError as error:
                if error.status not in _TAGS_REFUSED:
                    raise
            self._profile.learn_takes_tags(takes=bool(created))
        for tag in tags:
            if tag not in created:
                self.store(content, descriptor.media_type, tag, note)

    def _exists(self, descriptor: Descriptor) -> bool:
        if descriptor.has_successors:
            return self._manifests.exists(descriptor)
        return self._downloader.exists(descriptor.digest)
