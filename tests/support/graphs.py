"""Graphs of content, at random, for laws."""

from __future__ import annotations

from attrs import field, frozen
from hypothesis import strategies as st

from oras_core.content.sources import BytesSource
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor

__all__ = ["Graph", "graphs"]


@frozen
class Graph:
    """Content, and what refers to what.

    Attributes:
        nodes: descriptors of all content, each digest once, leaves first.
        contents: bytes by digest.
        edges: what each manifest and index refers to, by its digest.
    """

    nodes: list = field(factory=list)
    contents: dict = field(factory=dict)
    edges: dict = field(factory=dict)

    @property
    def root(self):
        return self.nodes[-1]

    def add(self, content, media_type, successors=()):
        descriptor = Descriptor.of(content, media_type)
        if descriptor.digest not in self.contents:
            self.nodes.append(descriptor)
            self.contents[descriptor.digest] = content
            if descriptor.has_successors:
                self.edges[descriptor.digest] = successors
        return descriptor

    def reachable(self, root=None):
        """Return the digests of `root` and of all that it refers to."""
        found, waiting = set(), [(root or self.root).digest]
        while waiting:
            digest = waiting.pop()
            if digest not in found:
                found.add(digest)
                waiting += [child.digest for child in self.edges.get(digest, ())]
        return found

    def with_referrers(self):
        """Return the digests of all that refers to the root, and of all that this refers to."""
        found = self.asked_for_referrers()
        return set().union(*(self.reachable(n) for n in self.nodes if n.digest in found))

    def asked_for_referrers(self):
        """Return the digests of the root, what it contains, and what refers to any of these.

        What is a mere subject of something is not asked.
        """
        documents = {
            node.digest: codec.decode(self.contents[node.digest], node.media_type)
            for node in self.nodes
            if node.has_successors
        }
        found, waiting = set(), [self.root.digest]
        while waiting:
            digest = waiting.pop()
            if digest in found or digest not in documents:
                continue
            found.add(digest)
            waiting += [part.digest for part in getattr(documents[digest], "manifests", ())]
            waiting += [
                referrer
                for referrer, document in documents.items()
                if document.subject and document.subject.digest == digest
            ]
        return found

    def referrers(self, subject):
        """Return the digests of the documents with this subject."""
        return {
            node.digest
            for node in self.nodes
            if node.has_successors
            and (document := codec.decode(self.contents[node.digest], node.media_type)).subject
            and document.subject.digest == subject.digest
        }

    def push_to(self, target, digests=None):
        """Push all content, or only that of `digests`, leaves first."""
        for node in self.nodes:
            if digests is None or node.digest in digests:
                target.push(node, BytesSource(self.contents[node.digest]))
        return target


@st.composite
def graphs(draw, max_documents=6, titles=(None, "a", "b/c", "d")):
    """Manifests and indexes over a few blobs, which share what they refer to.

    One content may be referred to several times, with and without titles.
    """
    graph = Graph()
    for content in draw(st.lists(st.binary(max_size=3), min_size=1, max_size=4)):
        graph.add(content, "application/vnd.example")

    def use(node):
        title = draw(st.sampled_from(titles))
        return node.with_annotations({media_types.ANNOTATION_TITLE: title}) if title else node

    for _ in range(draw(st.integers(1, max_documents))):
        blobs = [node for node in graph.nodes if not node.has_successors]
        documents = [node for node in graph.nodes if node.has_successors]
        subject = draw(st.none() | st.sampled_from(documents)) if documents else None
        if documents and draw(st.booleans()):
            chosen = draw(st.lists(st.sampled_from(documents), max_size=3))
            document = codec.encode_index(
                manifests=[use(node) for node in chosen],
                subject=subject,
                # No list of referrers that a client writes is by chance the same.
                annotations={"made": "for a graph"},
            )
        else:
            chosen = draw(st.lists(st.sampled_from(blobs), max_size=3))
            document = codec.encode_manifest(
                config=draw(st.sampled_from(blobs)),
                layers=[use(node) for node in chosen],
                subject=subject,
            )
        graph.add(document.content, document.media_type, document.successors)
    return graph
