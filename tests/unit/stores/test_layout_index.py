from __future__ import annotations

import pickle

from oras_core.model.descriptor import Descriptor
from oras_core.stores.layout.index import LayoutIndex

ONE, TWO, THREE = (Descriptor.of(text, "a/b") for text in (b"one", b"two", b"three"))


def test_entries_keep_their_order_after_removals():
    index = LayoutIndex()
    for descriptor in (ONE, TWO, THREE):
        index.add(descriptor)
    index.remove(THREE.digest)
    index.remove(ONE.digest)
    index.add(ONE)
    index.tag(TWO, "v1")
    index.tag(THREE, "v2")
    assert [(entry.descriptor, entry.name) for entry in index] == [
        (ONE, None),
        (TWO, "v1"),
        (THREE, "v2"),
    ]


def test_pickled_index_lists_the_same_entries():
    """Python 3.14 pickles no iterators."""
    index = LayoutIndex()
    index.tag(ONE, "v1")
    copy = pickle.loads(pickle.dumps(index))
    copy.tag(TWO, "v2")
    assert list(copy)[:1] == list(index)
    assert copy.find("v2").digest == TWO.digest
