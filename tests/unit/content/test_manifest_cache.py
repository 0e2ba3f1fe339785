"""The memory of an untrusted graph."""

from __future__ import annotations

import pytest

from oras_core.content.graph import SMALLEST, ManifestCache
from oras_core.copying.copy import copy
from oras_core.copying.options import CopyOptions
from oras_core.errors import SizeLimitError
from oras_core.model import codec
from oras_core.packing.manifest import pack_manifest
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_blob, push_document


def manifest(number, size=0):
    return pack_manifest([], artifact_type="a/b", annotations={"n": str(number), "x": "x" * size})


def test_many_small_manifests_count_with_a_minimum_size():
    cache = ManifestCache(MemoryStore(), graph_limit=3 * SMALLEST)
    for number in range(3):
        document = manifest(number)
        cache.remember(document.descriptor, document.content)
        cache.remember(document.descriptor, document.content)  # once is enough
    document = manifest(3)
    with pytest.raises(SizeLimitError, match="the manifests of the graph exceeds"):
        cache.remember(document.descriptor, document.content)


def test_large_manifests_count_with_their_size():
    document = manifest(0, size=5000)
    cache = ManifestCache(MemoryStore(), graph_limit=5000)
    with pytest.raises(SizeLimitError):
        cache.remember(document.descriptor, document.content)


def test_a_graph_that_is_too_large_ends_the_copy(monkeypatch):
    source = MemoryStore()
    push_blob(source, b"{}")
    documents = [manifest(number, size=2000) for number in range(20)]
    for document in documents:
        push_document(source, document)
    index = codec.encode_index(manifests=[document.descriptor for document in documents])
    push_document(source, index)
    source.tag(index.descriptor, "v1")
    defaults = {**ManifestCache.__init__.__kwdefaults__, "limit": 4096, "graph_limit": 9999}
    monkeypatch.setattr(ManifestCache.__init__, "__kwdefaults__", defaults)
    destination = MemoryStore()
    with pytest.raises(SizeLimitError):
        copy(source, "v1", destination, options=CopyOptions(concurrency=1))
    assert not destination.exists(index.descriptor)
