"""Registries in memory to mirror between."""

from __future__ import annotations

from collections.abc import Mapping

from oras_core.mirroring.plan import Mirror
from oras_core.mirroring.selection import Selection
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.transports.retries import RetryPolicy
from oras_core.testing.contracts.content_access import push_artifact
from oras_core.testing.registry.registry import EmbeddedRegistry

SOURCE, DESTINATION = "source.example", "mirror.example"


class World:
    """Two registries; a `Registries` of them. Either transport may be replaced by a faulty one."""

    def __init__(self, **transports):
        self.source = EmbeddedRegistry()
        self.destination = EmbeddedRegistry()
        self.transports = {SOURCE: self.source, DESTINATION: self.destination, **transports}
        self._registries = {}
        self.demanded = {}

    def registry(self, host):
        if host not in self._registries:
            self._registries[host] = RemoteRegistry(
                host, self.transports[host], retry_policy=RetryPolicy(attempts=1)
            )
        return self._registries[host]

    def pauses(self) -> Mapping[str, float]:
        return self.demanded

    def repository(self, name, host=SOURCE):
        return RemoteRegistry(host, self._plain(host)).repository(name)

    def _plain(self, host):
        return self.source if host == SOURCE else self.destination

    def push(self, name, *tags, host=SOURCE, **about):
        """Push an artifact of two blobs, one of which `shared` names; return its manifest."""
        repository = self.repository(name, host)
        blobs = about.pop("blobs", (f"{name}:{tags[:1]}".encode() * 400,))
        document = push_artifact(repository, *blobs, **about)
        for tag in tags:
            repository.tag(document.descriptor.plain(), tag)
        return document

    def uploads(self):
        """Return the digests of the blobs that were uploaded to the destination, in order."""
        return [
            request.query.partition("digest=")[2]
            for request in self.destination.requests
            if request.method == "PUT" and "/blobs/uploads/" in request.path
        ]


def mirror(**selection):
    """Return the mirror of the source."""
    return Mirror(SOURCE, DESTINATION, Selection(**selection))
