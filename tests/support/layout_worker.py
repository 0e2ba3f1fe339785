"""A process that copies into an OCI layout, deletes from it and collects its garbage at random.

    python -m support.layout_worker FOLDER NAME

It prints a line before and after each step; `Journal` reads these lines.
"""

from __future__ import annotations

import random
import signal
import sys
from itertools import count

from attrs import field, frozen

from oras_adapters.files.local_files import LocalFileTree
from oras_core.copying.extended import extended_copy
from oras_core.errors import UnsupportedError
from oras_core.model import codec
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_artifact, push_document

SHARED = 5
LARGEST = 300_000


class RecordingStore(MemoryStore):
    """Records the digests of all blobs and manifests that are pushed."""

    def __init__(self):
        super().__init__()
        self.pushed = set()

    def push(self, descriptor, source):
        self.pushed.add(str(descriptor.digest))
        super().push(descriptor, source)


def artifact(tag):
    """Return a store with the artifact of this tag, which is always the same."""
    chance, store = random.Random(tag), RecordingStore()

    def image(own):
        shared = b"shared %d" % chance.randrange(SHARED)
        layers = [shared, own.encode() + bytes(chance.randrange(LARGEST))]
        return push_artifact(store, *layers).descriptor

    root = image(tag)
    shape = chance.choice(["image", "index", "referrer"])
    if shape == "index":
        parts = [root, image(f"{tag} second")]
        root = push_document(store, codec.encode_index(manifests=parts))
    elif shape == "referrer":
        push_artifact(store, b"signature of " + tag.encode(), subject=root)
    store.tag(root, tag)
    return store


@frozen
class Journal:
    """What processes have reported.

    Attributes:
        complete: the tags whose copy has ended, and that were not deleted.
        under_way: the tags whose copy or deletion was not reported as finished, or whose
            artifact was deleted.
        deleted: the tags whose deletion began.
        collections: the collections that ended.
    """

    complete: set = field(factory=set)
    under_way: set = field(factory=set)
    deleted: set = field(factory=set)
    collections: list = field(factory=list)

    def read(self, line):
        step, _, tag = line.strip().partition(" ")
        if step == "collected":
            self.collections.append(tag)
        elif step == "copied":
            self.under_way.discard(tag)
            self.complete.add(tag)
        elif step in ("copies", "deletes"):
            self.under_way.add(tag)
            self.complete.discard(tag)
        if step == "deletes":
            self.deleted.add(tag)

    def unfinished(self):
        """Return the digests of all that may be loose."""
        return set().union(*(artifact(tag).pushed for tag in self.under_way))


def work(folder, name):
    chance, mine, interrupts = random.Random(name), [], []

    def interrupt(number, frame):
        interrupts.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)  # a parent may have it ignored

    def tell(step, what):
        sys.stdout.write(f"{step} {what}\n")
        sys.stdout.flush()

    for number in count():
        if interrupts:  # while an object was finalized, where Python ignores the exception
            raise KeyboardInterrupt
        store = OciLayoutStore(LocalFileTree(folder))
        step = chance.random()
        if step < 0.3:
            try:
                store.collect_garbage()
            except UnsupportedError:
                continue  # a copy of the other process is running
            tell("collected", number)
        elif step < 0.4 and mine:
            tag = mine.pop(chance.randrange(len(mine)))
            tell("deletes", tag)
            store.delete(store.resolve(tag))
        else:
            tag = f"{name}-{number}"
            tell("copies", tag)
            extended_copy(artifact(tag), tag, store)
            tell("copied", tag)
            mine.append(tag)


if __name__ == "__main__":
    try:
        work(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(1)
