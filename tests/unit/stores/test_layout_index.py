from __future__ import annotations

import json
import pickle

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from oras_core.model.descriptor import Descriptor
from oras_core.model.media_types import OCI_INDEX
from oras_core.stores.layout.index import LayoutEntry, LayoutIndex

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


DESCRIPTORS = st.sampled_from([ONE, TWO, THREE])
CHANGES = st.one_of(
    st.tuples(st.just("add"), DESCRIPTORS),
    st.tuples(st.just("remove"), DESCRIPTORS.map(lambda descriptor: descriptor.digest)),
    st.tuples(st.just("tag"), DESCRIPTORS, st.sampled_from(["v1", "v2"])),
    st.tuples(st.just("untag"), st.sampled_from(["v1", "v2"])),
    st.tuples(st.just("encode")),
)


@given(st.lists(CHANGES, max_size=20))
def test_an_index_that_was_encoded_before_a_change_has_the_same_bytes(changes):
    index = LayoutIndex(others={"annotations": {"é": "ü"}})
    for method, *arguments in changes:
        getattr(index, method)(*arguments)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "annotations": {"é": "ü"},
        "manifests": [entry.members for entry in index],
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    assert index.encode().decode() == text


def test_a_change_of_a_large_index_encodes_the_changed_entries_only():
    encoded = []

    class Members(dict):
        def items(self):
            encoded.append(self["digest"])
            return super().items()

    entries = [LayoutEntry.new(descriptor) for descriptor in (ONE, TWO, THREE)]
    index = LayoutIndex(evolve(entry, members=Members(entry.members)) for entry in entries[:2])
    index.encode()
    assert encoded == [str(ONE.digest), str(TWO.digest)]
    index.tag(THREE, "v1")
    index.encode()
    assert encoded == [str(ONE.digest), str(TWO.digest)]
