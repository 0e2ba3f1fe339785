"""Artifacts for tests, valid and hostile."""

from __future__ import annotations

from oras_core.content.sources import BytesSource
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.packing.manifest import pack_manifest
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.transports.retries import RetryPolicy
from oras_core.testing.contracts.content_access import push_blob, push_document
from oras_core.testing.contracts.tree_access import read, write
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.testing.registry.registry import EmbeddedRegistry
from oras_core.verbs.push import File

__all__ = ["TITLE", "all_files", "artifact_in", "file", "layer", "repository", "tree_of"]

TITLE = media_types.ANNOTATION_TITLE


def repository(server=None, name="app"):
    """Return a repository of a registry without a network."""
    registry = RemoteRegistry(
        "localhost:5000",
        server or EmbeddedRegistry(),
        plain_http=True,
        retry_policy=RetryPolicy(attempts=1),
    )
    return registry.repository(name)


def file(title, content, **fields):
    """Return a file to be pushed."""
    return File(title, BytesSource(content), **fields)


def tree_of(**files):
    """Return a folder."""
    tree = MemoryFileTree()
    for name, content in files.items():
        write(tree, name, content)
    return tree


def all_files(tree, path=None):
    """Return the contents of all files by path."""
    found = {}
    for entry in tree.entries(path):
        if entry.kind == "directory":
            found |= all_files(tree, entry.path)
        else:
            found[str(entry.path)] = read(tree, str(entry.path))
    return found


def layer(content, title=None, **annotations):
    """Describe a layer, whatever its title."""
    return Descriptor.of(
        content, "a/b", annotations={**({TITLE: title} if title else {}), **annotations}
    )


def artifact_in(target, *layers, tag="v1"):
    """Push a manifest of (content, title) pairs with any titles."""
    for content, _ in layers:
        push_blob(target, content)
    push_blob(target, b"{}")
    manifest = pack_manifest([layer(content, title) for content, title in layers])
    push_document(target, manifest)
    target.tag(manifest.descriptor.plain(), tag)
    return manifest
