"""The rules of every copy, for all targets, existing blobs and failures."""

from __future__ import annotations

import pytest
from attrs import define
from hypothesis import given, settings
from hypothesis import strategies as st

from oras_core.copying.copy import copy
from oras_core.copying.extended import extended_copy
from oras_core.copying.options import CopyOptions
from oras_core.errors import OrasError, TransportError
from oras_core.model.descriptor import Descriptor
from oras_core.stores.file import FileStore
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import read
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.artifacts import repository
from support.graphs import graphs
from support.targets import EventRecorder


@define
class Fault:
    """Lets a call fail: the one after `left` more, if that is a number."""

    left: int | None = None
    has_struck: bool = False

    def strike(self, fail):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left, self.has_struck = None, True
                fail()


class FailedError(Exception):
    """What a target raises that is no error of this library."""


def failing(kind, *arguments):
    """Return a target of a kind whose calls may fail, and its fault."""
    fault = Fault()

    def fail():
        raise FailedError

    class Failing(kind):
        def exists(self, descriptor):
            fault.strike(fail)
            return super().exists(descriptor)

        def fetch(self, descriptor):
            fault.strike(fail)
            return super().fetch(descriptor)

        def push(self, descriptor, source):
            fault.strike(fail)
            super().push(descriptor, source)
            fault.strike(fail)

        def tag(self, descriptor, reference):
            fault.strike(fail)
            super().tag(descriptor, reference)

    return Failing(*arguments), fault


def failing_repository(**options):
    """Return a repository whose connection may break, and its fault."""
    fault, server = Fault(), EmbeddedRegistry(**options)

    class Breaking:
        def send(self, request):
            def fail():
                raise TransportError(request.method, request.url, "it broke", retryable=False)

            fault.strike(fail)
            response = server.send(request)
            try:
                fault.strike(fail)
            except TransportError:
                response.close()
                raise
            return response

    return repository(Breaking()), fault


SOURCES = {
    "memory": lambda: failing(MemoryStore),
    "layout": lambda: failing(OciLayoutStore, MemoryFileTree()),
    "registry": failing_repository,
    "registry without referrers": lambda: failing_repository(referrers=False),
}
DESTINATIONS = {**SOURCES, "files": lambda: failing(FileStore, MemoryFileTree())}


def present(graph, target):
    """Return the digests of the stored blobs, and verify the blobs."""
    found = set()
    for node in graph.nodes:
        if target.exists(node):
            blob = Descriptor(node.media_type, node.digest, node.size)
            assert read(target, blob) == graph.contents[node.digest]
            found.add(node.digest)
    return found


@pytest.mark.parametrize("destination_kind", DESTINATIONS)
@pytest.mark.parametrize("source_kind", SOURCES)
@settings(max_examples=15, deadline=None)
@given(graph=graphs(titles=[None]), data=st.data(), concurrency=st.sampled_from([1, 3]))
def test_a_copy_moves_the_missing_graph(source_kind, destination_kind, graph, data, concurrency):
    source, source_fault = SOURCES[source_kind]()
    destination, destination_fault = DESTINATIONS[destination_kind]()
    graph.push_to(source)
    source.tag(graph.root, "v1")
    before = set()
    for node in data.draw(st.lists(st.sampled_from(graph.nodes), max_size=3), label="there"):
        before |= graph.reachable(node)
    graph.push_to(destination, before)
    extended = data.draw(st.booleans(), label="with referrers")
    run = extended_copy if extended else copy
    wanted = graph.with_referrers() if extended else graph.reachable()

    # A run that something breaks.
    fault = data.draw(st.sampled_from([source_fault, destination_fault]), label="who fails")
    fault.left = data.draw(st.none() | st.integers(0, 25), label="after")
    options = CopyOptions(concurrency=concurrency)
    try:
        run(source, "v1", destination, options=options)
    except (FailedError, OrasError):
        assert fault.has_struck  # else it was no fault of ours
    fault.left = None
    arrived = present(graph, destination)
    assert before <= arrived <= before | wanted
    for node in graph.nodes:
        if node.digest in arrived:
            assert graph.reachable(node) <= arrived

    # Another run continues from there.
    copied = run(source, "v1", destination, options=options)
    assert copied.root.digest == destination.resolve("v1").digest == graph.root.digest
    assert present(graph, destination) == before | wanted
    if extended and hasattr(destination, "referrers"):
        for node in graph.nodes:
            if node.digest in graph.asked_for_referrers():
                listed = {found.digest for found in destination.referrers(node)}
                assert listed == graph.referrers(node) & (before | wanted)

    # And one more finds nothing to do, but to name the root.
    seen = EventRecorder()
    run(source, "v1", destination, options=CopyOptions(concurrency=1, listener=seen))
    moved = {digest for kind, digest, *_ in seen.events if kind == "started"}
    assert moved <= {graph.root.digest}
    assert not (extended and moved)
