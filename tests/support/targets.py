"""Targets that watch what a copy does, and fail on demand."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from threading import Lock

from oras_core.model import codec
from oras_core.ports.progress import ProgressListener
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_artifact

__all__ = ["EventRecorder", "Forwarding", "StrictStore", "WatchedStore", "store_with"]


class Forwarding:
    """A target that has the six methods of a target and passes them on, and no others."""

    def __init__(self, target):
        self.target = target

    def exists(self, descriptor):
        return self.target.exists(descriptor)

    def fetch(self, descriptor):
        return self.target.fetch(descriptor)

    def push(self, descriptor, source):
        self.target.push(descriptor, source)

    def resolve(self, reference):
        return self.target.resolve(reference)

    def tag(self, descriptor, reference):
        self.target.tag(descriptor, reference)


class WatchedStore(Forwarding):
    """Counts what is fetched and notes what is opened, in its order."""

    def __init__(self, target=None):
        super().__init__(MemoryStore() if target is None else target)
        self.fetched = Counter()
        self.pushed = []
        self.tagged = []
        self._lock = Lock()

    def fetch(self, descriptor):
        with self._lock:
            self.fetched[descriptor.digest] += 1
        return super().fetch(descriptor)

    def push(self, descriptor, source):
        with self._lock:
            self.pushed.append(descriptor.digest)
        super().push(descriptor, source)

    def tag(self, descriptor, reference):
        super().tag(descriptor, reference)
        self.tagged.append((descriptor.digest, reference))


class StrictStore(WatchedStore):
    """Refuses a manifest before all that it refers to is here, as registries do."""

    def push(self, descriptor, source):
        if descriptor.has_successors and not self.exists(descriptor):
            with closing(source.open()) as stream:
                document = codec.decode(stream.read(), descriptor.media_type)
            for successor in document.successors:
                assert self.exists(successor), f"{descriptor} came before {successor}"
        super().push(descriptor, source)


class EventRecorder(ProgressListener):
    """Keeps the events of a copy."""

    def __init__(self):
        self.events = []
        self._lock = Lock()

    def _note(self, *event):
        with self._lock:
            self.events.append(event)

    def started(self, descriptor):
        self._note("started", descriptor.digest)

    def advanced(self, descriptor, count):
        self._note("advanced", descriptor.digest, count)

    def finished(self, descriptor):
        self._note("finished", descriptor.digest)

    def skipped(self, descriptor, reason):
        self._note("skipped", descriptor.digest, reason)

    def failed(self, descriptor, error):
        self._note("failed", descriptor.digest, error)

    def of(self, descriptor):
        """Return the events of one content, without its digest."""
        return [
            (kind, *facts) for kind, digest, *facts in self.events if digest == descriptor.digest
        ]


def store_with(*layers, tag="v1"):
    """Return a store that holds an artifact, and the manifest of that."""
    store = MemoryStore()
    manifest = push_artifact(store, *layers)
    store.tag(manifest.descriptor, tag)
    return store, manifest
